//! Walks the catalogue: every operation has an example, whose text round-trips, whose shapes are those that its value
//! has, whose recorded presence is kept, whose gradient is that of finite differences, and which passes do not change.

use archc::graph::{Graph, Op, text};
use archc::interpret::{Data, Feed, run};
use archc::ops::CATALOGUE;
use archc::passes::optimize;
use archc::tensor::{AxisId, BATCH, DType};
use std::path::Path;
use std::rc::Rc;

use super::gradient::assert_gradients;
use super::interpret::numbers;

fn example(name: &str) -> Graph {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/conformance").join(format!("{name}.graph"));
    let source = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("`{name}` has no example"));
    let graph = text::parse(&source).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, text::print(&graph)).expect("the example is written");
    } else {
        assert_eq!(text::print(&graph), source, "{name} prints as it is written");
    }
    graph.verify().unwrap_or_else(|bug| panic!("{name}: {bug}"));
    graph
}

/// Two rows, of 4 and 3 positions; ids are small.
pub fn feed_of(graph: &Graph) -> Feed {
    let mut feed = Feed { check_presence: true, seed: 5, ..Feed::default() };
    let extent = |axis: &AxisId| match graph.axes.fixed(*axis) {
        Some(size) => size as usize,
        None if *axis == BATCH => 2,
        None => 4,
    };
    feed.sizes.extend([("batch".to_string(), 2), ("t".to_string(), 4)]);
    feed.lengths.insert("t".into(), vec![4, 3]);
    feed.settings.insert("temperature".into(), 0.7);
    for id in graph.root.ids() {
        let node = graph.root.node(id);
        let ty = &node.results[0].ty;
        let extents = ty.axes.iter().map(extent).collect::<Vec<_>>();
        let count = extents.iter().product::<usize>();
        let reals = numbers(count, id.index() as u64);
        match &node.op {
            Op::Input(name) if ty.dtype == DType::Int => {
                let ids = (0..count).map(|at| ((at * 7 + 3) % 5) as f64).collect::<Vec<_>>();
                feed.inputs.insert(name.clone(), Data::new(extents, ids));
            }
            Op::Input(name) => drop(feed.inputs.insert(name.clone(), Data::new(extents, reals))),
            Op::Parameter(path) => drop(feed.parameters.insert(path.clone(), Rc::new(Data::new(extents, reals)))),
            _ => {}
        }
    }
    feed
}

#[test]
fn every_operation_has_the_gradient_of_finite_differences() {
    for entry in CATALOGUE {
        let graph = example(entry.name);
        assert_gradients(&graph, &feed_of(&graph));
    }
}

#[test]
fn every_example_means_the_same_after_all_passes() {
    for entry in CATALOGUE {
        let graph = example(entry.name);
        let feed = feed_of(&graph);
        let derived = super::gradient::derived(&graph);
        let optimized = optimize(derived.clone()).unwrap_or_else(|bug| panic!("{}: {bug}", entry.name));
        let before = run(&derived, &feed).expect("runs");
        let after = run(&optimized, &feed).unwrap_or_else(|fault| panic!("{}: {fault}\n{}", entry.name, *optimized));
        for ((name, wanted), (_, found)) in before.all.iter().zip(&after.all) {
            let same = wanted.numbers.iter().zip(&found.numbers).all(|(left, right)| (left - right).abs() < 1e-12);
            assert!(same, "{} {name}: {found:?} against {wanted:?}\n{}", entry.name, *optimized);
        }
    }
}
