//! Fragments of matrices in the registers of a warp, and their product
//! (PTX ISA, "Matrix multiply-accumulate operation using mma instruction": figures of the fragments).
//!
//! One rule covers all shapes of 16 rows: a register holds `32 / bits` neighbours in k; four lanes share a
//! row; registers alternate between the upper and the lower eight rows, then go on in k.

use crate::arithmetic::format::{Exact, Format};
use crate::instruction::{Place, Source};
use crate::opcode::Rounding;
use crate::syntax::Register;
use crate::types::{Kind, Type, extend, truncate};

#[derive(Debug)]
pub(crate) struct LoadMatrix {
    pub from: Place,
    pub to: Box<[Register]>,
    pub transposed: bool,
}

#[derive(Debug)]
pub(crate) struct StoreMatrix {
    pub to: Place,
    pub from: Box<[Source]>,
    pub transposed: bool,
}

/// `d = a · b + c` of a warp.
#[derive(Debug)]
pub(crate) struct Multiply {
    pub rows: usize,
    pub depth: usize,
    pub a: Type,
    pub b: Type,
    pub sum: Type,
    /// Integer sums stop at the limits.
    pub finite: bool,
    pub to: Box<[Register]>,
    pub left: Box<[Source]>,
    pub right: Box<[Source]>,
    pub addend: Box<[Source]>,
}

/// Columns of the product of a warp.
pub(crate) const COLUMNS: usize = 8;

/// The number that a packed element stands for.
pub(crate) fn number(of: Type, bits: u64) -> f64 {
    let bits = truncate(bits, of.bits);
    match (of.kind, of.bits) {
        (Kind::Float, 64) => f64::from_bits(bits),
        (Kind::Float, 32) => f32::from_bits(bits as u32).into(),
        // The machine reads the upper 19 bits.
        (Kind::Tensor, _) => f32::from_bits(bits as u32 & !0x1fff).into(),
        (Kind::Brain, _) => f32::from_bits((bits as u32) << 16).into(),
        (Kind::Float, _) => half::f16::from_bits(bits as u16).into(),
        (Kind::Signed, _) => extend(bits, of.bits) as f64,
        (Kind::Unsigned, _) => bits as f64,
        _ => eight_bit(of, bits),
    }
}

fn eight_bit(of: Type, bits: u64) -> f64 {
    match Format::of(of).map(|format| format.decode(bits)) {
        Some(Exact::Number { negative, magnitude, exponent }) => {
            let size = magnitude as f64 * f64::from(exponent).exp2();
            if negative { -size } else { size }
        }
        Some(Exact::Infinite { negative }) => f64::INFINITY * if negative { -1.0 } else { 1.0 },
        _ => f64::NAN,
    }
}

/// The bits of a sum in its type.
pub(crate) fn bits(of: Type, value: f64, finite: bool) -> u64 {
    match (of.kind, of.bits) {
        (Kind::Float, 64) => value.to_bits(),
        (Kind::Float, 32) => u64::from((value as f32).to_bits()),
        (Kind::Float, _) => half::f16::from_f64(value).to_bits().into(),
        (Kind::Signed, _) if finite => truncate((value as i64).clamp(i32::MIN.into(), i32::MAX.into()) as u64, 32),
        (Kind::Signed, _) => truncate(value as i64 as u64, 32),
        _ => Format::of(of).map_or(0, |format| {
            let exact = Format::of(Type::new(Kind::Float, 64)).map(|wide| wide.decode(value.to_bits()));
            format.encode(exact.unwrap_or(Exact::NotANumber), Rounding::NearestEven, finite)
        }),
    }
}

/// Row and first column in k of register `at` of a lane, for the left factor.
pub(crate) fn left_place(of: Type, at: usize, lane: usize) -> (usize, usize) {
    let packed = packed(of);
    (lane / 4 + 8 * (at % 2), (at / 2) * 4 * packed + (lane % 4) * packed)
}

/// Column and first place in k of register `at` of a lane, for the right factor.
pub(crate) fn right_place(of: Type, at: usize, lane: usize) -> (usize, usize) {
    let packed = packed(of);
    (lane / 4, at * 4 * packed + (lane % 4) * packed)
}

/// Elements in one register.
pub(crate) fn packed(of: Type) -> usize {
    (32 / of.bits).max(1) as usize
}

/// Row and column of element `at` of a lane's sums.
pub(crate) fn sum_place(at: usize, lane: usize) -> (usize, usize) {
    (lane / 4 + 8 * (at / 2), 2 * (lane % 4) + at % 2)
}

/// `rows × depth` numbers against `columns × depth` numbers: the dot products, row by row.
pub(crate) fn products(left: &[f64], right: &[f64], depth: usize) -> Vec<f64> {
    let dot = |row: &[f64], column: &[f64]| row.iter().zip(column).map(|(a, b)| a * b).sum::<f64>();
    let row = |row: &[f64]| right.chunks_exact(depth).map(|column| dot(row, column)).collect::<Vec<_>>();
    left.chunks_exact(depth).flat_map(row).collect()
}
