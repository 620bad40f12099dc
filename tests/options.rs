//! Options of the library's attention and rotary positions, against their formulas written out.

use crate::program::models::checked;
use archc::derive::build;
use archc::interpret::{Data, Feed, run};
use std::rc::Rc;

const POSITIONS: usize = 7;
const WIDTH: usize = 8;
const HEADS: usize = 2;
const HEAD: usize = WIDTH / HEADS;

fn numbers(count: usize, seed: u64) -> Vec<f64> {
    crate::interpret::numbers(count, seed).iter().map(|number| 3.0 * number).collect()
}

/// The output of a model whose only layer is `a`, with the given parameters beside its projections.
fn computed(layer: &str, more: &[(&str, Vec<f64>)]) -> Vec<f64> {
    let text = format!("model M {{\n  dim t, d = 8\n  input x[t, d]\n  output y = a: {layer}\n}}\n");
    let model = checked(text);
    let graph = build(&model, &model.forward, "forward");
    let mut feed = Feed::default();
    feed.inputs.insert("x".into(), Data::new([1, POSITIONS, WIDTH], numbers(POSITIONS * WIDTH, 1)));
    for (parameter, seed) in model.parameters.iter().zip(2..) {
        let extents = parameter.axes.iter().map(|axis| model.axes.fixed(*axis).expect("fixed") as usize);
        let extents: Vec<usize> = extents.collect();
        let given = more.iter().find(|(name, _)| parameter.path.ends_with(name)).map(|(_, data)| data.clone());
        let data = given.unwrap_or_else(|| numbers(extents.iter().product(), seed));
        feed.parameters.insert(parameter.path.clone(), Rc::new(Data::new(extents, data)));
    }
    run(&graph, &feed).expect("runs").get("y").expect("is an output").numbers.to_vec()
}

/// Two heads with keys of their own, by the formula: `bend` makes a score of a head, a position, another, and a product.
fn expected(bend: impl Fn(usize, usize, usize, f64) -> f64, sink: Option<[f64; HEADS]>) -> Vec<f64> {
    let x = numbers(POSITIONS * WIDTH, 1);
    let [wq, wk, wv] = [2, 3, 4].map(|seed| numbers(WIDTH * WIDTH, seed));
    let wo = numbers(WIDTH * WIDTH, 5);
    let projected =
        |w: &[f64], t: usize, at: usize| (0..WIDTH).map(|d| x[t * WIDTH + d] * w[d * WIDTH + at]).sum::<f64>();
    let mut y = vec![0.0; POSITIONS * WIDTH];
    for (t, head) in (0..POSITIONS).flat_map(|t| (0..HEADS).map(move |head| (t, head))) {
        let dot = |s: usize| {
            let pairs = (0..HEAD).map(|k| projected(&wq, t, head * HEAD + k) * projected(&wk, s, head * HEAD + k));
            pairs.sum::<f64>() / (HEAD as f64).sqrt()
        };
        let weights: Vec<f64> = (0..=t).map(|s| bend(head, t, s, dot(s)).exp()).collect();
        let whole = weights.iter().sum::<f64>() + sink.map_or(0.0, |sink| sink[head].exp());
        for k in 0..HEAD {
            let mixed: f64 =
                weights.iter().enumerate().map(|(s, w)| w / whole * projected(&wv, s, head * HEAD + k)).sum();
            (0..WIDTH).for_each(|d| y[t * WIDTH + d] += mixed * wo[(head * HEAD + k) * WIDTH + d]);
        }
    }
    y
}

fn assert_close(actual: &[f64], expected: &[f64]) {
    assert_eq!(actual.len(), expected.len());
    for (actual, expected) in actual.iter().zip(expected) {
        assert!((actual - expected).abs() < 1e-9 * (1.0 + expected.abs()), "{actual}, and {expected} is expected");
    }
}

#[test]
fn scores_are_bent_below_a_cap() {
    let bent = computed("gqa(x, 2, 2, turn = false, cap = 2.0)", &[]);
    assert_close(&bent, &expected(|_, _, _, score| 2.0 * (score / 2.0).tanh(), None));
}

#[test]
fn scores_fall_with_the_distance_by_a_slope_of_each_head() {
    let sloped = computed("gqa(x, 2, 2, turn = false, alibi = true)", &[]);
    let slope = |head: usize| 2.0_f64.powf(-8.0 * (head + 1) as f64 / HEADS as f64);
    assert_close(&sloped, &expected(|head, t, s, score| score - slope(head) * (t - s) as f64, None));
}

#[test]
fn a_sink_takes_its_share_of_every_row() {
    let sunk = computed("gqa(x, 2, 2, turn = false, sink = true)", &[("nobody", vec![0.7, -1.3])]);
    assert_close(&sunk, &expected(|_, _, _, score| score, Some([0.7, -1.3])));
}

/// Turns of `[1, 0]` pairs: the cosines and sines at one position are those of the frequencies, times `swell`.
fn turned(options: &str, swell: f64, frequencies: &[f64]) {
    let text = format!("model M {{\n  dim t, k = 16\n  input x[t, k]\n  output y = rope(x, {options})\n}}\n");
    let model = checked(text);
    let graph = build(&model, &model.forward, "forward");
    let mut feed = Feed::default();
    let row = (0..16).map(|k| f64::from(k < 8)).collect::<Vec<_>>();
    feed.inputs.insert("x".into(), Data::new([1, 40, 16], row.repeat(40)));
    let y = run(&graph, &feed).expect("runs").get("y").expect("is an output").numbers.to_vec();
    for (position, pair) in (0..40).flat_map(|position| (0..8).map(move |pair| (position, pair))) {
        let angle = position as f64 * frequencies[pair];
        let (cosine, sine) = (y[position * 16 + pair] / swell, y[position * 16 + 8 + pair] / swell);
        assert!((cosine - angle.cos()).abs() < 1e-5 && (sine - angle.sin()).abs() < 1e-5, "{position}, pair {pair}");
    }
}

/// The frequencies, and what YaRN multiplies by, are those that transformers 5.23 computes for the same numbers.
#[test]
fn yarn_linear_and_llama_3_slow_the_waves_that_the_reference_slows() {
    turned(
        "scaling = yarn, factor = 4.0, low = 1.0, high = 32.0, original = 128",
        1.138_629_436_112,
        &[1.0, 0.237_170_82, 0.05, 0.007_905_695, 0.0025, 0.000_790_569_5, 0.000_25, 0.000_079_056_95],
    );
    turned(
        "scaling = linear, factor = 4.0",
        1.0,
        &[0.25, 0.079_056_94, 0.025, 0.007_905_695, 0.0025, 0.000_790_569_5, 0.000_25, 0.000_079_056_95],
    );
    turned(
        "scaling = llama3, factor = 8.0, low = 1.0, high = 4.0, original = 128",
        1.0,
        &[1.0, 0.316_227_76, 0.042_751_18, 0.003_952_847_3, 0.001_25, 0.000_395_284_73, 0.000_125, 0.000_039_528_473],
    );
}
