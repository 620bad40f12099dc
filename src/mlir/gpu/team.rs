//! Threads that work on one turn together: a warp, or a whole block.

use crate::gpu::WARP;
use crate::mlir::arithmetic::Order;
use crate::mlir::text::{Kind, Type, Value, Writer};
use crate::model::Combine;

/// A team, as one of its threads sees it.
#[derive(Debug, Clone, Copy)]
pub struct Team {
    /// How many threads there are.
    pub threads: usize,
    /// The thread's number among them.
    pub member: Value,
    /// A number in shared memory for each warp, where there are several.
    pub scratch: Option<Value>,
}

impl Team {
    /// All come here before any goes on; each sees what the others wrote.
    pub fn wait(&self, writer: &mut Writer) {
        match self.threads {
            1 => {}
            WARP => writer.wait_for_warp(),
            _ => writer.wait_for_block(),
        }
    }

    /// All threads' values as one, in an order that does not depend on timing; every thread has it.
    pub fn combine(&self, writer: &mut Writer, combine: Combine, value: Value) -> Value {
        let kind = value.ty.kind;
        let mut value = if kind == Kind::I1 { writer.cast("arith.extui", value, Kind::I32) } else { value };
        for bits in [16, 8, 4, 2, 1] {
            let other = writer.from_partner(value, bits);
            value = writer.combine(combine, value, other);
        }
        let value = match self.scratch {
            Some(scratch) => self.combine_warps(writer, combine, value, scratch),
            None => agreed(writer, combine, value),
        };
        if kind == Kind::I1 { writer.convert(value, Kind::I1) } else { value }
    }

    fn combine_warps(&self, writer: &mut Writer, combine: Combine, value: Value, scratch: Value) -> Value {
        let warp = writer.int(WARP as i64);
        let number = writer.binary("arith.divui", self.member, warp);
        let slot = writer.element_address(scratch, number, Kind::F64);
        let lane = writer.binary("arith.remui", self.member, warp);
        let zero = writer.int(0);
        let first = writer.compare(Order::Equal, lane, zero);
        let open = writer.begin_if(first, &[]);
        writer.store(slot, value);
        writer.end(open, &[]);
        writer.wait_for_block();
        let mut sum: Option<Value> = None;
        for number in 0..self.threads / WARP {
            let address = writer.address_at(scratch, number, Kind::F64);
            let part = writer.load(address, Type::scalar(value.ty.kind));
            sum = Some(sum.map_or(part, |sum| writer.combine(combine, sum, part)));
        }
        writer.wait_for_block();
        sum.unwrap_or(value)
    }
}

/// A maximum of numbers that cannot be compared may differ between threads: the first one's counts.
fn agreed(writer: &mut Writer, combine: Combine, value: Value) -> Value {
    match combine {
        Combine::Maximum | Combine::Minimum => {
            let first = writer.whole(0, Type::scalar(Kind::I32));
            writer.from_thread(value, first)
        }
        _ => value,
    }
}
