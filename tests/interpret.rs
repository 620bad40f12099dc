//! The interpreter: operations by their plain meaning.

use archc::graph::text;
use archc::interpret::{Data, Feed, run};
use std::rc::Rc;

/// Numbers that look random and are the same each time.
pub fn numbers(count: usize, seed: u64) -> Vec<f64> {
    let words = (0..count).map(|at| archc::tensor::random::philox([at as u32, 0, 0, 0], [seed as u32, 7]));
    words.map(|words| archc::tensor::random::unit(words[0]) - 0.5).collect()
}

fn parameter(extents: &[usize], seed: u64) -> Rc<Data> {
    Rc::new(Data::new(extents, numbers(extents.iter().product(), seed)))
}

/// What the attention fixture needs, for rows of these tokens.
pub fn attention_feed(rows: &[&[f64]], extent: usize) -> Feed {
    let mut feed = Feed { check_presence: true, ..Feed::default() };
    let mut ids = Vec::new();
    for row in rows {
        ids.extend(row.iter().copied().chain(std::iter::repeat(0.0)).take(extent));
    }
    feed.inputs.insert("ids".into(), Data::new([rows.len(), extent], ids));
    feed.lengths.insert("t".into(), rows.iter().map(|row| row.len()).collect());
    let shapes: [(&str, &[usize]); 5] = [
        ("table", &[7, 4]),
        ("layers.wq", &[2, 4, 2, 2]),
        ("layers.wk", &[2, 4, 2, 2]),
        ("layers.wv", &[2, 4, 2, 2]),
        ("layers.wo", &[2, 2, 2, 4]),
    ];
    for (seed, (path, extents)) in shapes.iter().enumerate() {
        feed.parameters.insert((*path).into(), parameter(extents, seed as u64));
    }
    feed
}

#[test]
fn a_row_is_the_same_alone_and_padded_beside_a_longer_one() {
    let graph = text::parse(include_str!("graph/attention.graph")).expect("parses");
    let alone = run(&graph, &attention_feed(&[&[1.0, 2.0, 3.0]], 3)).expect("runs");
    let beside = run(&graph, &attention_feed(&[&[4.0, 5.0, 6.0, 0.0, 1.0], &[1.0, 2.0, 3.0]], 5)).expect("runs");
    let (alone, beside) = (alone.get("logits").expect("output"), beside.get("logits").expect("output"));
    assert_eq!(alone.numbers[..], beside.numbers[5 * 7..5 * 7 + 3 * 7]);
}

#[test]
fn a_missing_parameter_is_named() {
    let graph = text::parse(include_str!("graph/attention.graph")).expect("parses");
    let mut feed = attention_feed(&[&[1.0, 2.0]], 2);
    feed.parameters.remove("layers.wk");
    let fault = run(&graph, &feed).expect_err("cannot run").to_string();
    assert!(fault.contains("`layers.wk` is missing"), "{fault}");
}
