//! The frame of every kernel's body function: it unpacks the argument block.
//!
//! The block holds the addresses of the kernel's buffers and then its sizes, eight bytes each.

use super::text::{Kind, Type, Value, Writer};
use crate::kernel::{Amount, Kernel};

/// The parameters of a body function, unpacked.
#[derive(Debug, Clone)]
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

    /// The sum of indices times strides.
    pub fn start_of(&self, writer: &mut Writer, indices: &[Value], strides: &[Amount]) -> Value {
        let mut start = writer.int(0);
        for (&index, &stride) in indices.iter().zip(strides) {
            let stride = self.amount(writer, stride);
            let step = writer.multiply(index, stride);
            start = writer.add(start, step);
        }
        start
    }

    /// A number divided into indices below some extents, the last counting fastest.
    pub fn unravel(&self, writer: &mut Writer, number: Value, extents: &[Amount]) -> Vec<Value> {
        let mut rest = number;
        let mut indices = Vec::with_capacity(extents.len());
        for &extent in extents.iter().rev() {
            let extent = self.amount(writer, extent);
            indices.push(writer.binary("arith.remsi", rest, extent));
            rest = writer.binary("arith.divsi", rest, extent);
        }
        indices.reverse();
        indices
    }

    /// Room for some elements on the stack, until the body returns.
    pub fn room(&self, writer: &mut Writer, count: Value, kind: Kind) -> Value {
        let text = format!("llvm.alloca {count} x {kind} {{alignment = 64 : i64}} : (i64) -> !llvm.ptr");
        writer.define(Type::scalar(Kind::Pointer), text)
    }
}

fn read_slot(writer: &mut Writer, block: Value, slot: usize, ty: Type) -> Value {
    let address = writer.address_at(block, slot, Kind::I64);
    writer.load(address, ty)
}
