//! Gradients against finite differences.

use archc::derive;
use archc::graph::{Graph, Op, text};
use archc::interpret::{Data, Feed, Outputs, run};
use std::rc::Rc;

use super::interpret::attention_feed;

/// The paths of all parameters of a graph that hold reals.
pub fn parameters(graph: &Graph) -> Vec<String> {
    let nodes = graph.root.ids().into_iter().map(|id| graph.root.node(id));
    let reals = nodes.filter(|node| node.results[0].ty.dtype.is_real());
    let paths = reals.filter_map(|node| if let Op::Parameter(path) = &node.op { Some(path.clone()) } else { None });
    paths.collect()
}

fn loss_of(outputs: &Outputs) -> f64 {
    outputs.get("loss").expect("a loss").numbers[0]
}

/// Compares every element of every gradient with a central difference.
pub fn assert_gradients(graph: &Graph, feed: &Feed) {
    let paths = parameters(graph);
    let derived = derive::gradient(graph, "loss", &paths).expect("derives");
    derived.verify().unwrap_or_else(|bug| panic!("{bug}\n{}\n{derived}", bug.detail));
    let outputs = run(&derived, feed).unwrap_or_else(|fault| panic!("{fault}\n{derived}"));
    for path in &paths {
        let gradient = outputs.get(&format!("{}{path}", derive::GRADIENT)).expect("a gradient");
        let data = feed.parameters[path].as_ref().clone();
        assert!(gradient.present.is_none(), "gradient of {path} is present everywhere");
        for (at, found) in gradient.numbers.iter().enumerate() {
            let moved = |step: f64| {
                let mut numbers = data.numbers.clone();
                numbers[at] += step;
                let mut feed = feed.clone();
                feed.parameters.insert(path.clone(), Rc::new(Data::new(data.extents.clone(), numbers)));
                loss_of(&run(graph, &feed).expect("runs"))
            };
            let step = 1e-5;
            let wanted = (moved(step) - moved(-step)) / (2.0 * step);
            let tolerance = 1e-7 + 1e-6 * wanted.abs();
            assert!((found - wanted).abs() < tolerance, "{path}[{at}]: {found} against {wanted}\n{derived}");
        }
    }
}

#[test]
fn attention_in_a_rolled_loop_over_rows_of_unlike_length() {
    let graph = text::parse(include_str!("graph/attention.graph")).expect("parses");
    assert_gradients(&graph, &attention_feed(&[&[4.0, 5.0, 6.0, 0.0, 1.0], &[1.0, 2.0, 3.0]], 5));
}

/// The graph with all its gradients.
pub fn derived(graph: &Graph) -> Graph {
    derive::gradient(graph, "loss", &parameters(graph)).expect("derives")
}
