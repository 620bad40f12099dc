//! Objectives of diffusion against their formulas, computed here by themselves: draws are fed, losses compared.

use super::compiled::model;
use super::interpret::numbers;
use archc::derive::build;
use archc::graph::Graph;
use archc::interpret::{Data, Feed, run};
use archc::model::Model;
use std::collections::HashMap;
use std::f64::consts::PI;
use std::rc::Rc;

const STATES: usize = 5;
const STEPS: usize = 6;
const TEXT: [f64; 3] = [2.0, 0.0, 4.0];

/// What is computed of a graph: its inputs and parameters are numbers by seeds, unless they are given.
struct Case {
    graph: Graph,
    feed: Feed,
}

impl Case {
    fn objective(model: &Model) -> Case {
        let objective = model.evaluate.as_ref().expect("it has an objective");
        Case::of(model, build(model, objective, "evaluate"))
    }

    fn of(model: &Model, graph: Graph) -> Case {
        let mut feed = Feed::default();
        for (parameter, seed) in model.parameters.iter().zip(2..) {
            let extents = parameter.axes.iter().map(|axis| model.axes.fixed(*axis).expect("fixed") as usize);
            let extents: Vec<usize> = extents.collect();
            let data = numbers(extents.iter().product(), seed).iter().map(|number| 2.0 * number).collect::<Vec<_>>();
            feed.parameters.insert(parameter.path.clone(), Rc::new(Data::new(extents, data)));
        }
        feed.inputs.insert("ids".into(), Data::new([1, TEXT.len()], TEXT.to_vec()));
        Case { graph, feed }
    }

    fn parameter(&self, path: &str) -> Vec<f64> {
        self.feed.parameters[path].numbers.to_vec()
    }

    fn outputs(&self) -> HashMap<String, Vec<f64>> {
        let outputs = run(&self.graph, &self.feed).expect("runs");
        outputs.all.iter().map(|(name, data)| (name.clone(), data.numbers.to_vec())).collect()
    }

    fn loss(&mut self, draws: &[(&str, Vec<usize>, Vec<f64>)]) -> f64 {
        let data =
            draws.iter().map(|(path, shape, numbers)| (path.to_string(), Data::new(shape.clone(), numbers.clone())));
        self.feed.draws = data.collect();
        self.outputs()["loss"][0]
    }
}

fn softmax(scores: &[f64]) -> Vec<f64> {
    let whole: f64 = scores.iter().map(|score| score.exp()).sum();
    scores.iter().map(|score| score.exp() / whole).collect()
}

fn is_near(left: f64, right: f64, what: &str) {
    assert!((left - right).abs() < 1e-6 * (1.0 + right.abs()), "{what}: {left} and {right}");
}

/// With uniform noise all products are known: what was there stays with some chance, else it is anything.
#[test]
fn the_bound_of_uniform_noise_is_what_bayes_says_at_every_step() {
    for (block, noise) in [
        ("d3pm", "uniform_steps(linear_noise[n](0.1, 0.5))"),
        ("d3pm_of_kind", "uniform_steps[w = w](_), left_after(linear_noise[n](0.1, 0.5))"),
    ] {
        bound_is_what_bayes_says(block, noise);
    }
}

fn bound_is_what_bayes_says(block: &str, noise: &str) {
    let model = model(&format!(
        "model Uniform {{
  dim t, v = 5, w like v, n = 6
  input ids[t] : v, step : n
  param guess[v, w], late[n, w]
  output logits = (guess[v: ids] + late[n: step])[w: v]
  train {block}(self(_, _), ids, {noise}, aux = 0.25)
}}"
    ));
    let mut case = Case::objective(&model);
    let (guess, late) = (case.parameter("guess"), case.parameter("late"));
    let beta = |step: usize| 0.1 + 0.4 * step as f64 / (STEPS - 1) as f64;
    let stays = |steps: usize| (0..steps).map(|step| 1.0 - beta(step)).product::<f64>();
    let jump = |stay: f64, from: usize, to: usize| (1.0 - stay) / STATES as f64 + if from == to { stay } else { 0.0 };
    for step in 0..STEPS {
        let seen = [(step + 1) % STATES, 0, (2 * step) % STATES];
        let mut expected = 0.0;
        for (start, x) in TEXT.iter().map(|id| *id as usize).zip(seen) {
            let scores: Vec<f64> = (0..STATES).map(|v| guess[x * STATES + v] + late[step * STATES + v]).collect();
            let starts = softmax(&scores);
            let back = |from: usize, start: usize| jump(1.0 - beta(step), from, x) * jump(stays(step), start, from);
            let truth: Vec<f64> = (0..STATES).map(|from| back(from, start) / jump(stays(step + 1), start, x)).collect();
            let guessed = |from: usize| (0..STATES).map(|start| starts[start] * back(from, start)).sum::<f64>();
            let whole: f64 = (0..STATES).map(guessed).sum();
            let apart = |from: usize| truth[from] * (truth[from] / (guessed(from) / whole)).ln();
            expected += match step {
                0 => -(guessed(start) / whole).ln(),
                _ => (0..STATES).map(apart).sum::<f64>(),
            };
            expected -= 0.25 * starts[start].ln();
        }
        let x = seen.map(|state| state as f64).to_vec();
        let path = |draw: &str| format!("{block}.d3pm_bound.{draw}");
        let draws = [(&*path("step"), vec![1], vec![step as f64]), (&*path("x"), vec![1, 3], x)];
        is_near(case.loss(&draws), expected / TEXT.len() as f64, &format!("{block}, step {step}"));
    }
}

