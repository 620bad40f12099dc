//! Models at random: native code gives the logits, the loss and every gradient of the interpreter, for rows of unlike
//! lengths, and where a model can be decoded, all forms of its program agree.
//!
//! `ARCHC_MODELS=200 ARCHC_SEED=1000 cargo test --test suite random_models` tries others.

mod generator;

use super::compiled::{graphs, model};
use archc::driver::{Graphs, Session, compile};
use archc::model::Model;
use archc::target::Target;
use archc::verify::certificate::LENGTHS;
use archc::verify::inputs::batch_of;
use archc::verify::weights::{Random, one_step_away, random_weights};
use archc::verify::{Array, Batch, Certificate, Engine, Interpreted, Native};
use std::collections::BTreeMap;

fn number(variable: &str, usual: u64) -> u64 {
    let given = std::env::var(variable).ok();
    given.map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{variable} is a number")))
}

/// Rows of unlike lengths, of which the longest is odd or even, and some tokens that are not counted.
pub fn batch(model: &Model, random: &mut Random) -> Batch {
    let mut below = |count: usize| (random.bits() % count as u64) as usize;
    let (rows, longest) = (1 + below(3), 2 + below(10));
    let vocabulary = model.inputs[0].index_of.and_then(|axis| model.axes.fixed(axis)).expect("it reads tokens");
    let ids = (0..rows * longest).map(|_| below(vocabulary as usize) as f64).collect();
    let ids = Array { shape: vec![rows, longest], data: ids };
    let mut batch = batch_of(model, BTreeMap::from([("ids".to_string(), ids)])).expect("it reads tokens");
    let lengths = batch.lengths.get_mut("t").expect("tokens are a sequence");
    lengths.iter_mut().skip(1).for_each(|length| *length = 1 + below(longest));
    let keep = batch.inputs.get_mut("keep").expect("it is an input");
    keep.data.iter_mut().for_each(|kept| *kept = f64::from(u8::from(below(5) > 0)));
    batch
}

/// Everything that the programs for whole sequences give: outputs where rows have positions, loss, gradients.
pub fn numbers(engine: &mut dyn Engine, weights: &[Array], model: &Model, batch: &Batch) -> Numbers {
    let outputs = engine.forward(weights, batch).unwrap_or_else(|failure| panic!("{failure:?}"));
    let logits = &outputs["logits"];
    let longest = batch.inputs["ids"].shape[1];
    let width = logits.data.len() / (batch.rows * longest);
    let mut all = BTreeMap::new();
    let rows = batch.lengths["t"].iter().enumerate();
    let real = rows.flat_map(|(row, length)| &logits.data[row * longest * width..][..length * width]);
    all.insert("logits".to_string(), real.copied().collect::<Vec<_>>());
    all.extend(trained(engine, weights, model, batch));
    let without = model.parameters.iter().find(|parameter| !all.contains_key(&gradient_of(&parameter.path)));
    assert!(without.is_none(), "{without:?} has no gradient");
    all
}

fn gradient_of(path: &str) -> String {
    format!("gradient of {path}")
}

/// The loss, and the gradient of each parameter that has one.
pub fn trained(engine: &mut dyn Engine, weights: &[Array], model: &Model, batch: &Batch) -> Numbers {
    let trained = engine.gradients(weights, batch).unwrap_or_else(|failure| panic!("{failure:?}"));
    let gradients = model.parameters.iter().zip(trained.gradients);
    let gradients = gradients.filter_map(|(parameter, found)| Some((gradient_of(&parameter.path), found?.data)));
    gradients.chain([("loss".to_string(), vec![trained.loss])]).collect()
}

fn largest(numbers: impl Iterator<Item = f64>) -> f64 {
    numbers.fold(0.0, |largest, number| if number.is_nan() { f64::NAN } else { largest.max(number.abs()) })
}

fn difference(left: &[f64], right: &[f64]) -> f64 {
    assert_eq!(left.len(), right.len());
    largest(left.iter().zip(right).map(|(left, right)| left - right))
}

