//! What moves parameters on a GPU: the entries of [`Update`], the same for every model.
//!
//! A thread has four numbers side by side, in accesses of 16 bytes; the last few of an array are done one by one, by the
//! same operations. Each number goes through the operations of the runtime's own optimizer in their order, each rounded
//! by itself, so that a training gives what it gives on a CPU.

use super::Team;
use crate::gpu::WARP;
use crate::mlir::arithmetic::Order;
use crate::mlir::text::{Kind, Type, Value, Writer};
use crate::model::Combine;
use archc_runtime::abi::Update;

/// The numbers of one thread.
const WIDE: Type = Type { kind: Kind::F32, lanes: Update::WIDE };

/// Writes one of the entries.
pub fn write(writer: &mut Writer, update: Update) {
    let frame = Frame::begin(writer, update);
    match update {
        Update::Add => frame.each(writer, 1, |writer, values, _| {
            let sum = writer.add(values[0], values[1]);
            vec![sum]
        }),
        Update::Squares => squares(writer, &frame),
        Update::Total => total(writer, &frame),
        Update::Adam => frame.each(writer, 4, adam),
        Update::Sgd => frame.each(writer, 1, sgd),
        Update::Momentum => frame.each(writer, 3, momentum),
    }
    writer.end_function();
}

/// What every entry begins with.
struct Frame {
    update: Update,
    buffers: Vec<Value>,
    /// How many numbers there are.
    count: Value,
    /// What else it is given.
    floats: Vec<Value>,
    thread: Value,
    block: Value,
}

impl Frame {
    fn begin(writer: &mut Writer, update: Update) -> Frame {
        let (pointer, int) = (Type::scalar(Kind::Pointer), Type::scalar(Kind::I64));
        let buffers = (0..update.buffers()).map(|_| pointer);
        let parameters = buffers.chain((0..=update.floats()).map(|_| int)).collect::<Vec<_>>();
        let attributes = format!("attributes {{nvvm.kernel, nvvm.maxntid = array<i32: {}>}} ", Update::THREADS);
        let parameters = writer.begin_function("", update.symbol(), &parameters, &attributes);
        let (thread, block) = (writer.thread(Update::THREADS), writer.block());
        let (buffers, sizes) = parameters.split_at(update.buffers());
        let floats = sizes[1..].iter().map(|&bits| {
            let bits = writer.cast("arith.trunci", bits, Kind::I32);
            writer.cast("arith.bitcast", bits, Kind::F32)
        });
        let floats = floats.collect();
        Frame { update, buffers: buffers.to_vec(), count: sizes[0], floats, thread, block }
    }

    /// Does the same with every number: from what stands in the buffers at its place, and the floats, come the new
    /// contents of the first buffers, of which `all` but the gradient's are written.
    fn each(&self, writer: &mut Writer, all: usize, one: impl Fn(&mut Writer, &[Value], &[Value]) -> Vec<Value>) {
        let (block, wide) = (writer.int(Update::THREADS as i64), writer.int(Update::WIDE as i64));
        let before = writer.multiply(self.block, block);
        let number = writer.add(before, self.thread);
        let first = writer.multiply(number, wide);
        let past = writer.add(first, wide);
        let whole = writer.compare(Order::LessEqual, past, self.count);
        let open = writer.begin_if(whole, &[]);
        self.at(writer, first, WIDE, all, &one);
        writer.begin_else(&[]);
        let step = writer.int(1);
        let (turns, place, _) = writer.begin_for(first, self.count, step, &[]);
        self.at(writer, place, Type::scalar(Kind::F32), all, &one);
        writer.end(turns, &[]);
        writer.end(open, &[]);
    }

    /// The same for the numbers at one place.
    fn at(
        &self,
        writer: &mut Writer,
        place: Value,
        ty: Type,
        all: usize,
        one: &impl Fn(&mut Writer, &[Value], &[Value]) -> Vec<Value>,
    ) {
        let address = |writer: &mut Writer, &buffer: &Value| writer.element_address(buffer, place, Kind::F32);
        let addresses = self.buffers.iter().map(|buffer| address(writer, buffer)).collect::<Vec<_>>();
        let values = addresses.iter().map(|&address| writer.load_aligned(address, ty)).collect::<Vec<_>>();
        let results = one(writer, &values, &self.floats);
        let written = addresses.iter().enumerate().take(all).filter(|(place, _)| *place != 1);
        for ((_, &address), result) in written.zip(results) {
            writer.store_aligned(address, result);
        }
    }

    /// The block as a team.
    fn team(&self, writer: &mut Writer) -> Team {
        let scratch = format!("{}_scratch", self.update.symbol());
        let warps = Update::THREADS / WARP;
        writer.beside(&format!(
            "llvm.mlir.global internal @{scratch}() {{addr_space = 3 : i32, alignment = 16 : i64}} : \
             !llvm.array<{warps} x {}>",
            Kind::F64
        ));
        let scratch = writer.shared_address(&scratch);
        Team { threads: Update::THREADS, member: self.thread, scratch: Some(scratch) }
    }

