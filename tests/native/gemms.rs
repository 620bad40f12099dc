//! Matrix products of every shape, against three loops.

use super::compiled::{Compiled, Runs, program, targets};
use archc::kernel::{Amount, Form, Gemm, Kernel, KernelBuffer, Matrix, Pack, Right};
use archc::link::Block;
use archc::plan::Program;
use archc::target::Target;
use archc::tensor::{DType, Function, Scalar, ScalarStep};
use archc_runtime::abi::{Element, Size};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::collections::HashMap;

/// What lies around every buffer.
const CANARY: f32 = 12345.0;
const MARGIN: usize = 70;

/// Which product: everything that is part of the code. Extents are given at run time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Kind {
    pub a_transposed: bool,
    pub right: usize,
    pub epilogue: usize,
    pub accumulate: bool,
}

const PACKED: usize = 2;

fn read(element: Element, written: bool) -> KernelBuffer {
    KernelBuffer { element, written }
}

fn matrix(buffer: usize, rows: Amount, columns: Amount, batch: Amount) -> Matrix {
    Matrix { buffer, rows, columns, batch: vec![batch] }
}

/// Sizes: batch, m, n, k, stride of rows of A, of B, of C, elements per batch of A, B, C, of the extra.
pub fn gemm(kind: Kind) -> Kernel {
    let s = Amount::Size;
    let one = Amount::Constant(1);
    let a = if kind.a_transposed { matrix(0, one, s(4), s(7)) } else { matrix(0, s(4), one, s(7)) };
    let b = match kind.right {
        0 => Right::Strided(matrix(1, s(5), one, s(8))),
        1 => Right::Strided(matrix(1, one, s(5), s(8))),
        _ => Right::Packed { buffer: 1, batch: vec![s(8)] },
    };
    let (extras, epilogue) = match kind.epilogue {
        0 => (vec![], Scalar::identity()),
        1 => (vec![matrix(2, Amount::Constant(0), one, Amount::Constant(0))], Scalar::function(Function::Add)),
        _ => (vec![matrix(2, s(6), one, s(9))], scaled()),
    };
    let form = Gemm {
        batch: vec![s(0)],
        m: s(1),
        n: s(2),
        k: s(3),
        a,
        b,
        extras,
        epilogue,
        c: matrix(3, s(6), one, s(9)),
        accumulate: kind.accumulate,
        asked: None,
    };
    let float = |written| read(Element::F32, written);
    let buffers = vec![float(false), float(false), float(false), float(true)];
    Kernel { name: "gemm".to_string(), buffers, sizes: 10, form: Form::Gemm(form) }
}

/// `tanh(sum · 0.125) · extra`.
fn scaled() -> Scalar {
    let mut scalar = Scalar::identity();
    let extra = scalar.push(ScalarStep::Operand(1));
    let eighth = scalar.push(ScalarStep::Number(0.125, DType::REAL));
    let product = scalar.push(ScalarStep::Call(Function::Multiply, vec![0, eighth]));
    let bent = scalar.push(ScalarStep::Call(Function::Tanh, vec![product]));
    scalar.push(ScalarStep::Call(Function::Multiply, vec![bent, extra]));
    scalar
}

fn pack() -> Kernel {
    let s = Amount::Size;
    let form = Pack {
        batch: vec![s(0)],
        k: s(3),
        n: s(2),
        source: matrix(0, s(5), Amount::Constant(1), s(8)),
        target: 1,
        target_batch: vec![s(9)],
    };
    let buffers = vec![read(Element::F32, false), read(Element::F32, true)];
    Kernel { name: "pack".to_string(), buffers, sizes: 10, form: Form::Pack(form) }
}

fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|place| ((place * 31 + seed * 17 + 5) % 23) as f32 / 8.0 - 1.375).collect()
}

/// A block with canaries behind its contents; offsets of arguments are 0, so the front is guarded by the length alone.
fn guarded(values: &[f32]) -> Block {
    let mut all = values.to_vec();
    all.extend([CANARY; MARGIN]);
    Block::of_f32(&all)
}

/// The extents of a product, and how much further than needed it is from row to row.
pub struct Shape {
    pub batch: usize,
    pub m: usize,
    pub n: usize,
    pub k: usize,
    pub slack: usize,
}

/// All kinds of products, by what compiles them.
pub struct Family<R, C> {
    compile: C,
    panel: usize,
    products: HashMap<Kind, R>,
    pack: R,
}

