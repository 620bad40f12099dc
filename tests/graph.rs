//! The graph: text form, verifier, edges.

use archc::graph::{Graph, text};

const ATTENTION: &str = include_str!("graph/attention.graph");

fn attention() -> Graph {
    text::parse(ATTENTION).expect("the fixture parses")
}

#[test]
fn a_printed_graph_parses_to_the_same_text() {
    assert_eq!(text::print(&attention()), ATTENTION);
}

#[test]
fn the_verifier_accepts_what_is_well_typed() {
    attention().verify().expect("well typed");
}

#[test]
fn the_verifier_names_the_node_whose_type_is_wrong() {
    let wrong = ATTENTION.replace("contract [d] %7, %1 : real[batch, t, v]", "contract [d] %7, %1 : real[batch, t, d]");
    let bug = text::parse(&wrong).expect("parses").verify().expect_err("ill typed");
    assert!(bug.guarantee.contains("at `logits`"), "{bug}");
}

#[test]
fn the_verifier_wants_presence_over_own_axes() {
    let wrong = ATTENTION.replace("%18 = map real 1.0 : real[batch, t]", "%18 = map real 1.0 : real[t]");
    text::parse(&wrong).expect("parses").verify().expect_err("presence reads the batch, the value has none");
}

#[test]
fn edges_follow_places_and_presence() {
    let graph = attention();
    let order = graph.root.order();
    let length = order.iter().find(|&&id| graph.root.node(id).path.is_empty() && graph.root.users(id).len() > 3);
    assert!(length.is_some(), "the length is read by presence alone");
}
