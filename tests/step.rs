//! The decode step: the same numbers as the program for whole sequences, however the sequence is cut.

use crate::interpret::attention_feed;
use archc::derive::step;
use archc::graph::{Graph, text};
use archc::interpret::{Data, Feed, run};
use archc::tensor::{Array, AxisId};

fn attention() -> Graph {
    text::parse(include_str!("graph/attention.graph")).expect("parses")
}

fn axis(graph: &Graph, name: &str) -> AxisId {
    graph.axes.iter().find(|(_, axis)| axis.name == name).expect("is an axis").0
}

fn data(array: &Array) -> Data {
    Data::new(array.shape.extents.clone(), array.numbers.clone())
}

/// The logits after each piece, for rows that are fed piece by piece from states of zeros.
fn stepped(step: &Graph, rows: &[&[f64]], pieces: &[Vec<usize>], context: usize) -> Vec<Vec<f64>> {
    let mut feed: Feed = attention_feed(rows, rows[0].len());
    feed.sizes.insert("context".into(), context);
    for (name, value) in step.outputs.iter().zip(step.root.results.iter().flatten()) {
        if name.starts_with("state.") {
            let axes = step.root.typed(*value).ty.axes.iter().enumerate();
            let extent = |(place, axis): (usize, &AxisId)| match step.axes.fixed(*axis) {
                Some(size) => size as usize,
                None => [rows.len(), context][place.min(1)],
            };
            let shape = axes.map(extent).collect::<Vec<_>>();
            feed.inputs.insert(name.clone(), Data::new(shape.clone(), vec![0.0; shape.iter().product()]));
        }
    }
    let mut start = vec![0usize; rows.len()];
    let mut all = Vec::new();
    for piece in pieces {
        let widest = *piece.iter().max().expect("has rows");
        let mut ids = Vec::new();
        for (row, count) in piece.iter().enumerate() {
            let new = rows[row][start[row]..start[row] + count].iter().copied();
            ids.extend(new.chain(std::iter::repeat(0.0)).take(widest));
        }
        feed.inputs.insert("ids".into(), Data::new([rows.len(), widest], ids));
        feed.inputs
            .insert("start".into(), Data::new([rows.len()], start.iter().map(|at| *at as f64).collect::<Vec<_>>()));
        for (row, count) in piece.iter().enumerate() {
            start[row] += count;
        }
        feed.lengths.insert("chunk".into(), piece.clone());
        feed.lengths.insert("context".into(), start.clone());
        let outputs = run(step, &feed).expect("runs");
        for (name, array) in outputs.all.iter().filter(|(name, _)| name.starts_with("state.")) {
            feed.inputs.insert(name.clone(), data(array));
        }
        all.push(outputs.get("logits").expect("logits").numbers.clone());
    }
    all
}

#[test]
fn pieces_of_a_sequence_give_the_logits_of_the_whole() {
    let graph = attention();
    let step = step(&graph, axis(&graph, "t"), &["logits"]).expect("is incremental");
    step.verify().expect("is sound");
    let rows: [&[f64]; 2] = [&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 0.0], &[6.0, 5.0, 4.0, 3.0, 2.0, 1.0, 0.0]];
    let whole = run(&graph, &attention_feed(&rows, 7)).expect("runs");
    let whole = whole.get("logits").expect("logits");
    let pieces = [vec![3, 1], vec![1, 1], vec![2, 4], vec![1, 1]];
    let mut ends = [0, 0];
    for (piece, logits) in pieces.iter().zip(stepped(&step, &rows, &pieces, 9)) {
        for row in 0..2 {
            ends[row] += piece[row];
            let expected = &whole.numbers[(row * 7 + ends[row] - 1) * 7..][..7];
            let got = &logits[row * 7..][..7];
            let error = expected.iter().zip(got).map(|(left, right)| (left - right).abs()).fold(0.0, f64::max);
            assert!(error < 1e-12, "row {row} after {} positions: {error}", ends[row]);
        }
    }
}