fn on(target: Target) -> Family<Compiled, impl Fn(&Program) -> Compiled> {
    let panel = target.panel;
    Family::new(panel, move |program| Compiled::new(program, &target))
}

impl<R: Runs, C: Fn(&Program) -> R> Family<R, C> {
    pub fn new(panel: usize, compile: C) -> Family<R, C> {
        let lengths = vec![Size::Constant(0); 2];
        let pack = compile(&program(pack(), &lengths, 1 << 40));
        Family { compile, panel, products: HashMap::new(), pack }
    }

    /// Products of m by n sums over k, each in several layouts.
    pub fn check_layouts(&mut self, sizes: &[(usize, usize, usize)]) {
        for (place, &(m, n, k)) in sizes.iter().enumerate() {
            for right in 0..=PACKED {
                let kind = Kind {
                    a_transposed: (place + right) % 2 == 1,
                    right,
                    epilogue: (place + right) % 3,
                    accumulate: place % 2 == 1,
                };
                self.check(kind, &Shape { batch: 1 + place % 2, m, n, k, slack: place % 3 });
            }
        }
    }

    /// One product.
    pub fn check(&mut self, kind: Kind, shape: &Shape) {
        let Shape { batch, m, n, k, slack } = *shape;
        let (a_rows, a_stride) = if kind.a_transposed { (k, m + slack) } else { (m, k + slack) };
        let (b_rows, b_stride) = if kind.right == 1 { (n, k + slack) } else { (k, n + slack) };
        let c_stride = n + slack;
        let (a_size, b_size, c_size) = (a_rows * a_stride, b_rows * b_stride, m * c_stride);
        let (a, b) = (values(batch * a_size, 1), values(batch * b_size, 2));
        let (extra, c) = (values((batch * c_size).max(n), 3), values(batch * c_size, 4));
        let mut sizes = [batch, m, n, k, a_stride, b_stride, c_stride, a_size, b_size, c_size].map(|size| size as i64);
        let mut right = guarded(&b);
        if kind.right == PACKED {
            let panel = self.panel;
            let size = n.div_ceil(panel) * panel * k;
            let mut packed = guarded(&vec![0.0; batch * size]);
            let mut pack_sizes = sizes;
            pack_sizes[9] = size as i64;
            self.pack.run(&mut [&mut right, &mut packed], &pack_sizes);
            assert!(packed.to_f32()[batch * size..].iter().all(|&value| value == CANARY), "packing wrote past its end");
            sizes[8] = size as i64;
            right = packed;
        }
        let (mut left, mut extras, mut result) = (guarded(&a), guarded(&extra), guarded(&c));
        let product = self
            .products
            .entry(kind)
            .or_insert_with(|| (self.compile)(&program(gemm(kind), &vec![Size::Constant(0); 4], 1 << 40)));
        product.run(&mut [&mut left, &mut right, &mut extras, &mut result], &sizes);
        let result = result.to_f32();
        let at = |matrix: &[f32], start: usize, row: usize, column: usize, stride: usize| {
            f64::from(matrix[start + row * stride + column])
        };
        for (place, &value) in result.iter().enumerate() {
            let column = place % c_stride.max(1);
            if place >= batch * c_size || column >= n {
                let before = if place >= batch * c_size { CANARY } else { c[place] };
                assert_eq!(value, before, "wrote outside at {place}: {kind:?} {m} x {n} x {k}");
                continue;
            }
            let (turn, row) = (place / c_size, place % c_size / c_stride);
            let sum = (0..k).map(|k| {
                let (a_row, a_column) = if kind.a_transposed { (k, row) } else { (row, k) };
                let (b_row, b_column) = if kind.right == 1 { (column, k) } else { (k, column) };
                at(&a, turn * a_size, a_row, a_column, a_stride) * at(&b, turn * b_size, b_row, b_column, b_stride)
            });
            let sum = sum.sum::<f64>();
            let mut truth = match kind.epilogue {
                0 => sum,
                1 => sum + f64::from(extra[column]),
                _ => (sum * 0.125).tanh() * f64::from(extra[place]),
            };
            if kind.accumulate {
                truth += f64::from(c[place]);
            }
            let error = (f64::from(value) - truth).abs();
            assert!(
                error <= 2e-6 * (k as f64 + 4.0),
                "{kind:?} {batch} of {m} x {n} x {k} at {place}: {value} for {truth}"
            );
        }
    }
}

fn kinds() -> impl Strategy<Value = Kind> {
    (any::<bool>(), 0..3_usize, 0..3_usize, any::<bool>())
        .prop_map(|(a_transposed, right, epilogue, accumulate)| Kind { a_transposed, right, epilogue, accumulate })
}