/// The corners of a simplex under noise, by the cosine that the paper takes.
#[test]
fn the_loss_over_a_simplex_is_the_cross_entropy_of_noised_corners() {
    let model = model(
        "model Corners {
  dim t, v = 5, w like v, n = 6
  input ids[t] : v, x[t, v], part
  param mix[v, w]
  output logits = (sum[v](x * mix) + part * w)[w: v]
  train simplex_diffusion[n](self(ids, _, _), ids, 3.0)
}",
    );
    let mut case = Case::objective(&model);
    let mix = case.parameter("mix");
    let far: Vec<f64> = numbers(TEXT.len() * STATES, 40).iter().map(|number| 3.0 * number).collect();
    let left = |part: f64| {
        let wave = |part: f64| ((part + 1e-4) / (1.0 + 1e-4) * PI / 2.0).cos().powi(2);
        wave(part) / wave(0.0)
    };
    for step in [0, 2, 5] {
        let part = (step + 1) as f64 / STEPS as f64;
        let mut expected = 0.0;
        for (at, id) in TEXT.iter().enumerate() {
            let corner = |v: usize| if v == *id as usize { 3.0 } else { -3.0 };
            let noisy =
                |v: usize| left(part).sqrt() * corner(v) + (1.0 - left(part)).sqrt() * 3.0 * far[at * STATES + v];
            let x = softmax(&(0..STATES).map(noisy).collect::<Vec<_>>());
            let score = |w: usize| (0..STATES).map(|v| x[v] * mix[v * STATES + w]).sum::<f64>() + part * w as f64;
            expected -= softmax(&(0..STATES).map(score).collect::<Vec<_>>())[*id as usize].ln();
        }
        let draws = [
            ("simplex_diffusion.step", vec![1], vec![step as f64]),
            ("simplex_diffusion.far", vec![1, TEXT.len(), STATES], far.clone()),
        ];
        is_near(case.loss(&draws), expected / TEXT.len() as f64, &format!("step {step}"));
    }
}

/// Fine-tuning: what is told is never hidden, whatever is drawn, and an answer counts by its own length.
#[test]
fn an_answer_alone_is_hidden_and_counted() {
    let model = model(
        "model Answers {
  dim t, v = 5, w like v
  input ids[t] : v, keep[t] : bool = true
  param guess[v, w]
  output logits = guess[v: ids][w: v]
  train masked_answer(self, ids, keep, |v| - 1)
}",
    );
    let mut case = Case::objective(&model);
    case.feed.inputs.insert("keep".into(), Data::new([1, 3], vec![0.0, 1.0, 1.0]));
    let guess = case.parameter("guess");
    let blank = softmax(&guess[(STATES - 1) * STATES..]);
    let part = (1.0 - 1e-3) * 0.4 + 1e-3;
    let one = case
        .loss(&[("masked_answer.u", vec![1], vec![0.4]), ("masked_answer.hidden", vec![1, 3], vec![0.0, 1.0, 0.0])]);
    is_near(one, -blank[0].ln() / part / 2.0, "one of two");
    let both = case
        .loss(&[("masked_answer.u", vec![1], vec![0.4]), ("masked_answer.hidden", vec![1, 3], vec![0.0, 1.0, 1.0])]);
    is_near(both, -(blank[0].ln() + blank[4].ln()) / part / 2.0, "both");
    // Draws of one's own: as often as not everything is hidden, and what is told never.
    case.feed.inputs.insert("keep".into(), Data::new([1, 3], vec![0.0; 3]));
    for seed in 0..20 {
        case.feed.seed = seed;
        assert_eq!(case.loss(&[]), 0.0, "there is no answer");
    }
}

