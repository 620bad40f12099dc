//! Not there yet: instructions of this family are refused when a module is read.
use crate::block::Block;
use crate::fault::Outcome;
use crate::launch::Launch;
use crate::warp::WarpKind;

pub(super) fn perform(_: &mut Launch, _: &mut Block, _: &[usize], _: &WarpKind) -> Outcome<()> {
    Ok(())
}
