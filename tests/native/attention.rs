//! Streamed attention and its gradient, against sums over all pairs in double precision.

use super::compiled::{Compiled, Runs, program, targets};
use archc::kernel::*;
use archc::link::Block;
use archc::plan::Program;
use archc::tensor::{DType, Function, Scalar, ScalarStep};
use archc_runtime::abi::{Element, Size};

/// What is part of the code.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// Keys after the query do not count.
    pub causal: bool,
    /// Keys this far back do not count.
    pub window: Option<i64>,
    /// A bool for each pair, and a bias for each key.
    pub masked: bool,
    /// The bool alone, and keys are listed before they are read.
    pub listed: bool,
}

/// rows, key heads, heads of a key head, queries, keys, width, value width.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    pub rows: usize,
    pub heads: usize,
    pub group: usize,
    pub queries: usize,
    pub keys: usize,
    pub width: usize,
    pub values: usize,
}

impl From<[usize; 7]> for Shape {
    fn from([rows, heads, group, queries, keys, width, values]: [usize; 7]) -> Shape {
        Shape { rows, heads, group, queries, keys, width, values }
    }
}

const OFFSET: i64 = 3;

fn n(place: usize) -> Amount {
    Amount::Size(place)
}

fn matrix(buffer: usize, rows: Amount, columns: Amount, batch: [Amount; 3]) -> Matrix {
    Matrix { buffer, rows, columns, batch: batch.to_vec() }
}

/// Sizes 0..7 are the shape; then strides: 7 row, 8 key head, 9 group of Q; 10, 11 of K; 12, 13 of V; 14..17 of O;
/// 17..20 of L. Rows of Q hold all heads side by side as models have them: 20 is the stride of queries, 21 of keys, 22
/// of values, 23 of results. 24 is the batch stride of the mask.
pub fn forward(case: Case) -> Attend {
    let (one, zero) = (Amount::Constant(1), Amount::Constant(0));
    let mut extras = Vec::new();
    let mut score = Scalar::identity();
    let mut present = None;
    let half = score.push(ScalarStep::Number(0.5, DType::REAL));
    score.push(ScalarStep::Call(Function::Multiply, vec![0, half]));
    if case.listed {
        extras.push(matrix(5, n(4), one, [n(24), zero, zero]));
        let mut holds = Scalar::default();
        holds.push(ScalarStep::Operand(1));
        present = Some(holds);
    } else if case.masked {
        extras.push(matrix(4, zero, one, [n(4), zero, zero]));
        extras.push(matrix(5, n(4), one, [n(24), zero, zero]));
        let scaled = score.steps.len() - 1;
        let bias = score.push(ScalarStep::Operand(1));
        score.push(ScalarStep::Call(Function::Add, vec![scaled, bias]));
        let mut holds = Scalar::default();
        holds.push(ScalarStep::Operand(2));
        present = Some(holds);
    }
    let to = Edge { slope: 1, offset: zero, constant: 1 + OFFSET, table: None };
    let length = Edge { slope: 0, offset: zero, constant: 0, table: Some(matrix(6, zero, zero, [one, zero, zero])) };
    let from = case.window.map(|window| Edge { slope: 1, offset: zero, constant: 1 + OFFSET - window, table: None });
    let to = if case.causal { vec![to, length] } else { vec![length] };
    Attend {
        batch: vec![n(0), n(1), n(2)],
        queries: n(3),
        keys: n(4),
        width: n(5),
        value_width: n(6),
        query: matrix(0, n(20), one, [n(7), n(8), n(9)]),
        key: matrix(1, n(21), one, [n(10), n(11), zero]),
        further: Vec::new(),
        value: matrix(2, n(22), one, [n(12), n(13), zero]),
        ring: None,
        extras,
        score,
        visible: Visible { from: from.into_iter().collect(), to, present, queries: None },
        listed: case.listed,
        piece: None,
        output: matrix(3, n(23), one, [n(14), n(15), n(16)]),
        logsum: Some(matrix(7, one, zero, [n(17), n(18), n(19)])),
        visits: None,
    }
}

pub fn gradient(case: Case) -> AttendGradient {
    let forward = Attend { listed: false, ..forward(case) };
    let on = |buffer: usize, matrix: &Matrix| Matrix { buffer, ..matrix.clone() };
    let mut slope = Scalar::default();
    slope.push(ScalarStep::Number(0.5, DType::REAL));
    AttendGradient {
        output_gradient: on(8, &forward.output),
        query_gradient: on(9, &forward.query),
        key_gradient: on(10, &forward.key),
        value_gradient: on(11, &forward.value),
        slope,
        forward,
    }
}

