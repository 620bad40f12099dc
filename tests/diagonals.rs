//! Noise as matrices of which the diagonal alone differs: no such matrix is made or multiplied, and all means the same.

use super::compiled::{graphs, model};
use archc::driver::{Session, compile};
use archc::graph::{Graph, Op, Region};
use archc::passes;
use archc::target::Target;
use archc::tensor::Axes;
use archc::verify::{Array, Batch, Engine, Interpreted, Native};
use std::collections::BTreeMap;

const LENGTH: usize = 3;

fn text(lines: &str) -> String {
    format!(
        "model Noise {{\n  dim t, n = 4, m like n, v = 6, w like v\n  input ids[t] : v, x[t]\n  p = softmax[v](x * sin(3 * v + 1))\n  \
         left = left_after(linear_noise[n](0.1, 0.6))\n{lines}}}\n"
    )
}

/// The outputs of a model, by both engines.
fn computed(lines: &str) -> [BTreeMap<String, Array>; 2] {
    let model = model(&text(lines));
    let graphs = graphs(&model);
    let ids = Array { shape: vec![1, LENGTH], data: vec![4.0, 0.0, 5.0] };
    let x = Array { shape: vec![1, LENGTH], data: vec![0.3, -1.2, 2.0] };
    let inputs = [("ids".to_string(), ids), ("x".to_string(), x)].into_iter();
    let lengths = [("t".to_string(), vec![LENGTH; 1])].into_iter().collect();
    let batch = Batch { rows: 1, lengths, inputs: inputs.collect() };
    let compiled = compile(&model, &graphs, &Target::native(), &mut Session::default());
    let compiled = compiled.unwrap_or_else(|failure| panic!("{failure:?}"));
    let mut native = Native::new(&model, &compiled, 1).unwrap_or_else(|failure| panic!("{failure:?}"));
    let by = |engine: &mut dyn Engine| engine.forward(&[], &batch).unwrap_or_else(|failure| panic!("{failure:?}"));
    [by(&mut Interpreted::new(&model, &graphs)), by(&mut native)]
}

/// How many values of the optimised forward pass, in loops too, have both axes of a matrix.
fn matrices(lines: &str) -> usize {
    let graphs = graphs(&model(&text(lines)));
    let Graph { axes, root, .. } =
        passes::optimize(graphs.forward).unwrap_or_else(|bug| panic!("{bug:?}")).into_inner();
    within(&axes, &root)
}

fn within(axes: &Axes, region: &Region) -> usize {
    let count = |id| {
        let node = region.node(id);
        let inner = match &node.op {
            Op::For(repeat) => repeat.bodies.iter().map(|body| within(axes, body)).sum(),
            _ => 0,
        };
        let is_matrix = |axes_of: &[_]| axes_of.iter().filter(|axis| axes.fixed(**axis) == Some(6)).count() > 1;
        inner + node.results.iter().filter(|typed| is_matrix(&typed.ty.axes)).count()
    };
    region.ids().into_iter().map(count).sum()
}

fn agree(lines: &str) {
    let [expected, found] = computed(lines);
    assert!(!expected.is_empty());
    for (name, wanted) in &expected {
        let near = |(left, right): (&f64, &f64)| (left - right).abs() < 1e-6;
        assert!(wanted.data.iter().zip(&found[name].data).all(near), "{name}: {wanted:?}, {:?}", found[name]);
    }
}

#[test]
fn a_sum_over_a_matrix_that_is_even_beside_its_diagonal_is_a_look_up_and_a_sum() {
    for matrix in [
        "absorbing_steps(0.3, |v| - 1)",
        "uniform_steps(0.3)",
        "uniform_steps(0.1 * x)",
        "((v == w) * x + 0.5 * w)",
        "(w == v)",
    ] {
        let lines = format!("  output y[t, w] = sum[v](p * {matrix})\n  output z[t, w] = sum[v]({matrix} * p)\n");
        agree(&lines);
        assert_eq!(matrices(&lines), 0, "{matrix}");
    }
}

#[test]
fn a_matrix_that_asks_for_more_than_its_diagonal_is_multiplied() {
    for matrix in ["(v <= w)", "(v * (v == w))", "(v == w - 1)", "((v == w) + (v == 2))"] {
        let lines = format!("  output y[t, w] = sum[v](p * {matrix})\n");
        agree(&lines);
        assert!(matrices(&lines) > 0, "{matrix}");
    }
}

#[test]
fn in_a_loop_such_a_matrix_is_not_handed_in() {
    let lines = "  q[t, v] = p\n  for n { q = sum[v](q * after_steps(n, uniform_steps(_), left))[w: v] }\n  \
                 output y[t, v] = q\n";
    agree(lines);
    assert_eq!(matrices(lines), 0);
}

#[test]
fn a_look_up_in_a_formula_is_the_formula_there_unless_it_is_dear() {
    let cheap =
        "  output y[t, w] = uniform_steps(0.2 * x)[v: ids]\n  output z[t, v] = absorbing_steps(0.2, 3)[w: ids]\n";
    agree(cheap);
    assert_eq!(matrices(cheap), 0);
    let dear = "  output y[t, w] = exp(-(v - w) * (v - w) / 3)[v: ids]\n";
    agree(dear);
    assert!(matrices(dear) > 0);
}

#[test]
fn many_steps_of_a_kind_are_one() {
    let beta = "linear_noise[n](0.1, 0.6)";
    let kinds = [
        ("uniform_steps(_)", format!("uniform_steps({beta})")),
        ("absorbing_steps(_, 2)", format!("absorbing_steps({beta}, 2)")),
    ];
    for (kind, steps) in kinds {
        let lines = format!(
            "  output closed[m, v, w] = after_steps(m + 1, {kind}, left)\n  output product[m, v, w] = all_steps({steps})[n: m]\n  \
             output one[m, v, w] = step_of_kind(m, {kind}, left)\n  output given[m, v, w] = {steps}[n: m]\n"
        );
        for outputs in computed(&lines) {
            for (left, right) in [("closed", "product"), ("one", "given")] {
                let pairs = outputs[left].data.iter().zip(&outputs[right].data);
                assert!(pairs.into_iter().all(|(left, right)| (left - right).abs() < 1e-6), "{kind}: {left}");
            }
        }
    }
}