    /// Adds up a number of each thread, and writes the sum at a place of the second buffer.
    fn write_sum(&self, writer: &mut Writer, sum: Value, place: Value) {
        let sum = self.team(writer).combine(writer, Combine::Sum, sum);
        let zero = writer.int(0);
        let first = writer.compare(Order::Equal, self.thread, zero);
        let open = writer.begin_if(first, &[]);
        let address = writer.element_address(self.buffers[1], place, Kind::F64);
        writer.store(address, sum);
        writer.end(open, &[]);
    }
}

/// The runtime's `AdamStep`, number by number.
fn adam(writer: &mut Writer, values: &[Value], floats: &[Value]) -> Vec<Value> {
    let [keep, toward, beta2, square, root, epsilon, step, scale] = *floats else { return Vec::new() };
    let [value, gradient, first, second] = *values else { return Vec::new() };
    let gradient = writer.multiply(gradient, scale);
    let value = writer.multiply(value, keep);
    let way = writer.subtract(gradient, first);
    let way = writer.multiply(toward, way);
    let first = writer.add(first, way);
    let kept = writer.multiply(second, beta2);
    let new = writer.multiply(square, gradient);
    let new = writer.multiply(new, gradient);
    let second = writer.add(kept, new);
    let divisor = writer.unary("math.sqrt", second);
    let divisor = writer.binary("arith.divf", divisor, root);
    let divisor = writer.add(divisor, epsilon);
    let moved = writer.multiply(step, first);
    let moved = writer.binary("arith.divf", moved, divisor);
    vec![writer.add(value, moved), first, second]
}

/// The runtime's `SgdStep` without momentum.
fn sgd(writer: &mut Writer, values: &[Value], floats: &[Value]) -> Vec<Value> {
    let [keep, step, scale] = *floats else { return Vec::new() };
    let gradient = writer.multiply(values[1], scale);
    vec![moved(writer, values[0], keep, gradient, step)]
}

/// The runtime's `SgdStep` with momentum, which starts at zero.
fn momentum(writer: &mut Writer, values: &[Value], floats: &[Value]) -> Vec<Value> {
    let [keep, step, scale, momentum] = *floats else { return Vec::new() };
    let gradient = writer.multiply(values[1], scale);
    let kept = writer.multiply(values[2], momentum);
    let kept = writer.add(kept, gradient);
    vec![moved(writer, values[0], keep, kept, step), kept]
}

fn moved(writer: &mut Writer, value: Value, keep: Value, direction: Value, step: Value) -> Value {
    let value = writer.multiply(value, keep);
    let way = writer.multiply(step, direction);
    writer.add(value, way)
}

/// The squares of a piece: each thread's in the order of their places, then all threads'.
fn squares(writer: &mut Writer, frame: &Frame) {
    let piece = writer.int(Update::PIECE as i64);
    let wide = writer.int(Update::WIDE as i64);
    let start = writer.multiply(frame.block, piece);
    let own = writer.multiply(frame.thread, wide);
    let own = writer.add(start, own);
    let end = writer.add(start, piece);
    let end = writer.minimum(end, frame.count);
    let stride = writer.int((Update::THREADS * Update::WIDE) as i64);
    let zero = writer.number(0.0, Type::scalar(Kind::F64));
    let (turns, place, carried) = writer.begin_for(own, end, stride, &[zero]);
    let past = writer.add(place, wide);
    let whole = writer.compare(Order::LessEqual, past, frame.count);
    let open = writer.begin_if(whole, &[zero.ty]);
    let address = writer.element_address(frame.buffers[0], place, Kind::F32);
    let numbers = writer.load_aligned(address, WIDE);
    let sum = (0..Update::WIDE).fold(carried[0], |sum, lane| {
        let number = writer.lane(numbers, lane);
        with_square(writer, sum, number)
    });
    writer.begin_else(&[sum]);
    let one = writer.int(1);
    let (last, place, inner) = writer.begin_for(place, end, one, &[carried[0]]);
    let address = writer.element_address(frame.buffers[0], place, Kind::F32);
    let number = writer.load(address, Type::scalar(Kind::F32));
    let sum = with_square(writer, inner[0], number);
    let sum = writer.end(last, &[sum])[0];
    let sum = writer.end(open, &[sum])[0];
    let sum = writer.end(turns, &[sum])[0];
    frame.write_sum(writer, sum, frame.block);
}

fn with_square(writer: &mut Writer, sum: Value, number: Value) -> Value {
    let number = writer.cast("arith.extf", number, Kind::F64);
    writer.multiply_add(number, number, sum)
}

/// The sum of numbers of 64 bits.
fn total(writer: &mut Writer, frame: &Frame) {
    let stride = writer.int(Update::THREADS as i64);
    let zero = writer.number(0.0, Type::scalar(Kind::F64));
    let (turns, place, carried) = writer.begin_for(frame.thread, frame.count, stride, &[zero]);
    let address = writer.element_address(frame.buffers[0], place, Kind::F64);
    let number = writer.load(address, zero.ty);
    let sum = writer.add(carried[0], number);
    let sum = writer.end(turns, &[sum])[0];
    let first = writer.int(0);
    frame.write_sum(writer, sum, first);
}
