//! Chunkwise = loop: values, gradients and final states, for every class, length, chunk length and gate.

use super::model_of;
use crate::gradient::{assert_gradients, parameters};
use archc::derive;
use archc::graph::{Graph, Op, Typed, Value};
use archc::interpret::{Data, Feed, run};
use archc::model::Combine;
use archc::passes::scans::{Form, chunkwise};
use archc::tensor::{AxisId, BATCH, DType, Shape, TensorType};
use std::rc::Rc;

use crate::interpret::numbers;

/// One scan of each class, read in one way or several, forward and reverse.
const SCANS: [&str; 14] = [
    "S[h, k, m] : f32 = 0\nfor t { S += kk * vv\n yield y = sum[k](S * qq) }",
    "S[h, k, m] : f32 = 0\nfor t { yield y = sum[k](S * qq)\n S = exp(-softplus(fade)) * S + kk * vv }",
    "keep = 1 - 2 ^ (-5 - h)\nS[h, k, m] : f32 = 0; n[h] : f32 = 0\n\
     for t { S = keep * S + kk * vv;  n = keep * n + 1\n yield y = sum[k](S * qq) / sqrt(n) }",
    "S[h, k, m] : f32 = 0\nfor t reverse { S = sigmoid(fade) * S + (1 - sigmoid(fade)) * kk * vv\n yield y = sum[k](S * qq) }",
    "S[h, k, m] : f32 = 0\nfor t { S = exp(-softplus(gate)) * S + kk * vv\n yield y = sum[k](S * qq) }",
    "S[h, k, m] : f32 = 0\nfor t { S = exp(-softplus(e * wa)) * S + kk * vv\n yield y = sum[k](S * qq) }",
    "S[h, k, m] : f32 = 0\nfor t { S += sigmoid(beta) * kk * (vv - sum[k](S * kk))\n yield y = sum[k](S * qq) }",
    "S[h, k, m] : f32 = 0\n\
     for t { S = exp(-softplus(fade)) * S\n S += sigmoid(beta) * kk * (vv - sum[k](S * kk))\n yield y = sum[k](S * qq) }",
    "S[h, k, m] : f32 = 0\n\
     for t reverse { S = exp(-softplus(gate)) * S + gate * sum[k](S * kk) / 4 + kk * vv\n yield y = sum[k](S * qq) }",
    "S[h, k] : f32 = 0\nfor t { S = exp(-softplus(gate)) * S + kk\n yield r = S }\ny = sum[k](r * qq)",
    "S[h, k, m] : f32 = 0\nfor t { S = kk * vv + S * 0\n yield y = sum[k](S * qq) }",
    "S[h, k, m] : f32 = 1\nfor t { S = exp(-softplus(fade)) * S + kk * vv\n yield y = tanh(sum[k](S * qq)) + vv }",
    "S[h, k, m] : f32 = 0;  z[h, k] : f32 = 0;  peak[h] : f32 = -1e30\n\
     for t { n = max(peak - softplus(fade), beta);  keep = exp(peak - softplus(fade) - n)\n\
     S = keep * S + exp(beta - n) * kk * vv;  z = keep * z + exp(beta - n) * kk;  peak = n\n\
     yield y = sum[k](S * qq) / max(abs(sum[k](z * qq)), exp(-n)) }",
    "S[h, k, m] : f32 = 0;  u[h] : f32 = 0\n\
     for t reverse { u = tanh(u + beta);  S = sigmoid(u + fade) * S + kk * vv\n yield y = sum[k](S * qq) + u }",
];

const LENGTHS: [usize; 5] = [1, 2, 37, 63, 65];
const CHUNKS: [u32; 4] = [1, 7, 16, 64];

/// Inputs and parameters for rows of two lengths. `spread` says how wide the gates are.
fn feed(length: usize, spread: f64) -> Feed {
    let mut feed = Feed { check_presence: true, ..Feed::default() };
    let axes: [(&str, &[usize]); 7] = [
        ("q", &[2, 3]),
        ("key", &[2, 3]),
        ("val", &[2, 4]),
        ("a", &[2]),
        ("g", &[2, 3]),
        ("e", &[2, 3, 4]),
        ("beta", &[2]),
    ];
    for (seed, (name, own)) in axes.iter().enumerate() {
        let extents = [&[2, length], *own].concat();
        let scale = if ["a", "g", "e"].contains(name) { spread } else { 1.0 };
        let values = numbers(extents.iter().product(), seed as u64).into_iter().map(|number| scale * number);
        feed.inputs.insert((*name).into(), Data::new(extents, values.collect::<Vec<_>>()));
    }
    let shapes: [(&str, &[usize]); 5] =
        [("wq", &[2, 3]), ("wk", &[2, 3]), ("wv", &[2, 4]), ("wa", &[2]), ("wg", &[2, 3])];
    for (seed, (path, extents)) in shapes.iter().enumerate() {
        let values = numbers(extents.iter().product(), 20 + seed as u64).into_iter().map(|number| 1.0 + number);
        feed.parameters.insert((*path).into(), Rc::new(Data::new(*extents, values.collect::<Vec<_>>())));
    }
    feed.lengths.insert("t".into(), vec![length, length.div_ceil(2)]);
    feed
}

