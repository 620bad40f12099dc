//! Where values lie: what chunks carry is renewed in its place, and weights lie along the lanes that read them.

use super::build::check;
use super::models::{checked, forward, train};
use archc::derive;
use archc::graph::Graph;
use archc::model::Model;
use archc::passes::scans::{Form, chunkwise};
use archc::passes::{optimize, prepare};
use archc::plan::{Interface, Program, schedule, schedule_all};

/// A model whose mixer is these lines.
fn mixing(lines: &str) -> Model {
    checked(format!(
        "use recurrences\nuse objectives\n\
         model Small {{\n  dim t, d = 6, v = 7, k = 5, m = 4\n  input ids[t] : v\n  param table[v, d], head[v, d]\n  \
         x = table[v: ids]\n  {lines}\n  output logits = sum[d](x * head)\n  train next_token(self, ids)\n}}\n"
    ))
}

/// A state that fades and is added to, read by two products.
const CARRIED: &str = "param wk[d, k], wv[d, m], wq[d, k], wg[d], o[m, d]\n  \
                       kk = sum[d](x * wk) / 4;  vv = sum[d](x * wv);  qq = sum[d](x * wq);  fade = -softplus(sum[d](x * wg))\n  \
                       S[k, m] : f32 = 0\n  for t { S = exp(fade) * S + kk * vv\n  yield y = sum[k](S * qq) }\n  x += sum[m](y * o)";
/// The same, of which what is stored is replaced in part.
const REPLACED: &str = "param wk[d, k], wv[d, m], wq[d, k], wb[d], o[m, d]\n  \
                        kk = sum[d](x * wk) / 4;  vv = sum[d](x * wv);  qq = sum[d](x * wq);  b = sigmoid(sum[d](x * wb))\n  \
                        S[k, m] : f32 = 0\n  for t { S += b * kk * (vv - sum[k](S * kk))\n  yield y = sum[k](S * qq) }\n  \
                        x += sum[m](y * o)";
const FILTERED: &str = "x += mix: conv[c = d](x, 3, bias = false)";

/// The loss and its gradients, with recurrences in chunks of four.
fn trained_in_chunks(model: &Model) -> Graph {
    let loss = model.train.as_ref().map(|train| derive::build(model, train, "train")).expect("it has a loss");
    let loss = chunkwise(loss, Form::Chunkwise(Some(4))).and_then(prepare).expect("a graph in chunks");
    let paths = model.parameters.iter().map(|parameter| parameter.path.clone()).collect::<Vec<_>>();
    let graph = derive::gradient(&loss, "loss", &paths).and_then(optimize).expect("gradients of chunks");
    graph.into_inner()
}

fn kernels(program: &Program, name: &str) -> usize {
    program.kernels.iter().filter(|kernel| kernel.name == name).count()
}

#[test]
fn what_chunks_carry_is_renewed_where_it_lies() {
    for lines in [CARRIED, REPLACED] {
        let model = mixing(lines);
        let whole = derive::build(&model, &model.forward, "forward");
        let chunked = chunkwise(whole, Form::Chunkwise(Some(4))).and_then(optimize).expect("a graph in chunks");
        for graph in [chunked.into_inner(), trained_in_chunks(&model)] {
            let program = check(&graph);
            assert_eq!(kernels(&program, "replace"), 0, "{program}");
        }
    }
}

#[test]
fn a_filter_reads_its_weights_along_its_lanes() {
    for graph in [forward(&mixing(FILTERED)), train(&mixing(FILTERED))] {
        let program = check(&graph);
        assert_eq!(kernels(&program, "along"), 1, "{program}");
    }
}

#[test]
fn where_parameters_are_packed_weights_are_laid_along_lanes_once_for_all_calls() {
    let graph = forward(&mixing(FILTERED));
    let all = schedule_all([(&graph, Interface { packs: true, ..Interface::default() })]);
    let [program, packing @ ..] = all.as_slice() else { panic!("programs") };
    assert_eq!(kernels(program, "along"), 0, "{program}");
    assert_eq!(packing.iter().map(|program| kernels(program, "along")).sum::<usize>(), 1);
    assert_eq!(kernels(&schedule(&graph, &Interface { plain: true, ..Interface::default() }), "along"), 0);
}
