//! The library's recurrences by themselves: chunkwise = loop, for lengths that no chunk divides and numbers of any seed.

use super::forms::{assert_same, in_chunks, shifted};
use crate::interpret::numbers;
use archc::derive;
use archc::driver::{self, Request, Session};
use archc::graph::{Graph, Op};
use archc::interpret::{Data, Feed};
use archc::model::Model;
use archc::tensor::BATCH;
use std::path::PathBuf;
use std::rc::Rc;

/// Recurrences by themselves: files in `examples/ops`, and the cases of their names.
pub const OPERATORS: [&str; 11] = [
    "op_linear_attn",
    "op_retention",
    "op_simple_gla",
    "op_gla",
    "op_delta_rule",
    "op_gated_delta_rule",
    "op_kda",
    "op_rwkv6",
    "rwkv5_mix",
    "rwkv6_mix",
    "rwkv7_mix",
];

fn model_in(file: &str) -> Model {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("examples/ops/{file}.arch"));
    driver::check(&Request { file, ..Request::default() }, &mut Session::default()).expect("checks")
}

/// Two rows of unlike length. Logarithms of decays are not positive.
fn feed(graph: &Graph, length: usize, seed: u64) -> Feed {
    let mut feed = Feed { check_presence: true, ..Feed::default() };
    for (place, id) in graph.root.ids().into_iter().enumerate() {
        let node = graph.root.node(id);
        let extent = |axis| if axis == BATCH { 2 } else { graph.axes.fixed(axis).map_or(length, |size| size as usize) };
        let extents = node.results[0].ty.axes.iter().map(|axis| extent(*axis)).collect::<Vec<_>>();
        let values = numbers(extents.iter().product(), 100 * seed + place as u64);
        match &node.op {
            Op::Input(name) => {
                let fades = ["g", "gk", "w"].contains(&name.as_str());
                let values = values.into_iter().map(|number| if fades { -4.0 * number.abs() } else { number });
                feed.inputs.insert(name.clone(), Data::new(extents, values.collect::<Vec<_>>()));
            }
            Op::Parameter(path) => drop(feed.parameters.insert(path.clone(), Rc::new(Data::new(extents, values)))),
            _ => {}
        }
    }
    feed.lengths.insert("t".into(), vec![length, length.div_ceil(2)]);
    feed
}

#[test]
fn operators_of_the_library_give_in_chunks_what_they_give_turn_by_turn() {
    for file in OPERATORS {
        let model = model_in(file);
        let graph = derive::build(&model, &model.forward, "forward");
        for size in [16, 32] {
            let chunked = in_chunks(&graph, size);
            for (seed, length) in [1, 2, 37, 63, 65].into_iter().enumerate() {
                let feed = feed(&graph, length, seed as u64 + u64::from(size));
                assert_same(&format!("{file}, {length} in {size}"), &graph, &chunked, &feed);
            }
        }
    }
}

#[test]
fn a_chunk_of_one_position_is_a_turn() {
    for file in ["op_gated_delta_rule", "op_kda", "rwkv7_mix"] {
        let model = model_in(file);
        let graph = derive::build(&model, &model.forward, "forward");
        assert_same(file, &graph, &shifted(&graph, 1), &feed(&graph, 5, 3));
    }
}
