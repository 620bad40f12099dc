//! What lies in memory in a good order: factors of products, filters over merged axes and their gradients.

use super::build::check;
use super::models::{checked, forward, train};
use archc::graph::{Graph, Op, Region};
use archc::kernel::Form;
use archc::model::Model;
use archc::plan::{Interface, Program, schedule};
use archc::tensor::Term;

/// A model that mixes `x` by one line.
fn mixing(dims: &str, line: &str) -> Model {
    checked(format!(
        "use norms\nuse recurrences\nuse objectives\n\
         model Small {{\n  dim t, d = 6, v = 7, {dims}\n  input ids[t] : v\n  param table[v, d], head[v, d]\n  \
         x = table[v: ids]\n  {line}\n  output logits = sum[d](x * head)\n  train next_token(self, ids)\n}}\n"
    ))
}

fn gemms(program: &Program) -> usize {
    program.kernels.iter().filter(|kernel| matches!(kernel.form, Form::Gemm(_))).count()
}

/// The operations of a region and of all bodies in it.
fn all_ops<'g>(region: &'g Region, found: &mut Vec<&'g Op>) {
    for id in region.ids() {
        found.push(&region.node(id).op);
        region.node(id).bodies().iter().for_each(|body| all_ops(body, found));
    }
}

fn scatters(graph: &Graph) -> usize {
    let mut found = Vec::new();
    all_ops(&graph.root, &mut found);
    let along =
        |op: &&&Op| matches!(op, Op::Scatter(places) if places.iter().any(|(axis, _)| graph.axes.is_sequence(*axis)));
    found.iter().filter(along).count()
}

/// Whether something is read by quotients and remainders.
fn reads_parts(graph: &Graph) -> bool {
    let mut found = Vec::new();
    all_ops(&graph.root, &mut found);
    let is_part = |(term, _): &(Term<_>, i64)| matches!(term, Term::Quotient(..) | Term::Remainder(..));
    found.iter().any(|op| op.places().iter().any(|(_, place)| place.terms.iter().any(is_part)))
}

const NORMED: &str = "param w[d, h, k], o[h, k, d]\n  y = norm: rmsnorm[k](sum[d](x * w))\n  x += sum[h, k](y * o)";
const MERGED: &str = "param w[d, h, k], o[h, k, d]\n  y = mix: conv[c = (h k)](sum[d](x * w), 3, bias = false)\n  \
                      x += sum[h, k](y * y * o)";
const PLAIN: &str = "x += mix: conv[c = d](x, 3, bias = false)";

#[test]
fn a_product_of_what_was_normed_along_an_inner_axis_is_a_matrix_product() {
    for dims in ["h = 2, k = 4", "h = 1, k = 4", "h = 4, k = 1"] {
        let graph = forward(&mixing(dims, NORMED));
        let program = schedule(&graph, &Interface::default());
        assert_eq!(gemms(&program), 3, "{dims}\n{program}");
        check(&graph);
        check(&train(&mixing(dims, NORMED)));
    }
}

#[test]
fn axes_that_are_merged_for_a_filter_alone_stay_apart() {
    for dims in ["h = 2, k = 4", "h = 1, k = 5", "h = 3, k = 1"] {
        let graph = forward(&mixing(dims, MERGED));
        assert!(!reads_parts(&graph), "{}", archc::graph::text::print(&graph));
        check(&graph);
    }
}

#[test]
fn the_gradient_of_a_filter_is_a_filter() {
    for line in [PLAIN, MERGED] {
        let graph = train(&mixing("h = 2, k = 4", line));
        assert_eq!(scatters(&graph), 0, "{}", archc::graph::text::print(&graph));
        check(&graph);
    }
}
