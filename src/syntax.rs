//! Source text to syntax tree: pest's grammar in `grammar/arch.pest`, one [`ast::File`] per source file.
//!
//! In: a file's text. Out: its tree, always. A line that does not parse is one diagnostic, and everything else is still
//! in the tree, so that one run finds the faults of a whole file.
//!
//! Order: `grammar` is what pest derives, `builder` holds what all of the rest needs, then `items`, `lines`,
//! `expressions` and `weights` turn pest's pairs into nodes; `recovery` writes the messages and `expected` its words.

pub mod ast;
mod grammar;
mod builder;
mod expected;
mod recovery;
mod expressions;
mod lines;
mod items;
mod weights;
mod print;

use crate::diagnostics::Diagnostics;
use crate::source::FileId;
use builder::Builder;

pub use print::print;

/// Parses one file. It never fails: what cannot be read is a diagnostic in `sink`, and the rest is in the tree.
pub fn parse(file: FileId, text: &str, sink: &mut Diagnostics) -> ast::File {
    let mut builder = Builder::new(file, text);
    let tree = builder.file();
    builder.report(sink);
    tree
}

/// Parses one block of a file, given its text and the byte at which that begins. `None` if it has a fault.
pub fn parse_block(file: FileId, text: &str, base: usize) -> Option<ast::Block> {
    let mut builder = Builder::of_part(file, text, base);
    let block = builder.only_block()?;
    builder.found.is_empty().then_some(block)
}
