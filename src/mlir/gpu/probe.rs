//! Products in registers and nothing else: the entry of [`Probe`].
//!
//! Factors are numbers of both signs between a half and one, different in each thread, as those of a model are: a machine
//! that multiplies zeros draws less power, and runs faster, than it does at work.

use crate::gpu::Precision;
use crate::mlir::text::{Kind, Type, Value, Writer};
use archc_runtime::abi::Probe;

/// Words of a fragment of each factor, of m16n8k16 and m16n8k8 alike.
const LEFT: usize = 4;
const RIGHT: usize = 2;
/// Numbers that a thread has of a fragment of sums.
const SUMS: usize = 4;

/// Writes the entry.
pub fn write(writer: &mut Writer, precision: Precision) {
    let (pointer, int) = (Type::scalar(Kind::Pointer), Type::scalar(Kind::I64));
    let attributes = format!("attributes {{nvvm.kernel, nvvm.maxntid = array<i32: {}>}} ", Probe::THREADS);
    let parameters = writer.begin_function("", Probe::SYMBOL, &[pointer, int], &attributes);
    let (thread, block) = (writer.thread(Probe::THREADS), writer.block());
    let own = if precision == Precision::F32 { 1 } else { SUMS };
    // Chains that began alike would be one.
    let float = Type::scalar(Kind::F32);
    let initial = (0..Probe::CHAINS * own).map(|place| writer.number(place as f64, float)).collect::<Vec<_>>();
    let (zero, one) = (writer.int(0), writer.int(1));
    let factors = (0..LEFT + RIGHT).map(|place| word(writer, precision, thread, place)).collect::<Vec<_>>();
    let (open, _, mut sums) = writer.begin_for(zero, parameters[1], one, &initial);
    for _ in 0..Probe::STEPS {
        for chain in sums.chunks_mut(own) {
            let next = step(writer, precision, &factors, chain);
            chain.copy_from_slice(&next);
        }
    }
    let sums = writer.end(open, &sums);
    let sum = sums[1..].iter().fold(sums[0], |sum, &next| writer.add(sum, next));
    let size = writer.int(Probe::THREADS as i64);
    let before = writer.multiply(block, size);
    let place = writer.add(before, thread);
    let address = writer.element_address(parameters[0], place, Kind::F32);
    writer.store(address, sum);
    writer.end_function();
}

/// One product of a chain.
fn step(writer: &mut Writer, precision: Precision, factors: &[Value], chain: &[Value]) -> Vec<Value> {
    let (left, right) = factors.split_at(LEFT);
    match precision {
        Precision::F32 => vec![writer.multiply_add(left[0], right[0], chain[0])],
        _ => writer.multiply_fragments(precision, left, right, chain),
    }
}

/// A factor: bits of the thread's own in the places of the sign and of the first digits.
fn word(writer: &mut Writer, precision: Precision, thread: Value, place: usize) -> Value {
    let (half, free) = match precision {
        Precision::Bf16 => (0x3f00_3f00, 0x807f_807f),
        _ => (0x3f00_0000, 0x807f_e000),
    };
    let (seed, spread) = (writer.int(place as i64 + 1), writer.int(0x9e37_79b1));
    let mixed = writer.add(thread, seed);
    let mixed = writer.multiply(mixed, spread);
    let mixed = writer.multiply(mixed, mixed);
    let free = writer.int(free);
    let bits = writer.both(mixed, free);
    let half = writer.int(half);
    let bits = writer.either(bits, half);
    let bits = writer.cast("arith.trunci", bits, Kind::I32);
    if precision == Precision::F32 { writer.cast("arith.bitcast", bits, Kind::F32) } else { bits }
}