pub fn kernel(form: Form) -> Kernel {
    let gradient = matches!(form, Form::AttendGradient(_));
    let buffer = |place| KernelBuffer {
        element: match place {
            5 => Element::Bool,
            6 => Element::I32,
            _ => Element::F32,
        },
        written: if gradient { place > 8 } else { place == 3 || place == 7 },
    };
    let count = if gradient { 12 } else { 8 };
    Kernel { name: "attend".to_string(), buffers: (0..count).map(buffer).collect(), sizes: 25, form }
}

fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|place| ((place * 29 + seed * 13 + 7) % 31) as f32 / 10.0 - 1.5).collect()
}

impl Shape {
    pub fn sizes(&self) -> Vec<i64> {
        let Shape { rows, heads, group, queries, keys, width, values } = *self;
        let (line, key_line, value_line, out_line) =
            (heads * group * width, heads * width, heads * values, heads * group * values);
        let shape = [rows, heads, group, queries, keys, width, values];
        let q = [queries * line, group * width, width];
        let kv = [keys * key_line, width, keys * value_line, values];
        let o = [queries * out_line, group * values, values];
        let l = [heads * group * queries, group * queries, queries];
        let lines = [line, key_line, value_line, out_line, queries * keys];
        let all = shape.iter().chain(&q).chain(&kv).chain(&o).chain(&l).chain(&lines);
        all.map(|&size| size as i64).collect()
    }
}

/// All data of one problem; gradients of O as if the loss were `sum of g · O`.
struct Data {
    q: Vec<f32>,
    k: Vec<f32>,
    v: Vec<f32>,
    g: Vec<f32>,
    bias: Vec<f32>,
    mask: Vec<u8>,
    lengths: Vec<i32>,
}

#[derive(Default)]
struct Results {
    o: Vec<f64>,
    l: Vec<f64>,
    dq: Vec<f64>,
    dk: Vec<f64>,
    dv: Vec<f64>,
}

fn reference(case: Case, shape: &Shape, data: &Data) -> Results {
    let Shape { rows, heads, group, queries, keys, width, values } = *shape;
    let mut results = Results {
        o: vec![0.0; data.g.len()],
        l: vec![0.0; rows * heads * group * queries],
        dq: vec![0.0; data.q.len()],
        dk: vec![0.0; data.k.len()],
        dv: vec![0.0; data.v.len()],
    };
    for (row, head, turn, query) in itertools(rows, heads, group, queries) {
        let lead = head * group + turn;
        let q_at = (row * queries + query) * heads * group * width + lead * width;
        let o_at = (row * queries + query) * heads * group * values + lead * values;
        let l_at = (row * heads * group + lead) * queries + query;
        let seen = (0..keys).filter(|&key| {
            let (i, j) = (query as i64, key as i64);
            (!case.causal || j <= i + OFFSET)
                && case.window.is_none_or(|window| j > i + OFFSET - window)
                && j < i64::from(data.lengths[row])
                && (!(case.masked || case.listed) || data.mask[(row * queries + query) * keys + key] == 1)
        });
        let seen = seen.collect::<Vec<_>>();
        let k_at = |key: usize| (row * keys + key) * heads * width + head * width;
        let v_at = |key: usize| (row * keys + key) * heads * values + head * values;
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
        let score = |&key: &usize| {
            let product = dot(&data.q[q_at..q_at + width], &data.k[k_at(key)..k_at(key) + width]) * 0.5;
            product + if case.masked { f64::from(data.bias[row * keys + key]) } else { 0.0 }
        };
        let scores = seen.iter().map(score).collect::<Vec<_>>();
        let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum = scores.iter().map(|score| (score - highest).exp()).sum::<f64>();
        if seen.is_empty() {
            continue;
        }
        results.l[l_at] = highest + sum.ln();
        let weights = scores.iter().map(|score| (score - highest).exp() / sum).collect::<Vec<_>>();
        for (&key, weight) in seen.iter().zip(&weights) {
            for column in 0..values {
                results.o[o_at + column] += weight * f64::from(data.v[v_at(key) + column]);
                results.dv[v_at(key) + column] += weight * f64::from(data.g[o_at + column]);
            }
        }
        let inner = (0..values).map(|column| f64::from(data.g[o_at + column]) * results.o[o_at + column]).sum::<f64>();
        for (&key, weight) in seen.iter().zip(&weights) {
            let up = dot(&data.g[o_at..o_at + values], &data.v[v_at(key)..v_at(key) + values]);
            let slope = weight * (up - inner) * 0.5;
            for column in 0..width {
                results.dq[q_at + column] += slope * f64::from(data.k[k_at(key) + column]);
                results.dk[k_at(key) + column] += slope * f64::from(data.q[q_at + column]);
            }
        }
    }
    results
}

