//! Streamed attention: blocks of queries against blocks of keys, with the micro-kernels of [`super::gemm`].
//!
//! Queries of batches that share keys (those along which K and V have a stride of 0) are rows of one problem, so that a
//! block of keys is packed once for all of them. Key blocks start at multiples of their length, and each sum is taken
//! in the order of keys: a row has the same result whatever rows stand beside it.
//! Order: [`rows`] says where rows are and what they see, [`blocks`] copies, [`products`] multiplies, without a copy in
//! [`upright`], [`scores`] turns products into scores, then [`forward`], where queries may list their keys first
//! ([`listed`]), and [`backward`].

mod backward;
mod blocks;
mod forward;
mod listed;
mod products;
mod rows;
mod scores;
mod upright;
mod values;
pub mod visible;

use super::body::Body;
use super::gemm::micro::{self, Call, Layout};
use super::kernels::product;
use super::memory::{Lanes, Place};
use super::text::{Kind, Value, Writer};
use crate::kernel::{Amount, Attend, AttendGradient, KEY_BLOCK, Kernel, Matrix};
use crate::target::Target;

/// Rows (queries) of a block: enough to be worth a packed block of keys.
const BLOCK_ROWS: usize = 96;
/// Work of a chunk: a block of keys is packed anew by each.
pub const CHUNK: i64 = 1 << 19;
/// Keys of a block.
const BLOCK_KEYS: usize = KEY_BLOCK as usize;

/// The turns of the forward body: one for each block of rows of each batch with keys of its own.
pub fn turns(writer: &mut Writer, form: &Attend, amount: &dyn Fn(&mut Writer, Amount) -> Value) -> Value {
    let outer = product(writer, form.batch_extents(false).into_iter(), amount);
    let shared = product(writer, form.batch_extents(true).into_iter(), amount);
    let queries = amount(writer, form.queries);
    let (outer, rows) = match form.listed {
        true => (writer.multiply(outer, queries), shared),
        false => (outer, writer.multiply(shared, queries)),
    };
    let size = writer.int(BLOCK_ROWS as i64);
    let blocks = writer.ceil_divide(rows, size);
    writer.multiply(outer, blocks)
}

/// The turns of the backward body: one for each batch with keys of its own.
pub fn gradient_turns(
    writer: &mut Writer,
    form: &AttendGradient,
    amount: &dyn Fn(&mut Writer, Amount) -> Value,
) -> Value {
    product(writer, form.forward.batch_extents(false).into_iter(), amount)
}

/// Writes the forward body.
pub fn write(writer: &mut Writer, symbol: &str, kernel: &Kernel, form: &Attend, target: &Target) {
    let mut attention = Attention::begin(writer, symbol, kernel, form, target);
    attention.forward();
    attention.writer.end_function();
}

/// Writes the backward body.
pub fn write_gradient(writer: &mut Writer, symbol: &str, kernel: &Kernel, form: &AttendGradient, target: &Target) {
    let mut attention = Attention::begin(writer, symbol, kernel, &form.forward, target);
    attention.backward(form);
    attention.writer.end_function();
}

/// The state while one body is written.
struct Attention<'a> {
    writer: &'a mut Writer,
    kernel: &'a Kernel,
    form: &'a Attend,
    target: &'a Target,
    body: Body,
    /// Rows of one batch with keys of its own: all queries of all batches that share them, or one query of each.
    rows: Value,
    /// The query of the turn, where it is one.
    only: Option<Value>,
    queries: Value,
    keys: Value,
    width: Value,
    value_width: Value,
    /// Row arrays, [`rows`].
    marks: Value,
    /// Rows that come next, while there are some.
    ahead: Vec<values::Ahead>,
    /// Where the turn counts what it visits, if it does.
    visits: Option<Place>,
}

impl<'a> Attention<'a> {
    fn begin(
        writer: &'a mut Writer,
        symbol: &str,
        kernel: &'a Kernel,
        form: &'a Attend,
        target: &'a Target,
    ) -> Attention<'a> {
        let body = Body::begin(writer, symbol, kernel);
        let extents = [form.queries, form.keys, form.width, form.value_width];
        let [queries, keys, width, value_width] = extents.map(|amount| body.amount(writer, amount));
        let mut rows = if form.listed { writer.int(1) } else { queries };
        for extent in form.batch_extents(true) {
            let extent = body.amount(writer, extent);
            rows = writer.multiply(rows, extent);
        }
        let size = writer.int((rows::SLOTS * BLOCK_ROWS + rows::further_slots(form) * BLOCK_ROWS) as i64);
        let marks = body.room(writer, size, Kind::I64);
        let (only, ahead) = (None, Vec::new());
        Attention {
            writer,
            kernel,
            form,
            target,
            body,
            rows,
            only,
            queries,
            keys,
            width,
            value_width,
            marks,
            ahead,
            visits: None,
        }
    }

    /// Panels of so many columns.
    fn panels(&mut self, columns: Value) -> Value {
        let width = self.writer.int(self.target.panel as i64);
        self.writer.ceil_divide(columns, width)
    }

    fn room(&mut self, factors: &[Value]) -> Value {
        let mut count = self.writer.int(1);
        for &factor in factors {
            count = self.writer.multiply(count, factor);
        }
        self.body.room(self.writer, count, Kind::F32)
    }

    /// The element `at` of scratch memory.
    fn at(&mut self, base: Value, at: Value) -> Value {
        self.writer.element_address(base, at, Kind::F32)
    }

    /// Base plus the product of two numbers, in elements.
    fn at_product(&mut self, base: Value, left: Value, right: Value) -> Value {
        let at = self.writer.multiply(left, right);
        self.at(base, at)
    }

    fn call(&mut self, layout: Layout, rows: Value, call: Call) {
        micro::call(self.writer, layout, self.target, rows, call);
    }

    /// From here on, pairs are counted for this turn.
    fn count_for(&mut self, turn: Value) {
        self.visits = self.form.visits.map(|_| Place::One(turn));
    }

    /// Counts rows × keys as visited.
    fn visit(&mut self, rows: Value, keys: Value) {
        let (Some(buffer), Some(place)) = (self.form.visits, self.visits) else { return };
        let (base, element) = (self.body.buffers[buffer], self.kernel.buffers[buffer].element);
        let before = self.writer.read(base, element, place, Lanes::default());
        let before = self.writer.convert(before, Kind::I64);
        let pairs = self.writer.multiply(rows, keys);
        let sum = self.writer.add(before, pairs);
        self.writer.write(base, element, place, sum, Lanes::default());
    }

    fn buffer(&self, matrix: &Matrix) -> Value {
        self.body.buffers[matrix.buffer]
    }
}
