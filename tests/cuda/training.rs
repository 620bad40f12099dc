//! A training as it is run for users, on the machine: with products in 32 bits its losses are those of a CPU, and on
//! tensor cores they stay beside them.

use super::models::loaded;
use crate::compiled::{self, graphs, model_with};
use archc::driver::Graphs;
use archc::gpu::Precision;
use archc::model::library::embedded;
use archc_runtime::data::Tokens;
use archc_runtime::model::Loaded;
use archc_runtime::recipe::Recipe;
use archc_runtime::source::Source;
use archc_runtime::train::{Folder, ProgressLine, Training};

const RECIPE: &str = "batch: 2\ncontext: 9\nsteps: 6\nwarmup: 2\nlog_every: 1\nlearning_rate: 0.01\nvalidation: 0.05";

/// A llama of one layer, of sizes that no tile divides.
const LLAMA: [(&str, &str); 6] =
    [("layers", "1"), ("heads", "4"), ("kv_heads", "2"), ("hidden", "44"), ("d", "40"), ("v", "61")];

/// The loss of each step.
fn losses(mut model: Loaded) -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let tokens = Tokens::Ids((0..400).map(|place| place * place % 61).collect());
    let recipe = Recipe::parse(RECIPE, "recipe", &[]).expect("is a recipe");
    let source = Source::text(&tokens, &recipe, &model).expect("fits");
    let folder = Folder::open(folder.path()).expect("can be written");
    let mut training = Training::new(&mut model, &recipe, source).expect("fits");
    training.run(&folder, &mut ProgressLine::Silent, None).expect("it learns");
    let text = std::fs::read_to_string(folder.metrics()).expect("is written");
    let loss = |line: &str| line.split(',').nth(2).and_then(|loss| loss.parse().ok());
    text.lines().skip(1).map(|line| loss(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

/// What a training runs.
fn learning_only(graphs: Graphs) -> Graphs {
    Graphs { begin: None, step: None, turn_begin: None, turn: None, ..graphs }
}

/// Each loss differs by a few roundings of the factors at most: by more than without them, and by less than a wrong
/// gradient would make of it in six steps. Sums of 32 bits in another order are allowed a little too.
#[test]
fn a_training_on_tensor_cores_stays_beside_that_in_32_bits() {
    let model = model_with(embedded("examples/llama.arch").expect("an example"), &LLAMA);
    let graphs = learning_only(graphs(&model));
    let truth = losses(compiled::loaded(&model, &graphs, &[], 1));
    assert!(truth.len() == 6 && truth[5] < truth[0] - 0.3, "{truth:?}");
    let roundings = [(Precision::Tf32, 2f64.powi(-11)), (Precision::Bf16, 2f64.powi(-9))];
    let bounds = roundings.map(|(precision, rounding)| (precision, rounding / 100.0, 8.0 * rounding));
    for (precision, least, most) in [(Precision::F32, 0.0, 1e-5)].into_iter().chain(bounds) {
        let found = losses(loaded(&model, &graphs, 15, precision));
        assert_eq!(found.len(), truth.len());
        let shares = truth.iter().zip(&found).map(|(wanted, found)| (wanted - found).abs() / wanted);
        let worst = shares.fold(0.0, f64::max);
        println!("{}: {found:.5?}, off by {worst:.1e} of the loss at most", precision.name());
        assert!((least..=most).contains(&worst), "{}: {found:?}, {truth:?}", precision.name());
    }
}