/// The graph of a scan with a loss: all that it yields, weighted by position.
fn with_loss(scan: &str) -> Graph {
    let model = model_of(scan);
    let mut graph = derive::build(&model, &model.forward, "forward");
    let out = graph.root.results[0].expect("an output");
    let ty = graph.root.typed(out).ty.clone();
    let square = archc::tensor::Scalar::function(archc::tensor::Function::Multiply);
    let square = graph.root.add_one(Op::Map(square), [out, out], Typed::always(ty.clone()), "");
    let axes: Vec<AxisId> = ty.axes;
    let scalar = Typed::always(TensorType::scalar(DType::REAL));
    let dtype = graph.root.typed(square).ty.dtype;
    let scalar = Typed { ty: TensorType { dtype, ..scalar.ty }, ..scalar };
    let loss: Value = graph.root.add_one(Op::Reduce(Combine::Sum, axes), [square], scalar, "");
    graph.root.results.push(Some(loss));
    graph.outputs.push("loss".into());
    graph
}

pub fn in_chunks(graph: &Graph, size: u32) -> Graph {
    let made = chunkwise(graph.clone(), Form::Chunkwise(Some(size)));
    let made = made.unwrap_or_else(|bug| panic!("{bug}\n{}", bug.detail));
    assert!(made.axes.iter().any(|(_, axis)| axis.name == "piece"), "it runs over chunks");
    made
}

/// All outputs of two graphs are equal, up to rounding in double precision, at every position that exists.
pub fn assert_same(name: &str, left: &Graph, right: &Graph, feed: &Feed) {
    let along = left.axes.iter().find(|(_, axis)| axis.name == "t").map(|(axis, _)| axis).expect("a sequence");
    let [left, right] =
        [left, right].map(|graph| run(graph, feed).unwrap_or_else(|fault| panic!("{name}: {fault}\n{graph}")));
    for (output, expected) in &left.all {
        let found = right.get(output).expect("the same outputs");
        assert_eq!(found.shape, expected.shape, "{name}: {output}");
        for (at, (number, wanted)) in found.numbers.iter().zip(&expected.numbers).enumerate() {
            if exists(&expected.shape, at, along, &feed.lengths["t"]) {
                assert!(found.is_present(at) && expected.is_present(at), "{name}: {output}[{at}] is there");
                let allowed = 1e-9 * (1.0 + wanted.abs());
                assert!((number - wanted).abs() <= allowed, "{name}: {output}[{at}]: {number}, not {wanted}");
            }
        }
    }
}

/// Whether an element of a shape lies inside its row.
fn exists(shape: &Shape, at: usize, along: AxisId, lengths: &[usize]) -> bool {
    let coordinate = |axis: AxisId| {
        let place = shape.place(axis)?;
        Some(at / shape.stride(axis) % shape.extents[place])
    };
    match (coordinate(BATCH), coordinate(along)) {
        (Some(row), Some(position)) => position < lengths[row],
        _ => true,
    }
}

fn derived(graph: &Graph) -> Graph {
    derive::gradient(graph, "loss", &parameters(graph)).unwrap_or_else(|bug| panic!("{bug}\n{}", bug.detail))
}

#[test]
fn chunks_of_any_length_give_what_the_loop_gives_for_rows_of_any_length() {
    for (number, scan) in SCANS.iter().enumerate() {
        let graph = with_loss(scan);
        for size in CHUNKS {
            let chunked = if number == 10 { shifted(&graph, size) } else { in_chunks(&graph, size) };
            for length in LENGTHS {
                assert_same(&format!("scan {number}, {length} in {size}"), &graph, &chunked, &feed(length, 1.0));
            }
        }
    }
}

/// A scan whose state is given anew at each turn needs no loop at all.
pub fn shifted(graph: &Graph, size: u32) -> Graph {
    chunkwise(graph.clone(), Form::Chunkwise(Some(size))).unwrap_or_else(|bug| panic!("{bug}\n{}", bug.detail))
}

#[test]
fn gradients_of_chunks_are_those_of_the_loop() {
    for (number, scan) in SCANS.iter().enumerate() {
        let graph = with_loss(scan);
        let wanted = derived(&graph);
        for (size, length) in [(1, 2), (7, 37), (16, 37)] {
            let found = derived(&shifted(&graph, size));
            assert_same(&format!("scan {number}, {length} in {size}"), &wanted, &found, &feed(length, 1.0));
        }
    }
}

#[test]
fn gradients_of_chunks_are_finite_differences() {
    for scan in [SCANS[2], SCANS[4], SCANS[7], SCANS[8]] {
        assert_gradients(&in_chunks(&with_loss(scan), 4), &feed(6, 1.0));
    }
}

#[test]
fn gates_near_nothing_and_near_one_neither_overflow_nor_lose_what_is_small() {
    for scan in [SCANS[1], SCANS[3], SCANS[4], SCANS[7]] {
        let sequential = derived(&with_loss(scan));
        // 7 and 12 are no powers of two: halves reach past the end of a chunk.
        for length in [7, 12, 16] {
            let chunked = derived(&in_chunks(&with_loss(scan), length));
            for spread in [1e-9, 60.0, 3000.0] {
                let title = format!("gates up to {spread}, chunks of {length}");
                assert_same(&title, &sequential, &chunked, &feed(37, spread));
            }
        }
    }
}
