//! Matrix products: filled in by the next step.

use super::text::{Value, Writer};
use crate::kernel::{Amount, Gemm, Kernel, Pack};
use crate::target::Target;

/// How many times the usual work a chunk of blocks should have.
pub const CHUNK_WEIGHT: i64 = 64;

/// Writes the body of a product.
pub fn write(_: &mut Writer, _: &str, _: &Kernel, _: &Gemm, _: &Target) {}

/// Writes the body of a copy into panels.
pub fn write_pack(_: &mut Writer, _: &str, _: &Kernel, _: &Pack, _: &Target) {}

/// The number of blocks of a product.
pub fn blocks(writer: &mut Writer, _: &Gemm, _: &Target, _: &dyn Fn(&mut Writer, Amount) -> Value) -> Value {
    writer.int(0)
}

/// The number of panels.
pub fn panels(writer: &mut Writer, _: &Pack, _: &Target, _: &dyn Fn(&mut Writer, Amount) -> Value) -> Value {
    writer.int(0)
}