/// The types of what a step keeps.
fn kept(graph: &Graph) -> Vec<String> {
    let step = step(graph, axis(graph, "t"), &["logits"]).expect("is incremental");
    let states = step.outputs.iter().zip(step.root.results.iter().flatten()).skip(1);
    let name = |axis: &AxisId| step.axes[*axis].name.clone();
    states.map(|(_, value)| step.root.typed(*value).ty.axes.iter().map(name).collect::<Vec<_>>().join(" ")).collect()
}

#[test]
fn keys_and_values_are_kept_where_their_input_is_wider() {
    let source = include_str!("graph/attention.graph").replace("axis d 4", "axis d 32");
    let graph = text::parse(&source).expect("parses");
    assert_eq!(kept(&graph), ["batch i context h k", "batch i context h k"]);
    let step = step(&graph, axis(&graph, "t"), &["logits"]).expect("is incremental");
    insta::assert_snapshot!(text::print(&step));
}

#[test]
fn their_input_is_kept_where_it_is_narrower_than_both() {
    assert_eq!(kept(&attention()), ["batch i context d"]);
    // With a hundred heads, sums over d for each of them would take longer than reading keys and values does.
    let source =
        include_str!("graph/attention.graph").replace("axis h 2", "axis h 100").replace("axis d 4", "axis d 200");
    assert_eq!(kept(&text::parse(&source).expect("parses")), ["batch i context h k", "batch i context h k"]);
}

#[test]
fn what_is_turned_by_its_position_is_kept_after_the_turn() {
    let sizes = [("axis h 2", "axis h 4"), ("axis k 2", "axis k 4"), ("axis d 4", "axis d 16")];
    let source = include_str!("graph/attention.graph").to_string();
    let plain = sizes.iter().fold(source, |source, (from, to)| source.replace(from, to));
    assert_eq!(kept(&text::parse(&plain).expect("parses")), ["batch i context d"]);
    // A turn stands in the way of folding: keys would take a projection for each position at each step.
    let turned = plain.replace("= index %6 [t: s]", "= index %18 [t: s]").replace(
        "    %7 = contract [d] %0, %3",
        "    %18 = map multiply(%6, to_real(coordinate t)) : real[batch, t, h, k]\n    %7 = contract [d] %0, %3",
    );
    assert_ne!(plain, turned);
    assert_eq!(kept(&text::parse(&turned).expect("parses")), ["batch i context h k", "batch i context h k"]);
}

#[test]
fn attention_to_later_positions_is_refused_with_its_place() {
    let source = include_str!("graph/attention.graph").replace(" where t - s >= 0", "");
    let graph = text::parse(&source).expect("parses");
    let refusal = step(&graph, axis(&graph, "t"), &["logits"]).expect_err("looks ahead");
    assert!(refusal.reason.contains("reads later ones"), "{refusal:?}");
}

#[test]
fn a_shift_back_becomes_a_state_and_a_shift_ahead_is_refused() {
    let program = |shift: &str, relation: &str| {
        format!(
            "graph \"shift\"\naxis t sequence\n  %0 = input \"ids\" : int[batch, t]\n  %1 = length t : int[batch]\n  \
             %2 = index %0 [t: t {shift}] : int[batch, t] where {relation}\n  %3 = map int 0 : int\n  \
             %4 = else %2, %3 : int[batch, t]\n  give %4\noutputs \"y\"\n"
        )
    };
    let back = text::parse(&program("- 1", "t - 1 >= 0")).expect("parses");
    let derived = step(&back, axis(&back, "t"), &["y"]).expect("is incremental");
    assert_eq!(derived.outputs.len(), 2, "{}", text::print(&derived));
    let ahead = text::parse(&program("+ 1", "%1 - t - 2 >= 0")).expect("parses");
    assert!(step(&ahead, axis(&ahead, "t"), &["y"]).is_err());
}
