//! What pest derives from `grammar/arch.pest`: the parser and its rules.

use pest_derive::Parser;

/// The parser that pest derives.
#[derive(Parser)]
#[grammar = "grammar/arch.pest"]
pub struct Grammar;
