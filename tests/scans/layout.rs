//! In which order the axes of a carried value lie.

use archc::derive;
use archc::graph::{self, Op};

use crate::program::models::checked;

/// The axes of what the only recurrence of a model carries, and of what it yields.
fn axes_of(inputs: &str, scan: &str) -> Vec<String> {
    let model = checked(format!(
        "use activations\nmodel Scan {{\n  dim t, h = 3, r = 2, k = 4, m = 5\n  input {inputs}\n{scan}\n  output out = y\n}}\n"
    ));
    let graph = derive::build(&model, &model.forward, "forward");
    graph.verify().expect("well typed");
    let nodes = graph.root.ids().into_iter().map(|id| graph.root.node(id));
    let node = nodes.into_iter().find(|node| matches!(node.op, Op::For(_))).expect("a recurrence");
    let names = |typed: &graph::Typed| {
        let names = typed.ty.axes.iter().map(|axis| graph.axes[*axis].name.clone());
        names.collect::<Vec<_>>().join(" ")
    };
    node.results.iter().map(names).collect()
}

#[test]
fn an_axis_that_all_is_indexed_by_lies_outside_of_those_that_a_state_has_of_its_own() {
    let inputs = "q[t, h, k], key[t, h, k], val[t, h, m]";
    let outer = ["batch h k m", "batch t h m"];
    assert_eq!(axes_of(inputs, "S[k, m, h] : f32 = 0\nfor t { S += key * val\n yield y = sum[k](S * q) }"), outer);
    assert_eq!(axes_of(inputs, "S[h, k, m] : f32 = 0\nfor t { S += key * val\n yield y = sum[k](S * q) }"), outer);
    let grouped = "q[t, h, k], key[t, h, k], val[t, h, r, m], beta[t, h, r]";
    let scan = "S[k, m, h, r] : f32 = 0\nfor t { S += beta * key * (val - sum[k](S * key))\n yield y = sum[k](S * q) }";
    assert_eq!(axes_of(grouped, scan), ["batch h r k m", "batch t h r m"]);
}

#[test]
fn what_has_no_axis_outside_keeps_the_order_of_the_program() {
    let inputs = "b[t, k], c[t, k], u[t, m], dt[t, m]";
    let scan = "S[k, m] : f32 = 0\nfor t { S = exp(-softplus(dt)) * S + u * b\n yield y = sum[k](S * c) }";
    assert_eq!(axes_of(inputs, scan), ["batch m k", "batch t m"]);
    let mixed = "S[k] : f32 = 0\nfor t { S = tanh(b + sum[k](S * c))\n yield y = S }";
    assert_eq!(axes_of(inputs, mixed), ["batch k", "batch t k"]);
}
