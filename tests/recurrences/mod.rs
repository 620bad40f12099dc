//! Recurrences that nobody listed, in the language alone: native code, pieces, steps and the interpreter agree, and every
//! gradient is that of finite differences.

use super::compiled::model;
use super::{gradient, random_models};
use archc::graph;
use archc::interpret::{Data, Feed};
use archc::passes;
use archc::verify::weights::{Random, random_weights};
use std::rc::Rc;

/// Two layers of a mixer between a table and logits.
const MODEL: &str = "
model Own {
  dim t, d = 8, v = 13
  input ids[t] : v, keep[t] : bool = true
  param table[v, d], head[v, d]
  x = table[v: ids]
  for i in 2 { x += mixer: mixer(norm: rmsnorm(x)) }
  output logits = sum[d](last: rmsnorm(x) * head)
  train next_token(self, ids, keep)
  generate sample(self)
}
";

fn with(mixer: &str) -> String {
    format!("{mixer}\n{MODEL}")
}

/// Rows of unlike lengths and random weights.
fn feed(model: &archc::model::Model) -> Feed {
    let mut random = Random::new(3);
    let (rows, longest) = (2, 5);
    let ids = (0..rows * longest).map(|_| (random.bits() % 13) as f64).collect::<Vec<_>>();
    let mut feed = Feed::default();
    feed.inputs.insert("ids".into(), Data::new([rows, longest], ids));
    feed.inputs.insert("keep".into(), Data::new([rows, longest], vec![1.0; rows * longest]));
    feed.lengths.insert("t".into(), vec![5, 3]);
    for (parameter, array) in model.parameters.iter().zip(random_weights(model, 4)) {
        feed.parameters.insert(parameter.path.clone(), Rc::new(Data::new(array.shape, array.data)));
    }
    feed
}

fn agree(mixer: &str) {
    let text = with(mixer);
    for seed in [1, 2] {
        random_models::check(&text, seed).unwrap_or_else(|wrong| panic!("{wrong}"));
    }
    let model = model(&text);
    let losses = model.train.as_ref().expect("it learns");
    let graph = passes::prepare(graph::build(&model, losses, "train")).expect("prepares");
    gradient::assert_gradients(&graph, &feed(&model));
}

#[test]
fn two_gated_states_of_which_one_follows_the_other() {
    agree(include_str!("two_states.arch"));
}

#[test]
fn a_complex_diagonal_state_space_in_two_reals() {
    agree(include_str!("complex.arch"));
}

#[test]
fn a_nonlinear_state() {
    agree(include_str!("nonlinear.arch"));
}
