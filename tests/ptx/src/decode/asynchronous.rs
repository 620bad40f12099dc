//! Not there yet: instructions of this family are refused when a module is read.
use super::Decoded;
use super::operands::Operands;
use crate::opcode::Opcode;

pub(super) fn decode(_: &Opcode, _: &mut Operands) -> Decoded {
    Err("not yet supported".into())
}
