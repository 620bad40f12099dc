//! Not there yet: instructions of this family are refused when a module is read.
use super::Flow;
use crate::block::Block;
use crate::fault::{Fault, Outcome};
use crate::launch::Launch;
use crate::thread::Thread;
use crate::transfer::Transfer;

pub(super) fn start(_: &mut Launch, _: &mut Block, _: &mut Thread, transfer: &Transfer) -> Outcome<Flow> {
    match *transfer {}
}
pub(crate) fn deliver_one(_: &mut Launch, _: &mut Block) -> Result<bool, Fault> {
    Ok(false)
}
pub(crate) fn wake_pollers(_: &mut Launch, _: &mut Block) -> bool {
    false
}
pub(crate) fn end_block(_: &mut Launch, _: &mut Block) -> Result<(), Fault> {
    Ok(())
}
pub(super) fn end_thread(_: &mut Block, _: &mut Thread) -> Outcome<()> {
    Ok(())
}
