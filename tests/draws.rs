//! Draws against their distributions, and what noise makes of a start against its closed form: chi-square and
//! Kolmogorov-Smirnov at a fixed seed, for numbers of the interpreter and of native code.

use super::compiled::{graphs, model};
use archc::driver::{Session, compile};
use archc::model::Model;
use archc::target::Target;
use archc::verify::{Array, Batch, Engine, Interpreted, Native};
use std::collections::BTreeMap;
use std::f64::consts::SQRT_2;

const ROWS: usize = 4;
const LENGTH: usize = 5_000;
/// The quantile of the normal distribution that a fair source passes but once in a thousand times.
const RARE: f64 = 3.09;

const LAWS: &str = "model Laws {
  dim t, v = 7, w like v
  input start[t] : v
  weight = 1 + v * v
  u[t] ~ uniform(-2, 3)
  z[t] ~ normal(1.5, 2)
  b[t] ~ bernoulli(0.15)
  i[t] ~ uniform[v]
  c[t] ~ categorical[v](weight)
  noise[t, w] ~ uniform(0, 1)
  output uniform[t] = u
  output normal[t] = z
  output bernoulli[t] = b
  output index[t] = i
  output categorical[t] = c
  output gumbel[t] = argmax[w](log(weight[v: w]) - log(-log(noise)))
  output same[t] = start
}";

const NOISE: &str = "model Noise {
  dim t, n = 12, v = 5, w like v
  input start[t] : v, x[t]
  beta = falling_noise[n](root_left)
  left = left_after(beta)
  y[t] = x
  for n { z[t] ~ normal(0, 1); y = sqrt(1 - beta) * y + sqrt(beta) * z; yield moved = y }
  far[t] ~ normal(0, 1)
  output once[t] = noised(x, far, left[n: 7])
  output many[t] = moved[n: 7]
  Q = uniform_steps(linear_noise[n](0.05, 0.3))
  bar = all_steps(Q)
  s[t] : v = start
  for n { s[t] ~ categorical[w](Q[v: s]); yield state = s }
  at[t] ~ categorical[w](bar[n: 7, v: start])
  output jump[t] = at
  output walk[t] = state[n: 7]
  A = absorbing_steps(even_noise[n](), |v| - 1)
  gone = all_steps(A)
  hid[t] ~ categorical[w](gone[n: 7, v: start])
  output masked[t] = hid
}";

/// The outputs of a model over many positions, by both engines: the start is state 2, the vector 0.8.
fn computed(model: &Model) -> [BTreeMap<String, Array>; 2] {
    over(model, LENGTH)
}

fn over(model: &Model, length: usize) -> [BTreeMap<String, Array>; 2] {
    let graphs = graphs(model);
    let filled = |number: f64| Array::filled(&[ROWS, length], number);
    let inputs = [("start".to_string(), filled(2.0)), ("x".to_string(), filled(0.8))].into_iter();
    let lengths = [("t".to_string(), vec![length; ROWS])].into_iter().collect();
    let known = inputs.filter(|(name, _)| model.inputs.iter().any(|input| input.name == *name));
    let batch = Batch { rows: ROWS, lengths, inputs: known.collect() };
    let compiled = compile(model, &graphs, &Target::native(), &mut Session::default());
    let compiled = compiled.unwrap_or_else(|failure| panic!("{failure:?}"));
    let mut native = Native::new(model, &compiled, 2).unwrap_or_else(|failure| panic!("{failure:?}"));
    let by = |engine: &mut dyn Engine| engine.forward(&[], &batch).unwrap_or_else(|failure| panic!("{failure:?}"));
    [by(&mut Interpreted::new(model, &graphs)), by(&mut native)]
}

/// How far the numbers are from a distribution function, in units of what chance allows.
fn kolmogorov_smirnov(numbers: &[f64], below: impl Fn(f64) -> f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len() as f64;
    let gap = |(place, number): (usize, &f64)| {
        let expected = below(*number);
        f64::max(expected - place as f64 / count, (place + 1) as f64 / count - expected)
    };
    sorted.iter().enumerate().map(gap).fold(0.0, f64::max) * count.sqrt()
}

/// The bound that [`kolmogorov_smirnov`] passes but once in a thousand times.
const FAR: f64 = 1.95;

