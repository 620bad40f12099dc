//! Masked diffusion and D3PM with absorbing noise bound the same likelihood: the library's two objectives over one model,
//! every pattern of blanks of a short text counted out.

use super::compiled::model;
use super::interpret::numbers;
use archc::derive::build;
use archc::graph::Graph;
use archc::interpret::{Data, Feed, run};
use archc::model::Model;
use std::rc::Rc;

const LENGTH: usize = 4;
const STATES: usize = 7;
const TEXT: [f64; LENGTH] = [2.0, 0.0, 5.0, 2.0];

/// A model that sees all positions, never guesses a blank and does not ask for the time.
const BODY: &str = "block guess[t, v](x[t] : v) -> [t, v] {
  dim d = 8
  param table[v, d], head[v, d]
  h = table[v: x]
  h += attn: gqa(h, 2, 2, sight = |t|)
  return sum[d](h * head) where v < |v| - 1 else -1e30
}
block timeless[t, v](x[t] : v, step : n) -> [t, v] { return guess(x) }
";

fn masked() -> Model {
    model(&format!(
        "model Masked {{\n  dim t, v = {STATES}\n  input ids[t] : v\n  output logits = guess(ids)\n  \
         train masked_diffusion(self, ids, |v| - 1, eps = 0)\n}}\n{}",
        BODY.split("block timeless").next().unwrap_or_default()
    ))
}

fn absorbed(steps: usize) -> Model {
    model(&format!(
        "model Absorbed {{\n  dim t, v = {STATES}, w like v, n = {steps}\n  input ids[t] : v, step : n\n  \
         output logits = timeless(ids, step)\n  Q = absorbing_steps(even_noise[n](), |v| - 1)\n  \
         train d3pm(self(_, _), ids, Q, aux = 0)\n}}\n{BODY}"
    ))
}

/// An objective, with the same weights in every model.
struct Objective {
    graph: Graph,
    feed: Feed,
}

impl Objective {
    fn of(model: &Model) -> Objective {
        let graph = build(model, model.evaluate.as_ref().expect("it has an objective"), "evaluate");
        let mut feed = Feed::default();
        feed.inputs.insert("ids".into(), Data::new([1, LENGTH], TEXT.to_vec()));
        for (parameter, seed) in model.parameters.iter().zip(2..) {
            let extents = parameter.axes.iter().map(|axis| model.axes.fixed(*axis).expect("fixed") as usize);
            let extents: Vec<usize> = extents.collect();
            let data = numbers(extents.iter().product(), seed).iter().map(|number| 3.0 * number).collect::<Vec<_>>();
            feed.parameters.insert(parameter.path.clone(), Rc::new(Data::new(extents, data)));
        }
        Objective { graph, feed }
    }

    fn loss(&mut self, draws: &[(&str, Data)]) -> f64 {
        self.feed.draws = draws.iter().map(|(path, data)| (path.to_string(), data.clone())).collect();
        run(&self.graph, &self.feed).expect("runs").get("loss").expect("has a loss").numbers[0]
    }
}

/// All sets of blanks, with how many they are.
fn patterns() -> impl Iterator<Item = ([bool; LENGTH], i32)> {
    (0..1 << LENGTH).map(|bits: u32| (std::array::from_fn(|at| bits >> at & 1 == 1), bits.count_ones() as i32))
}

fn masked_loss(objective: &mut Objective, hidden: [bool; LENGTH], part: f64) -> f64 {
    let hidden = Data::new([1, LENGTH], hidden.map(f64::from).to_vec());
    objective.loss(&[("masked_diffusion.u", Data::new([1], vec![part])), ("masked_diffusion.hidden", hidden)])
}

fn absorbed_loss(objective: &mut Objective, hidden: [bool; LENGTH], step: usize) -> f64 {
    let state = |(hidden, id): (bool, f64)| if hidden { (STATES - 1) as f64 } else { id };
    let x = Data::new([1, LENGTH], hidden.into_iter().zip(TEXT).map(state).collect::<Vec<_>>());
    objective.loss(&[("d3pm.step", Data::new([1], vec![step as f64])), ("d3pm.x", x)])
}

/// How likely exactly these are blank.
fn chance(part: f64, count: i32) -> f64 {
    part.powi(count) * (1.0 - part).powi(LENGTH as i32 - count)
}

/// The mean over steps and patterns of the bound, in nats a position.
fn bound_of_steps(steps: usize) -> f64 {
    let mut objective = Objective::of(&absorbed(steps));
    let mut sum = 0.0;
    for step in 0..steps {
        let part = (step + 1) as f64 / steps as f64;
        // A step is one of so many, and the bound is the sum over all.
        sum += patterns()
            .map(|(hidden, count)| {
                let chance = chance(part, count);
                if chance > 0.0 { chance * absorbed_loss(&mut objective, hidden, step) } else { 0.0 }
            })
            .sum::<f64>();
    }
    sum
}

#[test]
fn masked_diffusion_and_absorbing_noise_say_the_same_of_every_step_and_pattern() {
    let steps = 6;
    let (mut masked, mut absorbed) = (Objective::of(&masked()), Objective::of(&absorbed(steps)));
    let mut largest = 0.0_f64;
    for step in 0..steps {
        let part = (step + 1) as f64 / steps as f64;
        for (hidden, _) in patterns() {
            let left = masked_loss(&mut masked, hidden, part);
            let right = steps as f64 * absorbed_loss(&mut absorbed, hidden, step);
            assert!((left - right).abs() < 1e-9 * (1.0 + left.abs()), "step {step}, {hidden:?}: {left} and {right}");
            largest = largest.max(left);
        }
    }
    assert!(largest > 1.0, "there is something to compare");
}

/// Over all times the bound of masked diffusion is an integral, with a Beta function for each pattern; that of D3PM is its
/// sum over steps.
#[test]
fn more_steps_of_absorbing_noise_come_to_the_bound_of_masked_diffusion() {
    let mut objective = Objective::of(&masked());
    let factorial = |count: i32| (1..=count).map(f64::from).product::<f64>();
    let whole = LENGTH as i32;
    let exact = patterns().filter(|(_, count)| *count > 0).map(|(hidden, count)| {
        let beta = factorial(count - 1) * factorial(whole - count) / factorial(whole);
        beta * masked_loss(&mut objective, hidden, 1.0)
    });
    let exact = exact.sum::<f64>();
    let [few, many] = [6, 48].map(|steps| (bound_of_steps(steps) - exact).abs());
    assert!(few > 1e-3 * exact, "few steps are another bound: {few} of {exact}");
    // The error of such a sum falls as one over the number of steps.
    assert!((few / many - 8.0).abs() < 1.0, "{few} with six steps, {many} with forty-eight");
}
