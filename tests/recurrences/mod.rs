//! Recurrences that nobody listed, in the language alone: native code, pieces, steps and the interpreter agree, and every
//! gradient is that of finite differences.

mod lengths;
mod turns;

use super::compiled::{graphs, model, programs};
use super::{gradient, random_models};
use archc::derive;
use archc::interpret::{Data, Feed};
use archc::passes;
use archc::plan::{Program, Step};
use archc::verify::weights::{Random, random_weights};
use archc_runtime::abi::{Size, names};
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
    let graph = passes::prepare(derive::build(&model, losses, "train")).expect("prepares");
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

#[test]
fn channels_that_threads_share_in_parts_and_a_sum_over_all_of_them() {
    agree(include_str!("parts.arch"));
}

#[test]
fn the_turns_of_a_recurrence_that_rides_along_are_one_kernel() {
    // Programs that run over positions: weights are packed and settings checked without any.
    let over_positions =
        |program: &Program| !program.name.starts_with(names::PREPARE) && program.name != names::REQUIRE;
    let shared = programs(&graphs(&model(&with(include_str!("parts.arch")))));
    for program in shared.iter().filter(|program| over_positions(program)) {
        let has = |name: &str| program.kernels.iter().any(|kernel| kernel.name == name);
        assert!(has("scan") && has("parts"), "{}: {:?}", program.name, program.steps.len());
        assert!(!looped(&program.steps), "{} goes through a sequence launch by launch", program.name);
    }
    // The state of a matrix is written turn by turn on the way to its gradient, and only there.
    let states = "block mixer[t, d](x[t, d]) -> [t, d] {\n  dim c = 8, n = 4\n  param into[d, c], keys[d, n]\n  \
                  b = sum[d](x * into)\n  k = sigmoid(sum[d](x * keys))\n  h[c, n] = 0\n  \
                  for t { h = tanh(k * h + b);  yield y = sum[n](h) }\n  return sum[c](y * into)\n}";
    for program in programs(&graphs(&model(&with(states)))).iter().filter(|program| over_positions(program)) {
        let one = program.kernels.iter().any(|kernel| kernel.name == "scan");
        assert_eq!(one, program.name != names::TRAIN, "{}", program.name);
    }
}

/// Whether there is a loop of as many turns as a sequence has positions.
fn looped(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Loop { turns, body, .. } => matches!(turns, Size::Symbol(_)) || looped(body),
        _ => false,
    })
}