/// Chi-square of counted numbers against shares that sum to one, less the bound that it passes once in a thousand times.
fn chi_square(numbers: &[f64], shares: &[f64]) -> f64 {
    let mut counts = vec![0.0; shares.len()];
    numbers.iter().for_each(|number| counts[*number as usize] += 1.0);
    let all = numbers.len() as f64;
    assert!(counts.iter().zip(shares).all(|(count, share)| *share > 0.0 || *count == 0.0), "{counts:?} of {shares:?}");
    let pairs = counts.iter().zip(shares).filter(|(_, share)| **share > 0.0);
    let freedom = (pairs.clone().count() - 1) as f64;
    let sum: f64 = pairs.map(|(count, share)| (count - all * share).powi(2) / (all * share)).sum();
    let spread = 2.0 / (9.0 * freedom);
    sum - freedom * (1.0 - spread + RARE * spread.sqrt()).powi(3)
}

/// The share of a normal distribution below a number: Abramowitz and Stegun 7.1.26, good to 1.5e-7.
fn normal_below(z: f64) -> f64 {
    let x = z.abs() / SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let series = [1.061_405_429, -1.453_152_027, 1.421_413_741, -0.284_496_736, 0.254_829_592];
    let inner = series.iter().fold(0.0, |sum, factor| sum * t + factor) * t;
    let erf = 1.0 - inner * (-x * x).exp();
    0.5 * (1.0 + erf.copysign(z))
}

fn squares() -> Vec<f64> {
    let weights: Vec<f64> = (0..7).map(|state| 1.0 + f64::from(state * state)).collect();
    let all: f64 = weights.iter().sum();
    weights.iter().map(|weight| weight / all).collect()
}

#[test]
fn every_law_draws_from_its_distribution() {
    for outputs in computed(&model(LAWS)) {
        let of = |name: &str| outputs[name].data.as_slice();
        assert!(kolmogorov_smirnov(of("uniform"), |u| ((u + 2.0) / 5.0).clamp(0.0, 1.0)) < FAR);
        assert!(kolmogorov_smirnov(of("normal"), |z| normal_below((z - 1.5) / 2.0)) < FAR);
        assert!(chi_square(of("bernoulli"), &[0.85, 0.15]) < 0.0);
        assert!(chi_square(of("index"), &[1.0 / 7.0; 7]) < 0.0);
        assert!(chi_square(of("categorical"), &squares()) < 0.0);
        assert!(chi_square(of("gumbel"), &squares()) < 0.0, "the best of scores with Gumbel noise is a draw by them");
    }
}

/// Of many weights most are nothing: whole parts of them, the first ones and the last.
#[test]
fn of_many_weights_only_what_has_some_is_drawn() {
    let many = "model Many {
  dim t, v = 203
  input start[t] : v
  weight[t, v] = v where v % 41 == 7 and v > 10 else 0
  c[t] ~ categorical[v](weight)
  output many[t] = c
  output same[t] = start
}";
    let weight = |state: u32| if state % 41 == 7 && state > 10 { f64::from(state) } else { 0.0 };
    let whole: f64 = (0..203).map(weight).sum();
    let shares: Vec<f64> = (0..203).map(|state| weight(state) / whole).collect();
    let [expected, found] = computed(&model(many));
    assert!(chi_square(&expected["many"].data, &shares) < 0.0);
    assert_eq!(expected["many"].data, found["many"].data);
}

#[test]
fn neighbours_and_rows_draw_for_themselves() {
    for outputs in computed(&model(LAWS)) {
        let tenth = |u: f64| ((u + 2.0) * 2.0).floor().clamp(0.0, 9.0);
        let cells: Vec<f64> = outputs["uniform"].data.iter().map(|u| tenth(*u)).collect();
        let pairs: Vec<f64> = cells.chunks_exact(2).map(|pair| 10.0 * pair[0] + pair[1]).collect();
        assert!(chi_square(&pairs, &[0.01; 100]) < 0.0, "neighbours");
        let rows: Vec<f64> = (0..LENGTH).map(|at| 10.0 * cells[at] + cells[LENGTH + at]).collect();
        assert!(chi_square(&rows, &[0.01; 100]) < 0.0, "rows");
    }
}

const WIDE: &str = "model Wide {
  dim t, v = 150, w = 40
  input x[t]
  z[t, v] ~ normal(0, 1)
  part[t, w] ~ normal(0, 1)
  across[v, t] ~ normal(0, 1)
  moved[t, v] ~ normal(x + v, 1 + v / 50)
  output wide = z
  output narrow = part
  output turned[t, v] = across
  output moved[t, v] = (moved - x - v) / (1 + v / 50)
}";

