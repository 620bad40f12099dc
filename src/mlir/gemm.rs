//! placeholder
use super::text::{Value, Writer};
use crate::kernel::{Amount, Gemm, Kernel, Pack};
use crate::target::Target;
pub const CHUNK_WEIGHT: i64 = 64;
pub fn write(_w: &mut Writer, _s: &str, _k: &Kernel, _f: &Gemm, _t: &Target) {}
pub fn write_pack(_w: &mut Writer, _s: &str, _k: &Kernel, _f: &Pack, _t: &Target) {}
pub fn blocks(w: &mut Writer, _f: &Gemm, _t: &Target, _a: &dyn Fn(&mut Writer, Amount) -> Value) -> Value {
    w.int(0)
}
pub fn panels(w: &mut Writer, _f: &Pack, _t: &Target, _a: &dyn Fn(&mut Writer, Amount) -> Value) -> Value {
    w.int(0)
}
