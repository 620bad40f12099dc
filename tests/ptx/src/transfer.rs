//! Not there yet: instructions of this family are refused when a module is read.
#[derive(Debug)]
pub(crate) enum Transfer {}
#[derive(Debug, Default)]
pub(crate) struct ThreadTransfers {}
#[derive(Debug, Default)]
pub(crate) struct Engine {}