fn itertools(a: usize, b: usize, c: usize, d: usize) -> impl Iterator<Item = (usize, usize, usize, usize)> {
    (0..a * b * c * d).map(move |place| (place / (b * c * d), place / (c * d) % b, place / d % c, place % d))
}

fn near(name: &str, values: &[f32], truth: &[f64], case: &str) {
    let scale = truth.iter().map(|value| value.abs()).fold(0.1, f64::max);
    for (place, (&value, &truth)) in values.iter().zip(truth).enumerate() {
        assert!((f64::from(value) - truth).abs() <= 2e-5 * scale, "{name}[{place}] is {value}, not {truth}: {case}");
    }
}

fn check(case: Case, shape: &Shape, compiled: &[impl Runs; 2], what: &str) {
    let Shape { rows, heads, group, queries, keys, width, values: columns } = *shape;
    let data = Data {
        q: values(rows * queries * heads * group * width, 1),
        k: values(rows * keys * heads * width, 2),
        v: values(rows * keys * heads * columns, 3),
        g: values(rows * queries * heads * group * columns, 4),
        bias: values(rows * keys, 5),
        mask: (0..rows * queries * keys).map(|place| u8::from(place % 5 != 2)).collect(),
        lengths: (0..rows).map(|row| (keys - row.min(keys)) as i32).collect(),
    };
    let truth = reference(case, shape, &data);
    let sizes = shape.sizes();
    let (mut q, mut k, mut v) = (Block::of_f32(&data.q), Block::of_f32(&data.k), Block::of_f32(&data.v));
    let (mut bias, mut g) = (Block::of_f32(&data.bias), Block::of_f32(&data.g));
    let mut mask = Block::zeroed(data.mask.len());
    mask.bytes_mut().copy_from_slice(&data.mask);
    let mut lengths = Block::zeroed(rows * 4);
    for (bytes, length) in lengths.bytes_mut().chunks_exact_mut(4).zip(&data.lengths) {
        bytes.copy_from_slice(&length.to_ne_bytes());
    }
    let (mut o, mut l) = (Block::zeroed(data.g.len() * 4), Block::zeroed(truth.l.len() * 4));
    compiled[0].run(&mut [&mut q, &mut k, &mut v, &mut o, &mut bias, &mut mask, &mut lengths, &mut l], &sizes);
    near("o", &o.to_f32(), &truth.o, what);
    near("l", &l.to_f32(), &truth.l, what);
    let filled = |count: usize| Block::of_f32(&vec![7.0; count]);
    let (mut dq, mut dk, mut dv) = (filled(data.q.len()), filled(data.k.len()), filled(data.v.len()));
    let blocks = &mut [
        &mut q,
        &mut k,
        &mut v,
        &mut o,
        &mut bias,
        &mut mask,
        &mut lengths,
        &mut l,
        &mut g,
        &mut dq,
        &mut dk,
        &mut dv,
    ];
    compiled[1].run(blocks, &sizes);
    near("dv", &dv.to_f32(), &truth.dv, what);
    near("dq", &dq.to_f32(), &truth.dq, what);
    near("dk", &dk.to_f32(), &truth.dk, what);
}

const CASES: [Case; 5] = [
    Case { causal: true, window: None, masked: false, listed: false },
    Case { causal: true, window: Some(9), masked: false, listed: false },
    Case { causal: false, window: None, masked: true, listed: false },
    Case { causal: true, window: None, masked: false, listed: true },
    Case { causal: false, window: Some(50), masked: false, listed: true },
];

/// The programs of a forward pass and of its gradient.
fn both(forward: Attend, gradient: AttendGradient) -> [Program; 2] {
    let one = |form, count| program(kernel(form), &vec![Size::Constant(0); count], 1 << 40);
    [one(Form::Attend(Box::new(forward)), 8), one(Form::AttendGradient(Box::new(gradient)), 12)]
}

