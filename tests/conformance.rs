//! Walks the catalogue: every operation has an example, whose text round-trips, whose shapes are those that its value
//! has, whose recorded presence is kept, whose gradient is that of finite differences, and which passes do not change.

pub mod native;

use archc::graph::{Graph, Op, text};
use archc::interpret::{Data, Feed, run};
use archc::model::{Combine, Law};
use archc::ops::CATALOGUE;
use archc::passes::optimize;
use archc::tensor::{AxisId, BATCH, DType, Relation};
use std::collections::BTreeSet;
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

/// Every kind of an operation's parts that the examples hold between them.
fn kinds() -> BTreeSet<String> {
    let mut kinds = BTreeSet::new();
    for entry in CATALOGUE {
        let graph = example(entry.name);
        let mut regions = vec![&graph.root];
        while let Some(region) = regions.pop() {
            for id in region.ids() {
                let node = region.node(id);
                regions.extend(node.bodies());
                match &node.op {
                    Op::Reduce(combine, _) => drop(kinds.insert(format!("{combine:?}"))),
                    Op::Draw(law, _) => drop(kinds.insert(law_name(law).into())),
                    _ => {}
                }
                let relations = node.results.iter().flat_map(|typed| &typed.presence.relations);
                kinds.extend(relations.map(|relation| relation_name(relation).to_string()));
            }
        }
    }
    kinds
}

fn law_name(law: &Law) -> &'static str {
    match law {
        Law::Uniform => "uniform",
        Law::Normal => "normal",
        Law::Bernoulli => "bernoulli",
        Law::UniformIndex(_) => "an index",
        Law::Categorical(_) => "categorical",
    }
}

fn relation_name<V>(relation: &Relation<V>) -> &'static str {
    match relation {
        Relation::AtLeastZero(_) => "affine",
        Relation::Equal(..) => "an index is this",
        Relation::Below { .. } => "below a rank",
        Relation::Holds(_) => "a bool holds",
    }
}

#[test]
fn the_examples_hold_every_way_to_combine_to_draw_and_to_be_absent() {
    let kinds = kinds();
    let combines = [
        Combine::Sum,
        Combine::Product,
        Combine::Maximum,
        Combine::Minimum,
        Combine::Any,
        Combine::All,
        Combine::First,
    ];
    let laws = ["uniform", "normal", "bernoulli", "an index", "categorical"];
    let relations = ["affine", "an index is this", "below a rank", "a bool holds"];
    let wanted = combines.iter().map(|combine| format!("{combine:?}"));
    let wanted = wanted.chain(laws.iter().chain(&relations).map(|name| name.to_string()));
    let missing = wanted.filter(|name| !kinds.contains(name)).collect::<Vec<_>>();
    assert!(missing.is_empty(), "no example has {missing:?}");
}
