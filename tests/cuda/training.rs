//! A training as it is run for users, on the machine: with products in 32 bits its losses are those of a CPU, and on
//! tensor cores they stay beside them.

use super::models::{loaded, observed};
use super::traffic::Crossed;
use crate::compiled::{self, graphs, model_with};
use archc::driver::Graphs;
use archc::gpu::Precision;
use archc::model::Model;
use archc::model::library::embedded;
use archc_runtime::abi::{Role, Size, names};
use archc_runtime::data::Tokens;
use archc_runtime::memory::Tensor;
use archc_runtime::model::Loaded;
use archc_runtime::recipe::Recipe;
use archc_runtime::source::Source;
use archc_runtime::train::{Folder, ProgressLine, Training};
use std::path::Path;

const RECIPE: &str = "batch: 2\ncontext: 9\nsteps: 6\nwarmup: 2\nlog_every: 1\nlearning_rate: 0.01\nvalidation: 0.05\n\
                      schedule: constant";

/// A llama of one layer, of sizes that no tile divides.
const LLAMA: [(&str, &str); 6] =
    [("layers", "1"), ("heads", "4"), ("kv_heads", "2"), ("hidden", "44"), ("d", "40"), ("v", "61")];

/// Changes of the recipe.
type Changes = [(&'static str, &'static str)];

/// The clipped steps of AdamW, and those of SGD over several batches.
const METHODS: [&Changes; 2] =
    [&[("clip", "0.4")], &[("optimizer", "sgd"), ("momentum", "0.9"), ("accumulate", "2"), ("learning_rate", "0.1")]];

/// Trains from the start, or on from the folder's checkpoint, up to a step: loss and norm of the gradients of each step.
fn train(model: &mut Loaded, folder: &Path, changes: &Changes, steps: u64, resume: bool) -> Vec<[f64; 2]> {
    let tokens = Tokens::Ids((0..400).map(|place| place * place % 61).collect());
    let changes = changes.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect::<Vec<_>>();
    let mut recipe = Recipe::parse(RECIPE, "recipe", &changes).expect("is a recipe");
    recipe.steps = steps;
    let source = Source::text(&tokens, &recipe, model).expect("fits");
    let folder = Folder::open(folder).expect("can be written");
    let mut training = Training::new(model, &recipe, source).expect("fits");
    if resume {
        training.resume(&folder).expect("the checkpoint is whole");
    }
    training.run(&folder, &mut ProgressLine::Silent, None).expect("it learns");
    let text = std::fs::read_to_string(folder.metrics()).expect("is written");
    let number = |line: &str, column| line.split(',').nth(column).and_then(|number| number.parse().ok());
    let row = |line: &str| [2, 6].map(|column| number(line, column).unwrap_or_else(|| panic!("{line}")));
    text.lines().skip(1).map(row).collect()
}

/// The loss of each step.
fn losses(mut model: Loaded) -> Vec<f64> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    train(&mut model, folder.path(), &[], 6, false).into_iter().map(|[loss, _]| loss).collect()
}

/// What a training runs.
fn learning_only(graphs: Graphs) -> Graphs {
    Graphs { begin: None, step: None, turn_begin: None, turn: None, ..graphs }
}

