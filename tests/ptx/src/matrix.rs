//! Not there yet: instructions of this family are refused when a module is read.
#[derive(Debug)]
pub(crate) enum MatrixCopy {}
#[derive(Debug)]
pub(crate) enum Multiply {}