/// Four normal numbers share the words of a counter, sixteen places apart: in whole groups, in what is left of an axis, and
/// along axes of a size that is known only later.
#[test]
fn normal_numbers_that_share_words_are_each_for_themselves() {
    let both = over(&model(WIDE), 200);
    for outputs in &both {
        for name in ["wide", "narrow", "turned", "moved"] {
            assert!(kolmogorov_smirnov(&outputs[name].data, normal_below) < FAR, "{name}");
        }
        let quarter = |z: f64| (4.0 * normal_below(z)).floor().min(3.0);
        for apart in [16, 32, 48] {
            let rows = outputs["wide"].data.chunks_exact(150);
            let pairs =
                rows.flat_map(|row| (0..64 - apart).map(|at| 4.0 * quarter(row[at]) + quarter(row[at + apart])));
            assert!(chi_square(&pairs.collect::<Vec<_>>(), &[1.0 / 16.0; 16]) < 0.0, "{apart} places apart");
        }
    }
    let [known, native] = both;
    for (name, array) in known {
        let pairs = array.data.iter().zip(&native[&name].data);
        let worst = pairs.map(|(known, number)| (known - number).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-4, "{name}: {worst}");
    }
}

/// What a test that never fails would let pass.
#[test]
fn the_tests_tell_wrong_distributions() {
    let [outputs, _] = computed(&model(LAWS));
    assert!(kolmogorov_smirnov(&outputs["normal"].data, |z| normal_below((z - 1.35) / 2.0)) > FAR);
    assert!(chi_square(&outputs["bernoulli"].data, &[0.84, 0.16]) > 0.0);
    assert!(chi_square(&outputs["index"].data, &squares()) > 0.0);
}

/// Twelve steps of 1 - sqrt: what is left after the eighth, and of a state under uniform noise.
#[test]
fn noise_step_by_step_and_at_once_has_the_closed_form() {
    let root = |part: f64| 1.0 - (part + 1e-4).sqrt();
    let left: f64 = root(8.0 / 12.0) / root(0.0);
    let stay: f64 = (0..8).map(|step| 1.0 - (0.05 + 0.25 * f64::from(step) / 11.0)).product();
    let mut states = [(1.0 - stay) / 5.0; 5];
    states[2] += stay;
    for outputs in computed(&model(NOISE)) {
        let of = |name: &str| outputs[name].data.as_slice();
        let below = |y: f64| normal_below((y - left.sqrt() * 0.8) / (1.0 - left).sqrt());
        for name in ["once", "many"] {
            assert!(kolmogorov_smirnov(of(name), below) < FAR, "{name}");
        }
        for name in ["jump", "walk"] {
            assert!(chi_square(of(name), &states) < 0.0, "{name}");
        }
        // 1 / (T - t + 1): after t of T steps the share t / T is masked.
        assert!(chi_square(of("masked"), &[0.0, 0.0, 4.0 / 12.0, 0.0, 8.0 / 12.0]) < 0.0);
    }
}

const BOUND: &str = "model Bound {
  dim t, n = 12, v = 6, w like v
  input start[t] : v, x[t]
  logits = x * sin(3 * v + 1) where v < |v| - 1 else -1e30
  Q = absorbing_steps(even_noise[n](), |v| - 1)
  bar = all_steps(Q)
  step ~ uniform[n]
  at[t] ~ categorical[w](bar[n: step, v: start])
  truth, guess, bound, entropy = d3pm_terms(start, at, step, logits, Q[n: step], after_matrices(step, bar))
  output bounds[t] = bound
  output weighted[t] = entropy / (step + 1) where at == |v| - 1 else 0
}";

/// Where the noise is spread evenly over what is left, D3PM's bound is LLaDA's: the cross-entropy of what is masked, over
/// the share of steps.
#[test]
fn the_bound_of_absorbing_noise_is_the_weighted_cross_entropy_of_what_is_masked() {
    for outputs in computed(&model(BOUND)) {
        let pairs = outputs["bounds"].data.iter().zip(&outputs["weighted"].data);
        let worst = pairs.map(|(bound, weighted)| (bound - weighted).abs()).fold(0.0, f64::max);
        assert!(worst < 2e-5, "{worst}");
        assert!(outputs["weighted"].data.iter().any(|weighted| *weighted > 0.1));
    }
}
