//! Masked diffusion and D3PM with absorbing noise bound the same likelihood: the library's two objectives over one model,
//! every pattern of blanks of a short text counted out.

use super::compiled::{graphs, model};
use super::interpret::numbers;
use archc::derive::build;
use archc::driver::gradient_name;
use archc::graph::Graph;
use archc::interpret::{Data, Feed, run};
use archc::model::{Model, Parameter};
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

/// `noise` is what each step adds.
fn absorbed(steps: usize, noise: &str) -> Model {
    model(&format!(
        "model Absorbed {{\n  dim t, v = {STATES}, w like v, n = {steps}\n  input ids[t] : v, step : n\n  \
         output logits = timeless(ids, step)\n  Q = absorbing_steps({noise}, |v| - 1)\n  \
         train d3pm(self(_, _), ids, Q, aux = 0)\n}}\n{BODY}"
    ))
}

/// Numbers for each parameter, in the order of all models here.
fn random_weights() -> Vec<Rc<Data>> {
    let model = masked();
    let of = |(parameter, seed): (&Parameter, u64)| {
        let extents = parameter.axes.iter().map(|axis| model.axes.fixed(*axis).expect("fixed") as usize);
        let extents: Vec<usize> = extents.collect();
        let data = numbers(extents.iter().product(), seed).iter().map(|number| 3.0 * number).collect::<Vec<_>>();
        Rc::new(Data::new(extents, data))
    };
    model.parameters.iter().zip(2..).map(of).collect()
}

/// The same after plain steps down masked diffusion's gradient, over rows of the text that hide each their own.
fn trained_weights() -> Vec<Rc<Data>> {
    let (model, rows) = (masked(), 8);
    let mut weights = random_weights();
    let graph = graphs(&model).train.expect("it is trained");
    for seed in 0..60 {
        let mut feed = feed(&model, &weights);
        feed.inputs.insert("ids".into(), Data::new([rows, LENGTH], TEXT.repeat(rows)));
        feed.seed = seed;
        let outputs = run(&graph, &feed).expect("runs");
        for (parameter, weight) in model.parameters.iter().zip(&mut weights) {
            let gradient = &outputs.get(&gradient_name(&parameter.path)).expect("is trained").numbers;
            let next = weight.numbers.iter().zip(gradient).map(|(number, slope)| number - 0.1 * slope);
            *weight = Rc::new(Data::new(weight.extents.clone(), next.collect::<Vec<_>>()));
        }
    }
    weights
}

fn feed(model: &Model, weights: &[Rc<Data>]) -> Feed {
    let mut feed = Feed::default();
    feed.inputs.insert("ids".into(), Data::new([1, LENGTH], TEXT.to_vec()));
    let named = model.parameters.iter().zip(weights);
    feed.parameters = named.map(|(parameter, data)| (parameter.path.clone(), data.clone())).collect();
    feed
}

/// An objective under some weights.
struct Objective {
    graph: Graph,
    feed: Feed,
}

impl Objective {
    fn of(model: &Model, weights: &[Rc<Data>]) -> Objective {
        let graph = build(model, model.evaluate.as_ref().expect("it has an objective"), "evaluate");
        Objective { graph, feed: feed(model, weights) }
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
    objective.loss(&[("d3pm.d3pm_bound.step", Data::new([1], vec![step as f64])), ("d3pm.d3pm_bound.x", x)])
}

/// How likely exactly these are blank.
fn chance(part: f64, count: i32) -> f64 {
    part.powi(count) * (1.0 - part).powi(LENGTH as i32 - count)
}

/// A noise schedule as the library writes it, and what is left after each of so many steps by its formula.
struct Schedule {
    noise: &'static str,
    left: fn(usize, usize) -> f64,
}

/// The part of all steps that is done.
fn done(step: usize, steps: usize) -> f64 {
    (step + 1) as f64 / steps as f64
}

const EVEN: Schedule = Schedule { noise: "even_noise[n]()", left: |step, steps| 1.0 - done(step, steps) };

/// Nichol and Dhariwal's, without their bound on a single step: in the end nothing is left.
const COSINE: Schedule = Schedule {
    noise: "falling_noise[n](squared_cosine_left(_, offset = 0), most = 1)",
    left: |step, steps| (done(step, steps) * std::f64::consts::FRAC_PI_2).cos().powi(2),
};

/// Its last step leaves something.
const LINEAR: Schedule = Schedule {
    noise: "linear_noise[n](0.05, 0.5)",
    left: |step, steps| (0..=step).map(|at| 0.95 - 0.45 * at as f64 / (steps - 1) as f64).product(),
};

/// The sum over steps of the mean over patterns of the bound, in nats a position.
fn bound_of_steps(schedule: &Schedule, steps: usize, weights: &[Rc<Data>]) -> f64 {
    let mut objective = Objective::of(&absorbed(steps, schedule.noise), weights);
    let mut sum = 0.0;
    for step in 0..steps {
        let part = 1.0 - (schedule.left)(step, steps);
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

/// Over all times the bound of masked diffusion is an integral, with a Beta function for each pattern.
fn bound_of_all_times(weights: &[Rc<Data>]) -> f64 {
    let mut objective = Objective::of(&masked(), weights);
    let factorial = |count: i32| (1..=count).map(f64::from).product::<f64>();
    let whole = LENGTH as i32;
    let parts = patterns().filter(|(_, count)| *count > 0).map(|(hidden, count)| {
        let beta = factorial(count - 1) * factorial(whole - count) / factorial(whole);
        beta * masked_loss(&mut objective, hidden, 1.0)
    });
    parts.sum()
}

/// A step's term of D3PM is what masked diffusion says of the part that is hidden by then, as often as the step hides more.
#[test]
fn masked_diffusion_and_absorbing_noise_say_the_same_of_every_step_and_pattern_under_any_schedule() {
    let steps = 6;
    for (weights, least) in [(random_weights(), 1.0), (trained_weights(), 0.01)] {
        let mut masked = Objective::of(&masked(), &weights);
        for Schedule { noise, left } in [EVEN, COSINE, LINEAR] {
            let mut absorbed = Objective::of(&absorbed(steps, noise), &weights);
            let (mut before, mut largest) = (1.0, 0.0_f64);
            for step in 0..steps {
                let now = left(step, steps);
                for (hidden, _) in patterns() {
                    let one = (before - now) * masked_loss(&mut masked, hidden, 1.0 - now);
                    let other = absorbed_loss(&mut absorbed, hidden, step);
                    let close = (one - other).abs() < 1e-9 * (1.0 + one.abs());
                    assert!(close, "{noise}, step {step}, {hidden:?}: {one} and {other}");
                    largest = largest.max(one);
                }
                before = now;
            }
            assert!(largest > least, "{noise}: there is something to compare, {largest}");
        }
    }
}

#[test]
fn a_trained_model_has_one_bound_whichever_objective_and_schedule_tell_it() {
    let (before, weights) = (bound_of_all_times(&random_weights()), trained_weights());
    let exact = bound_of_all_times(&weights);
    assert!(exact < 0.5 * before, "it has learned: {exact} after {before}");
    for schedule in [EVEN, COSINE] {
        let [few, many] = [6, 48].map(|steps| (bound_of_steps(&schedule, steps, &weights) - exact).abs());
        let noise = schedule.noise;
        assert!(few > 1e-3 * exact, "{noise}: few steps are another bound: {few} of {exact}");
        // The error of such a sum falls as one over the number of steps.
        assert!((few / many - 8.0).abs() < 1.0, "{noise}: {few} with six steps, {many} with forty-eight");
    }
}