#[test]
fn products_of_every_shape_and_layout_are_right_and_write_nothing_else() {
    let shapes = (1..4_usize, 1..130_usize, 1..130_usize, 1..130_usize, 0..5_usize);
    for target in targets() {
        let mut family = on(target);
        let mut runner = TestRunner::deterministic();
        for _ in 0..150 {
            let drawn = (kinds(), shapes.clone()).new_tree(&mut runner).expect("no draw is refused").current();
            let (kind, (batch, m, n, k, slack)) = drawn;
            family.check(kind, &Shape { batch, m, n, k, slack });
        }
    }
}

#[test]
fn products_larger_than_a_block_and_empty_ones_are_right() {
    let plain = Kind { a_transposed: false, right: 0, epilogue: 2, accumulate: true };
    let crossed = Kind { a_transposed: true, right: PACKED, epilogue: 1, accumulate: false };
    for target in targets() {
        let mut family = on(target);
        for kind in [plain, crossed] {
            for (m, n, k) in [(201, 75, 1030), (7, 530, 1025), (1, 33, 2000), (97, 1, 513), (3, 5, 0)] {
                family.check(kind, &Shape { batch: 1, m, n, k, slack: 1 });
            }
        }
    }
}

#[test]
fn a_row_has_the_same_result_alone_and_among_others() {
    let kind = Kind { a_transposed: false, right: PACKED, epilogue: 0, accumulate: false };
    for target in targets() {
        let compiled = Compiled::new(&program(gemm(kind), &vec![Size::Constant(0); 4], 1 << 40), &target);
        let (m, n, k) = (13_usize, 70_usize, 1100_usize);
        let panel = target.panel;
        let (a, b) = (values(m * k, 5), values(n.div_ceil(panel) * panel * k, 6));
        let run = |rows: usize| {
            let (mut left, mut right) = (Block::of_f32(&a), Block::of_f32(&b));
            let (mut extras, mut result) = (Block::zeroed(4), Block::zeroed(rows * n * 4));
            let sizes = [1, rows, n, k, k, 0, n, 0, 0, 0].map(|size| size as i64);
            compiled.run(&mut [&mut left, &mut right, &mut extras, &mut result], &sizes);
            result.to_f32()
        };
        let all = run(m);
        for rows in [1, 2, 5, 6, 7] {
            assert_eq!(run(rows)[..], all[..rows * n], "{rows} rows on {:?}", target.level);
        }
    }
}

#[test]
fn tiles_of_rows_that_nobody_asks_for_are_left_alone() {
    let kind = Kind { a_transposed: false, right: PACKED, epilogue: 0, accumulate: false };
    for target in targets() {
        let mut kernel = gemm(kind);
        kernel.buffers.push(read(Element::Bool, false));
        let (one, none) = (Amount::Constant(1), Amount::Constant(0));
        let Form::Gemm(form) = &mut kernel.form else { panic!("it is a product") };
        form.asked = Some(Box::new(matrix(4, one, none, none)));
        let compiled = Compiled::new(&program(kernel, &vec![Size::Constant(0); 5], 1 << 40), &target);
        let (m, n, k) = (3 * target.rows, 40_usize, 30_usize);
        let (a, b) = (values(m * k, 5), values(n.div_ceil(target.panel) * target.panel * k, 6));
        let run = |is_asked: &dyn Fn(usize) -> bool| {
            let (mut left, mut right) = (Block::of_f32(&a), Block::of_f32(&b));
            let (mut extras, mut result) = (Block::zeroed(4), Block::of_f32(&vec![CANARY; m * n]));
            let mut asked = Block::zeroed(m);
            asked.bytes_mut().iter_mut().enumerate().for_each(|(row, byte)| *byte = u8::from(is_asked(row)));
            let sizes = [1, m, n, k, k, 0, n, 0, 0, 0].map(|size| size as i64);
            compiled.run(&mut [&mut left, &mut right, &mut extras, &mut result, &mut asked], &sizes);
            result.to_f32()
        };
        let (some, all) = (run(&|row| row == target.rows + 1), run(&|_| true));
        let tile = target.rows * n;
        assert_eq!(some[tile..2 * tile], all[tile..2 * tile], "{:?}", target.level);
        assert!(all.iter().all(|value| *value != CANARY), "{:?}", target.level);
        assert!(some[..tile].iter().chain(&some[2 * tile..]).all(|value| *value == CANARY), "{:?}", target.level);
    }
}
