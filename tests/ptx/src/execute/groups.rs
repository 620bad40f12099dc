//! Not there yet: instructions of this family are refused when a module is read.
use crate::block::Block;
use crate::fault::Outcome;
use crate::launch::Launch;
use crate::warpgroup::GroupOperation;

pub(super) fn attempt(_: &mut Launch, _: &mut Block, _: usize, operation: &GroupOperation) -> Outcome<()> {
    match *operation {}
}
