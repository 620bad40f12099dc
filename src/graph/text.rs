//! The text form of graphs: what `emit --stage graph`, dumps and snapshots show, and what tests are written in.
//!
//! `print` and `parse` are inverse up to what carries no meaning: numbers of nodes, unused axes, the order of the steps
//! of a map. One node is one line: `%7 = contract [d] %3, %5 : real[batch, t, h] where t - s >= 0 @ "layers.attn"`. A
//! body stands indented in its `for`; `give` closes it with what it hands out. `%7.1` is the second result of `%7`.

mod parse;
mod parse_node;
mod print;
mod tokens;

pub use parse::parse;
pub use print::print;
