//! Optimizers move parameters as PyTorch's do: the formulas written out in double precision.

use super::fake;
use archc_runtime::optimizer::{Gradient, Optimizer, Settings};
use archc_runtime::recipe::{Method, Recipe};

const SIZE: usize = 256 * 256;

fn settings(method: Method) -> Settings {
    let recipe = Recipe { beta2: 0.999, weight_decay: 0.01, momentum: 0.9, ..Recipe::default() };
    Settings { method, ..Settings::of(&recipe) }
}

fn gradient(step: usize) -> Vec<f32> {
    (0..SIZE).map(|at| ((at * 31 + step * 7) % 101) as f32 / 50.0 - 1.0).collect()
}

/// The parameters after five steps, scaled gradients and all.
fn moved(method: Method, threads: usize) -> Vec<f32> {
    let mut model = fake::model(threads, 2);
    let mut optimizer = Optimizer::new(settings(method), &model).unwrap();
    for step in 0..5 {
        let gradient = gradient(step);
        optimizer.step(&mut model, &[Some(Gradient::Here(&gradient))], 1e-2, 0.5).unwrap();
    }
    assert_eq!(optimizer.steps(), 5);
    model.parameters()[0].slice().to_vec()
}

fn start() -> Vec<f64> {
    fake::model(1, 2).parameters()[0].slice::<f32>().iter().map(|value| f64::from(*value)).collect()
}

fn assert_near(actual: &[f32], expected: &[f64]) {
    let far = actual.iter().zip(expected).map(|(actual, expected)| (f64::from(*actual) - expected).abs());
    assert!(far.fold(0.0, f64::max) < 1e-6);
}

#[test]
fn adamw_decays_first_and_corrects_its_bias() {
    let expected: Vec<f64> = start()
        .into_iter()
        .enumerate()
        .map(|(at, mut value)| {
            let (mut first, mut second) = (0.0, 0.0);
            for step in 0..5 {
                let gradient = 0.5 * f64::from(gradient_at(at, step));
                value -= 1e-2 * 0.01 * value;
                first = 0.9 * first + 0.1 * gradient;
                second = 0.999 * second + 0.001 * gradient * gradient;
                let time = step as i32 + 1;
                let mean: f64 = first / (1.0 - 0.9f64.powi(time));
                let root = (second / (1.0 - 0.999f64.powi(time))).sqrt();
                value -= 1e-2 * mean / (root + 1e-8);
            }
            value
        })
        .collect();
    assert_near(&moved(Method::AdamW, 1), &expected);
}

fn gradient_at(at: usize, step: usize) -> f32 {
    ((at * 31 + step * 7) % 101) as f32 / 50.0 - 1.0
}

#[test]
fn sgd_keeps_its_momentum_and_decays_apart() {
    let expected: Vec<f64> = start()
        .into_iter()
        .enumerate()
        .map(|(at, mut value)| {
            let mut kept = 0.0;
            for step in 0..5 {
                kept = 0.9 * kept + 0.5 * f64::from(gradient_at(at, step));
                value = value * (1.0 - 1e-2 * 0.01) - 1e-2 * kept;
            }
            value
        })
        .collect();
    assert_near(&moved(Method::Sgd, 1), &expected);
}

#[test]
fn results_are_the_same_on_any_number_of_threads() {
    for method in [Method::AdamW, Method::Sgd] {
        assert_eq!(moved(method, 1), moved(method, 2));
    }
}

#[test]
fn a_parameter_without_gradient_stays_as_it_is() {
    let mut model = fake::model(1, 2);
    let mut optimizer = Optimizer::new(settings(Method::AdamW), &model).unwrap();
    optimizer.step(&mut model, &[None], 1e-2, 1.0).unwrap();
    let values: Vec<f64> = model.parameters()[0].slice::<f32>().iter().map(|value| f64::from(*value)).collect();
    assert_eq!(values, start());
}
