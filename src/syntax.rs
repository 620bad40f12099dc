//! Source text to syntax tree: pest's grammar in `grammar/arch.pest`, one [`ast::File`] per source file.
//!
//! A line that does not parse is one diagnostic, and everything else is still in the tree.

pub mod ast;
