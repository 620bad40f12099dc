//! How parameters start that are computed from draws: their distributions (Kolmogorov-Smirnov at a fixed seed), and that a
//! number depends on the seed, the draw and the place alone.

use super::compiled::{graphs, loaded, model_with};
use archc_runtime::model::Loaded;

/// The quantile of Kolmogorov's distribution that a fair source passes but once in a hundred times.
const RARE: f64 = 1.63;

/// A family of two layers, started from a seed.
fn started(text: &str, settings: &[(&str, &str)], seed: u64, threads: usize) -> Loaded {
    let model = model_with(text, settings);
    let mut started = loaded(&model, &graphs(&model), &[], threads);
    started.initialize(seed).expect("its manifest is sound");
    started
}

fn family(name: &str, settings: &[(&str, &str)]) -> Loaded {
    let text = std::fs::read_to_string(format!("{}/examples/{name}.arch", env!("CARGO_MANIFEST_DIR")));
    let common = [("layers", "2"), ("d", "4"), ("v", "5")];
    started(&text.expect("is there"), &[&common, settings].concat(), 3, 2)
}

/// The one path that ends so.
fn path(model: &Loaded, end: &str) -> String {
    let mut all = model.manifest().parameters.iter().map(|info| info.path.clone());
    all.find(|path| path.ends_with(end)).expect("has it")
}

fn numbers(model: &Loaded, path: &str) -> Vec<f64> {
    let place = model.manifest().parameters.iter().position(|info| info.path == path).expect("has it");
    model.parameters()[place].slice::<f32>().iter().map(|number| f64::from(*number)).collect()
}

/// Whether numbers are spread evenly from `low` to `high`.
fn assert_even(name: &str, mut numbers: Vec<f64>, low: f64, high: f64) {
    numbers.sort_by(f64::total_cmp);
    let count = numbers.len() as f64;
    let gap = |(at, number): (usize, &f64)| {
        let expected = (number - low) / (high - low);
        (expected - at as f64 / count).abs().max((expected - (at + 1) as f64 / count).abs())
    };
    let furthest = numbers.iter().enumerate().map(gap).fold(0.0, f64::max);
    assert!(furthest < RARE / count.sqrt(), "{name}: {furthest} of {count} numbers");
}

fn softplus(x: f64) -> f64 {
    x.exp().ln_1p()
}

/// Steps of which each size from 0.001 to 0.1 is as likely, by their logarithm.
fn assert_steps(model: &Loaded, path: &str) {
    let steps = numbers(model, path).into_iter().map(|bias| softplus(bias).log10()).collect();
    assert_even(path, steps, -3.0, -1.0);
}

fn assert_rates(model: &Loaded, path: &str) {
    assert_even(path, numbers(model, path).into_iter().map(f64::exp).collect(), 1.0, 16.0);
}

#[test]
fn steps_and_rates_of_recurrences_begin_as_published() {
    let mamba = family("mamba", &[("inner", "400"), ("low", "2"), ("state", "3")]);
    assert_steps(&mamba, "layers.mixer.dt_b");
    let rates = numbers(&mamba, "layers.mixer.A_log");
    assert!(rates.iter().enumerate().all(|(at, log)| (log.exp() - (1 + at % 3) as f64).abs() < 1e-5));
    assert!(numbers(&mamba, "layers.mixer.D").iter().all(|number| *number == 1.0));

    let mamba2 = family("mamba2", &[("heads", "400"), ("head", "1"), ("state", "2")]);
    assert_steps(&mamba2, "layers.mixer.dt_bias");
    assert_rates(&mamba2, "layers.mixer.A_log");
    assert!(numbers(&mamba2, "layers.mixer.D").iter().all(|number| *number == 1.0));

    let widths = [("heads", "400"), ("key_heads", "400"), ("key_width", "1"), ("width", "1"), ("hidden", "4")];
    let delta = family("gated_deltanet", &widths);
    assert_steps(&delta, &path(&delta, ".dt_bias"));
    assert_rates(&delta, &path(&delta, ".A_log"));
}

const DRAWN: &str = "model Drawn {
  dim t, c = 3, n = 4
  input x[t, c]
  y[t, c] = x
  for i in 2 {
    near[c] ~ uniform(0, 1)
    far[n] ~ normal(10 * n, 0.5)
    param w[c, n] = near + 2, b[c] = near, z[n] = far
    y += sum[n](w * z) * b
  }
  output out = y
}";

#[test]
fn a_number_is_that_of_its_seed_its_draw_and_its_place() {
    let all = |seed: u64, threads: usize| {
        let model = started(DRAWN, &[], seed, threads);
        [".w", ".b", ".z"].map(|end| numbers(&model, &path(&model, end)))
    };
    let [w, b, z] = all(1, 1);
    assert_eq!([w.clone(), b.clone(), z.clone()], all(1, 2));
    assert_ne!(b, all(2, 1)[1]);
    // One draw for each place along its own axes, in each turn another: two parameters that read it have the same.
    assert!((0..24).all(|at| (w[at] - b[at / 4] - 2.0).abs() < 1e-6), "{w:?} {b:?}");
    assert_ne!(b[..3], b[3..]);
    assert!((0..8).all(|at| (z[at] - 10.0 * (at % 4) as f64).abs() < 2.5), "{z:?}");
}