/// The kernels of all cases on problems of these shapes, by what runs the program of a kernel.
pub fn check_all<R: Runs>(shapes: &[Shape], what: &str, compile: impl Fn(&Program) -> R) {
    for case in CASES {
        let compiled = both(forward(case), gradient(case)).map(|program| compile(&program));
        for shape in shapes {
            check(case, shape, &compiled, &format!("{case:?} {shape:?} {what}"));
        }
    }
}

/// The same with widths that are known while compiling.
pub fn check_known<R: Runs>(shapes: &[Shape], what: &str, compile: impl Fn(&Program) -> R) {
    for (case, shape) in CASES.iter().flat_map(|case| shapes.iter().map(move |shape| (*case, shape))) {
        let [width, value_width] = [shape.width, shape.values].map(|width| Amount::Constant(width as i64));
        let known = |form: Attend| Attend { width, value_width, ..form };
        let gradient = gradient(case);
        let gradient = AttendGradient { forward: known(gradient.forward.clone()), ..gradient };
        let compiled = both(known(forward(case)), gradient).map(|program| compile(&program));
        check(case, shape, &compiled, &format!("{case:?} {shape:?} {what}"));
    }
}

/// What the queries of a shape with one row find, for one head's keys.
fn found(shape: &Shape, (q, k, v): (&[f32], &[f32], &[f32]), compiled: &Compiled) -> Vec<f32> {
    let rows = shape.queries * shape.group;
    let (mut q, mut k, mut v) = (Block::of_f32(q), Block::of_f32(k), Block::of_f32(v));
    let (mut bias, mut mask) = (Block::zeroed(shape.keys * 4), Block::zeroed(shape.queries * shape.keys));
    let mut lengths = Block::zeroed(4);
    lengths.bytes_mut().copy_from_slice(&(shape.keys as i32).to_ne_bytes());
    let (mut o, mut l) = (Block::zeroed(rows * shape.values * 4), Block::zeroed(rows * 4));
    compiled.run(&mut [&mut q, &mut k, &mut v, &mut o, &mut bias, &mut mask, &mut lengths, &mut l], &shape.sizes());
    o.to_f32()
}

#[test]
fn heads_that_fill_panels_find_to_the_bit_what_each_finds_alone() {
    for (group, width) in [(16, 70), (64, 130)] {
        check_alone(&Shape { rows: 1, heads: 1, group, queries: 1, keys: 150, width, values: 32 });
    }
}

fn check_alone(all: &Shape) {
    let one = Shape { group: 1, ..*all };
    let (q, k) = (values(all.group * all.width, 1), values(all.keys * all.width, 2));
    let v = values(all.keys * all.values, 3);
    let case = Case { causal: false, window: None, masked: false, listed: false };
    let kernel = kernel(Form::Attend(Box::new(forward(case))));
    for target in targets() {
        let compiled = Compiled::new(&program(kernel.clone(), &vec![Size::Constant(0); 8], 1 << 40), &target);
        let together = found(all, (&q, &k, &v), &compiled);
        let alone = q.chunks(all.width).flat_map(|q| found(&one, (q, &k, &v), &compiled)).collect::<Vec<_>>();
        assert!(together == alone, "{:?}", target.level);
    }
}

#[test]
fn streamed_attention_and_its_gradient_are_right_for_odd_heads_windows_lengths_and_masks() {
    let shapes = [
        [2, 3, 2, 37, 40, 6, 6],
        [1, 1, 1, 1, 70, 64, 64],
        [1, 2, 3, 130, 133, 20, 17],
        [3, 1, 1, 5, 5, 1, 3],
        // Rows that fill panels, and fewer than half a key's elements: keys are read where they lie.
        [1, 1, 16, 1, 200, 37, 32],
        [2, 1, 4, 4, 131, 32, 48],
        [1, 2, 24, 1, 65, 49, 16],
        [1, 1, 20, 2, 140, 97, 32],
        // So many turns that room which each of them took for itself would not be there.
        [1, 1, 1, 300, 300, 64, 64],
    ]
    .map(Shape::from);
    for target in targets() {
        check_all(&shapes, &format!("{:?}", target.level), |program| Compiled::new(program, &target));
    }
}
