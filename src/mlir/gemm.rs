//! Matrix products of any shape from one family of micro-kernels (after Goto and van de Geijn 2008).
//!
//! The turns of a product's body are blocks: some rows of A times one panel of B, batches outermost, panels
//! innermost. A run of blocks that share their rows is one [`Product::strip`]: A is packed once for it where its columns
//! are not side by side, and B's panels are packed where they are not already and that pays. Sums are kept in tiles
//! of their own until the last part of k, so that an epilogue may read what C overwrites.

mod ahead;
mod beside;
mod epilogue;
pub mod micro;
mod pack;
mod strip;
mod turned;

pub use pack::{Source, copy_panel, panels, write_pack};
pub use turned::copy as copy_turned;

use super::body::Body;
use super::kernels::product;
use super::text::{Value, Writer};
use crate::kernel::{Amount, Gemm, Kernel};
use crate::target::Target;

/// Multiply-adds of a chunk whose strips pack A: each chunk packs it anew.
const PACKING_CHUNK: i64 = 1 << 23;
/// Multiply-adds of a chunk that reads A where it is.
const READING_CHUNK: i64 = 1 << 18;
/// How many rows of A take as long to multiply with a panel of B as that panel takes to come from memory.
const ROWS_PER_READING: i64 = 8;

/// The largest part of k at once.
pub const BLOCK_DEPTH: usize = 512;
/// Columns whose sums are kept between two parts of k.
pub const BLOCK_COLUMNS: usize = 512;

/// Rows are split evenly into as few blocks as there must be. Returns the number of blocks and the rows of each.
fn row_blocks(writer: &mut Writer, rows: Value, target: &Target) -> (Value, Value) {
    let (most, step, one) = (writer.int(target.block as i64), writer.int(target.rows as i64), writer.int(1));
    let count = writer.ceil_divide(rows, most);
    let divisor = writer.maximum(count, one);
    let share = writer.ceil_divide(rows, divisor);
    let tiles = writer.ceil_divide(share, step);
    (count, writer.multiply(tiles, step))
}

fn panel_count(writer: &mut Writer, columns: Value, target: &Target) -> Value {
    let panel = writer.int(target.panel as i64);
    writer.ceil_divide(columns, panel)
}

/// The number of blocks of a product.
pub fn blocks(
    writer: &mut Writer,
    form: &Gemm,
    target: &Target,
    amount: &dyn Fn(&mut Writer, Amount) -> Value,
) -> Value {
    let batches = product(writer, form.batch.iter().copied(), amount);
    let rows = amount(writer, form.m);
    let (rows, _) = row_blocks(writer, rows, target);
    let columns = amount(writer, form.n);
    let panels = panel_count(writer, columns, target);
    let count = writer.multiply(batches, rows);
    writer.multiply(count, panels)
}

/// Where the matrices of one batch start, in elements.
#[derive(Debug, Clone)]
struct Starts {
    a: Value,
    b: Value,
    extras: Vec<Value>,
    c: Value,
    asked: Value,
}

/// The multiply-adds of a chunk. With few rows of A the time goes into reading B, and a chunk has fewer.
pub fn chunk(writer: &mut Writer, form: &Gemm, amount: &dyn Fn(&mut Writer, Amount) -> Value) -> Value {
    let most = if packs_a(form) { PACKING_CHUNK } else { READING_CHUNK };
    let (most, reading) = (writer.int(most), writer.int(ROWS_PER_READING));
    let rows = amount(writer, form.m);
    let operations = writer.multiply(most, rows);
    let time = writer.add(rows, reading);
    writer.ceil_divide(operations, time)
}

/// How many blocks go together.
pub fn group(form: &Gemm) -> i64 {
    if beside::fits(form) { beside::PANELS as i64 } else { 1 }
}

/// Whether rows of A must be packed: their elements are not side by side.
fn packs_a(form: &Gemm) -> bool {
    form.a.columns != Amount::Constant(1)
}

/// Writes all micro-kernels of a target.
pub fn write_micro_kernels(writer: &mut Writer, target: &Target) {
    micro::write_all(writer, target);
    beside::write(writer, target);
}

/// The state while one product is written.
struct Product<'a> {
    writer: &'a mut Writer,
    kernel: &'a Kernel,
    form: &'a Gemm,
    target: &'a Target,
    body: Body,
    starts: Starts,
}

/// Writes the body of a product.
pub fn write(writer: &mut Writer, symbol: &str, kernel: &Kernel, form: &Gemm, target: &Target) {
    let body = Body::begin(writer, symbol, kernel);
    let zero = writer.int(0);
    let starts = Starts { a: zero, b: zero, extras: Vec::new(), c: zero, asked: zero };
    Product { writer, kernel, form, target, body, starts }.run();
    writer.end_function();
}