/// Each loss differs by a few roundings of the factors at most: by more than without them, and by less than a wrong
/// gradient would make of it in six steps. Sums of 32 bits in another order are allowed a little too.
#[test]
fn a_training_on_tensor_cores_stays_beside_that_in_32_bits() {
    let (model, graphs) = llama();
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

/// How far two curves are apart at most, as a share.
fn apart(left: &[[f64; 2]], right: &[[f64; 2]]) -> f64 {
    assert_eq!(left.len(), right.len());
    let pairs = left.iter().flatten().zip(right.iter().flatten());
    pairs.map(|(left, right)| (left - right).abs() / left.abs()).fold(0.0, f64::max)
}

fn llama() -> (Model, Graphs) {
    let model = model_with(embedded("examples/llama.arch").expect("an example"), &LLAMA);
    let graphs = learning_only(graphs(&model));
    (model, graphs)
}

#[test]
fn a_training_goes_on_from_a_checkpoint_on_a_machine_or_on_a_cpu() {
    let (model, graphs) = llama();
    let mut here = compiled::loaded(&model, &graphs, &[], 1);
    let mut there = loaded(&model, &graphs, 17, Precision::F32);
    for changes in METHODS {
        let folders = [0; 4].map(|_| tempfile::tempdir().expect("a temporary folder"));
        let [left, right, first, second] = folders.each_ref().map(|folder| folder.path());
        let truth = train(&mut here, left, changes, 5, false);
        let found = train(&mut there, right, changes, 5, false);
        assert!(apart(&truth, &found) < 1e-4, "{truth:?}, {found:?}");
        let difference = difference(&here, &there);
        assert!(difference < 1e-4, "weights are {difference} apart");

        train(&mut there, first, changes, 3, false);
        let checkpoint = |folder: &Path| folder.join("checkpoint.safetensors");
        std::fs::copy(checkpoint(first), checkpoint(second)).expect("a file");
        assert_eq!(train(&mut there, first, changes, 5, true), found, "what was stopped goes on to the bit");
        let from_there = train(&mut here, second, changes, 5, true);
        assert!(apart(&truth[3..], &from_there) < 1e-4, "{truth:?}, {from_there:?}");
        train(&mut here, second, changes, 3, false);
        let from_here = train(&mut there, second, changes, 5, true);
        assert!(apart(&truth, &from_here) < 1e-4, "{truth:?}, {from_here:?}");
    }
}

/// The largest difference between the parameters of two models.
fn difference(left: &Loaded, right: &Loaded) -> f32 {
    let pairs = left.parameters().iter().zip(right.parameters());
    let pairs = pairs.flat_map(|(left, right)| left.slice::<f32>().iter().zip(right.slice::<f32>()));
    pairs.map(|(left, right)| (left - right).abs()).fold(0.0, f32::max)
}

/// A buffer that a training step moves by the data alone.
const DRIFTING: &str = "\
model Drifting {
  dim t, d = 6, v = 61
  input ids[t] : v
  param table[v, d], head[v, d]
  x = drift: drifting(table[v: ids])
  output logits = sum[d](x * head)
  train next_token(self.logits, ids)
}
block drifting[t, d](x[t, d]) -> [t, d] {
  buffer offset[d] = 0
  update offset = offset + 0.01 * sign(sum[batch, t](x))
  return x + offset
}
";

#[test]
fn a_buffer_that_a_step_moves_is_moved_on_the_machine() {
    let model = model_with(DRIFTING, &[]);
    let graphs = learning_only(graphs(&model));
    let mut here = compiled::loaded(&model, &graphs, &[], 1);
    let (mut there, _, traffic) = observed(&model, &graphs, 19, Precision::F32);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let curves = [&mut here, &mut there].map(|model| train(model, folder.path(), &[], 4, false));
    assert!(apart(&curves[0], &curves[1]) < 1e-5, "{curves:?}");
    let place = model.parameters.iter().position(|one| one.path == "drift.offset").expect("is a buffer");
    let [left, right] = [&here, &there].map(|model| model.parameters()[place].slice::<f32>());
    assert_eq!(left, right);
    assert!(left.iter().any(|number| *number != 0.0), "{left:?}");
    // The weights came back once, with the two moments, for the checkpoint.
    let weights = there.parameters().iter().map(Tensor::len).sum::<usize>() * size_of::<f32>();
    assert!((weights..5 * weights).contains(&traffic.crossed().down), "{:?}", traffic.crossed());
}

/// Bytes of a training step's tokens. What else it reads is there from the step before.
fn token_bytes(model: &Loaded) -> usize {
    let call = model.prepare_call(names::TRAIN, &[(names::BATCH, 2), ("t", 10)]).expect("is a program");
    let info = model.program(names::TRAIN).expect("is a program");
    let inputs = info.buffers.iter().filter(|buffer| buffer.role == Role::Input && buffer.name == "ids");
    let count = |shape: &[Size]| shape.iter().map(|size| size.evaluate(call.sizes()) as usize).product::<usize>();
    inputs.map(|buffer| count(&buffer.shape) * buffer.element.bytes()).sum()
}

#[test]
fn of_a_step_only_its_tokens_its_loss_and_its_norm_cross() {
    let (model, graphs) = llama();
    let (mut model, _, traffic) = observed(&model, &graphs, 18, Precision::F32);
    let mut plans = Vec::new();
    for (changes, batches) in METHODS.into_iter().zip([1, 2]) {
        // A training of two steps beside one of a single step: what begins and ends them is the same.
        let [one, two] = [1, 2].map(|steps| {
            let (folder, before) = (tempfile::tempdir().expect("a temporary folder"), traffic.crossed());
            let launched = traffic.updates().len();
            train(&mut model, folder.path(), changes, steps, false);
            let crossed = traffic.crossed();
            let crossed = Crossed { up: crossed.up - before.up, down: crossed.down - before.down };
            (crossed, traffic.updates().split_off(launched))
        });
        let step = Crossed { up: two.0.up - one.0.up, down: two.0.down - one.0.down };
        let (loss, norm) = (size_of::<f32>(), size_of::<f64>());
        assert_eq!(step, Crossed { up: batches * token_bytes(&model), down: batches * loss + norm }, "{changes:?}");
        assert_eq!(two.1, [one.1.clone(), one.1.clone()].concat());
        plans.push(one.1.join("\n"));
    }
    insta::assert_snapshot!("what_a_step_launches_to_move_parameters", plans.join("\n\n"));
}