const WALKS: &str = "model Walks {
  dim t, v = 5, w like v, d = 3, n = 6
  input ids[t] : v
  param table[v, d], weight[v]
  often = (weight * weight + 0.01) / sum[v](weight * weight + 0.01)
  rates = neighbour_rates(table, 2)
  times = even_loss[n](rates, often)
  evenly = 1 / |v| - (v == w)
  output rates_of[v, w] = rates
  output uniform[v, w] = walked(evenly, 0.7)
  output early[v, w] = walked(rates, 0.3)
  output late[v, w] = walked(rates, 3)
  output steps[n, v, w] = walking_steps(rates, times)
  output lost[n] = forgotten(all_steps(walking_steps(rates, times)), often)
  output often_of[v] = often
  output same[t] = ids
}";

fn product(left: &[f64], right: &[f64]) -> Vec<f64> {
    let cell = |at: usize| (0..STATES).map(|k| left[at / STATES * STATES + k] * right[k * STATES + at % STATES]).sum();
    (0..STATES * STATES).map(cell).collect()
}

/// Walks between neighbours: exponentials of their rates, and times that forget the same with every step.
#[test]
fn walks_between_neighbours_forget_evenly() {
    let model = model(WALKS);
    let case = Case::of(&model, build(&model, &model.forward, "forward"));
    let outputs = case.outputs();
    let rates = &outputs["rates_of"];
    for (from, row) in rates.chunks(STATES).enumerate() {
        is_near(row.iter().sum(), 0.0, "rows of rates");
        assert!(row.iter().enumerate().all(|(to, rate)| to == from || *rate >= 0.0), "{row:?}");
        assert!((0..STATES).all(|to| (rates[from * STATES + to] - rates[to * STATES + from]).abs() < 1e-12));
        // The two nearest of three coordinates.
        let table = case.parameter("table");
        let apart = |to: usize| (0..3).map(|d| (table[from * 3 + d] - table[to * 3 + d]).powi(2)).sum::<f64>();
        let nearest = (0..STATES).filter(|to| *to != from).min_by(|a, b| apart(*a).total_cmp(&apart(*b)));
        assert!(row[nearest.expect("others")] >= 0.25, "{row:?}");
    }
    let stay = (-0.7_f64).exp();
    for (at, chance) in outputs["uniform"].iter().enumerate() {
        let same = if at / STATES == at % STATES { stay } else { 0.0 };
        is_near(*chance, same + (1.0 - stay) / STATES as f64, "the closed form of even rates");
    }
    // Ten short walks are a long one, and a short one is 1 + time · rates + time² / 2 · rates² + …
    let early = &outputs["early"];
    let late = (1..10).fold(early.clone(), |sofar, _| product(&sofar, early));
    outputs["late"].iter().zip(&late).for_each(|(left, right)| is_near(*left, *right, "ten walks"));
    let mut series: Vec<f64> = (0..STATES * STATES).map(|at| f64::from(at % (STATES + 1) == 0)).collect();
    let mut term = series.clone();
    for order in 1..20 {
        term = product(&term, rates).iter().map(|number| number * 0.3 / f64::from(order)).collect();
        series.iter_mut().zip(&term).for_each(|(sum, more)| *sum += more);
    }
    early.iter().zip(&series).for_each(|(left, right)| is_near(*left, *right, "the series"));
    for rows in outputs["steps"].chunks(STATES) {
        is_near(rows.iter().sum(), 1.0, "rows of transitions");
        assert!(rows.iter().all(|chance| *chance >= 0.0), "{rows:?}");
    }
    // Between times that double the curve is nearly straight.
    for (step, lost) in outputs["lost"].iter().enumerate().take(STEPS - 1) {
        let goal = (step + 1) as f64 / STEPS as f64;
        assert!((lost - goal).abs() < 0.03, "{:?}", outputs["lost"]);
    }
    assert!(outputs["lost"][STEPS - 1] > 0.999, "at last nothing is known: {:?}", outputs["lost"]);
}
