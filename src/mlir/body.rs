//! The frame of every kernel's body function: it unpacks the argument block.
//!
//! The block holds the addresses of the kernel's buffers and then its sizes, eight bytes each.

use super::text::{Kind, Type, Value, Writer};
use crate::kernel::{Amount, Kernel};

/// The parameters of a body function, unpacked.
#[derive(Debug)]
pub struct Body {
    /// Addresses of the kernel's buffers.
    pub buffers: Vec<Value>,
    /// The launch's sizes.
    pub sizes: Vec<Value>,
    /// The first turn.
    pub begin: Value,
    /// One past the last turn.
    pub end: Value,
}

impl Body {
    /// Starts the function.
    pub fn begin(writer: &mut Writer, symbol: &str, kernel: &Kernel) -> Body {
        let (pointer, int) = (Type::scalar(Kind::Pointer), Type::scalar(Kind::I64));
        let parameters = writer.begin_function("internal ", symbol, &[pointer, int, int], "");
        let block = parameters[0];
        let buffers = (0..kernel.buffers.len()).map(|place| read_slot(writer, block, place, pointer)).collect();
        let sizes =
            (0..kernel.sizes).map(|place| read_slot(writer, block, kernel.buffers.len() + place, int)).collect();
        Body { buffers, sizes, begin: parameters[1], end: parameters[2] }
    }

    /// The value of an amount.
    pub fn amount(&self, writer: &mut Writer, amount: Amount) -> Value {
        match amount {
            Amount::Constant(value) => writer.int(value),
            Amount::Size(place) => self.sizes[place],
        }
    }
}

fn read_slot(writer: &mut Writer, block: Value, slot: usize, ty: Type) -> Value {
    let address = writer.address_at(block, slot, Kind::I64);
    writer.load(address, ty)
}