/// What native code gets wrong of a drawn batch.
pub fn disagreements(model: &Model, graphs: &Graphs, native: &mut Native<'_>, seed: u64) -> Vec<String> {
    let batch = batch(model, &mut Random::new(seed));
    wrong_numbers((model, graphs), &batch, native, seed, numbers)
}

/// Numbers by name.
pub type Numbers = BTreeMap<String, Vec<f64>>;

/// What an engine is asked for.
pub type Asked = fn(&mut dyn Engine, &[Array], &Model, &Batch) -> Numbers;

/// What native code gets wrong of the numbers that it is asked for, with random weights.
pub fn wrong_numbers(
    (model, graphs): (&Model, &Graphs),
    batch: &Batch,
    native: &mut Native<'_>,
    seed: u64,
    asked: Asked,
) -> Vec<String> {
    let weights = random_weights(model, seed);
    let truths = truths((model, graphs), batch, seed, asked);
    let found = asked(native, &weights, model, batch);
    let wrong = differing(&truths, &found).into_iter();
    wrong.map(|fault| format!("{fault}, rows {:?}", batch.lengths)).collect()
}

/// The interpreter's numbers with random weights, and with the same weights one rounding step away.
pub fn truths((model, graphs): (&Model, &Graphs), batch: &Batch, seed: u64, asked: Asked) -> [Numbers; 2] {
    let mut interpreter = Interpreted::new(model, graphs);
    let weights = random_weights(model, seed);
    let moved = one_step_away(&weights, seed);
    [weights, moved].map(|weights| asked(&mut interpreter, &weights, model, batch))
}

/// Where numbers differ from the interpreter's. Allowed is what the certificate allows, measured by their size.
pub fn differing([truth, moved]: &[Numbers; 2], found: &Numbers) -> Vec<String> {
    assert!(truth.keys().eq(found.keys()), "{:?} and {:?}", truth.keys(), found.keys());
    let mut wrong = Vec::new();
    for (name, expected) in truth {
        let allowed =
            f64::max(2e-5 * largest(expected.iter().copied()).max(1.0), 10.0 * difference(expected, &moved[name]));
        let error = difference(expected, &found[name]);
        if error.is_nan() || error > allowed {
            wrong.push(format!("{name}: {error:e} of {allowed:e}"));
        }
    }
    wrong
}

/// Compares a model's native code with the interpreter; says what is wrong.
pub fn check(text: &str, seed: u64) -> Result<(), String> {
    let model = model(text);
    let graphs = graphs(&model);
    let compiled = compile(&model, &graphs, &Target::native(), &mut Session::default());
    let compiled = compiled.unwrap_or_else(|failure| panic!("seed {seed}: {failure:?}\n{text}"));
    let mut native = Native::new(&model, &compiled, 2).unwrap_or_else(|failure| panic!("{failure:?}"));
    let mut wrong = disagreements(&model, &graphs, &mut native, seed);
    let mut interpreter = Interpreted::new(&model, &graphs);
    let report = Certificate::new(&model, &mut interpreter, seed, LENGTHS).and_then(|mut form| form.run(&mut native));
    match report {
        Ok(report) if native.can_step() && !report.passed() => wrong.push(report.to_string()),
        Err(failure) => wrong.push(format!("{failure:?}")),
        Ok(_) => {}
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("seed {seed}\n{text}\n{}", wrong.join("\n"))) }
}

#[test]
fn random_models_compute_natively_what_the_interpreter_computes() {
    let first = number("ARCHC_SEED", 1);
    let mut wrong = Vec::new();
    for seed in first..first + number("ARCHC_MODELS", 12) {
        match std::panic::catch_unwind(|| check(&generator::write(seed), seed)) {
            Ok(answer) => wrong.extend(answer.err()),
            Err(_) => wrong.push(format!("seed {seed} panics\n{}", generator::write(seed))),
        }
    }
    assert!(wrong.is_empty(), "{} models:\n{}", wrong.len(), wrong.join("\n\n"));
}
