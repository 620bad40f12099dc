//! Every family of the reference cases as PTX, at the sizes of its case and with the tiles that are shipped.
//!
//! What grows token by token is asked for its certificate, and for the loss and every gradient of rows of unlike lengths;
//! everything else for the numbers of the case, but not for trajectories: they run the same code again, and some turn on
//! the last bit (see [`crate::oracles`]).

use super::models::{loaded, report, watched};
use crate::compiled::graphs;
use crate::random_models::{Numbers, differing, trained, truths, wrong_numbers};
use archc::driver::{self, Graphs, Request, Session};
use archc::gpu::Precision;
use archc::model::Model;
use archc::tensor::BATCH;
use archc::verify::inputs::{grown_sequence, token_input};
use archc::verify::rows::{padded, row_alone};
use archc::verify::weights::{Random, random_weights};
use archc::verify::{Array, Batch, By, Case, Engine, Native, compare};
use archc_runtime::abi::names;
use archc_runtime::model::Loaded;
use std::path::PathBuf;

/// The cases of every run: a decoder, and mixers, operators and samplers of all kinds, of which most take a second or two.
const USUAL: &str = "gpt2 gru lstm hyena_operator hyena_operator_order3 rwkv5_mix rwkv6_mix rwkv7_mix \
                     op_gla op_retention op_delta_rule op_gated_delta_rule op_kda op_rwkv6 op_simple_gla op_linear_attn op_dsa \
                     hierarchical_moe noisy_topk_moe noisy_topk_moe_eval \
                     ssd_lm d3pm diffuseq diffusion_lm ar_diffusion";

/// Programs that draw tokens: [`super::generation`] runs them.
const SAMPLERS: [&str; 4] = [names::TURN_BEGIN, names::TURN, names::GENERATE, names::REQUIRE];

fn by_machine(model: &Model, graphs: &Graphs) -> Loaded {
    loaded(model, graphs, 14, Precision::F32)
}

/// What is wrong with a family that grows token by token. Products of many rows, of a few and of one are other entries: so
/// it learns from three rows, from many that are short, from one of these and from a row of one token, says what all but
/// the first cost, reads them into states without room for more, and in the end every entry must have run. The longest
/// row leaves some expert more tokens than are few.
fn grown(model: &Model) -> Vec<String> {
    let graphs = graphs(model);
    let (loaded, coverage) = watched(model, &graphs, 14, Precision::F32);
    let mut native = Native::of(model, loaded);
    let report = report(model, &graphs, &mut native);
    let mut wrong = if report.passed() { Vec::new() } else { vec![report.to_string()] };
    let batch = padded(model, &|_| [1, 30, 3], &mut Random::new(6)).unwrap_or_else(|error| panic!("{error:?}"));
    let [short, one] = [2, 0].map(|row| row_alone(model, &batch, row));
    let rows = [repeated(&short, 9), short, one];
    let mut ask = |batch: &Batch, asked| wrong.extend(wrong_numbers((model, &graphs), batch, &mut native, 6, asked));
    rows.iter().for_each(|row| ask(row, outputs));
    if graphs.train.is_some() {
        rows.iter().chain([&batch]).for_each(|batch| ask(batch, trained));
        rows.iter().for_each(|row| ask(row, evaluated));
    }
    rows.iter().for_each(|row| wrong.extend(wrong_step((model, &graphs), row, &mut native)));
    let missed = coverage.missed(|program| !SAMPLERS.contains(&program));
    wrong.extend((!missed.is_empty()).then(|| format!("not launched: {}", missed.join(" "))));
    wrong
}

/// So many copies of a row.
fn repeated(row: &Batch, rows: usize) -> Batch {
    let inputs = row.inputs.iter().map(|(name, array)| {
        let shape = std::iter::once(rows).chain(array.shape[1..].iter().copied()).collect();
        (name.clone(), Array { shape, data: array.data.repeat(rows) })
    });
    let lengths = row.lengths.iter().map(|(name, own)| (name.clone(), own.repeat(rows)));
    Batch { rows, inputs: inputs.collect(), lengths: lengths.collect() }
}

/// What is wrong with the logits after rows of one length that are read at once, if the model has a step.
fn wrong_step((model, graphs): (&Model, &Graphs), row: &Batch, native: &mut Native<'_>) -> Vec<String> {
    if !native.can_step() {
        return Vec::new();
    }
    let tokens = token_input(model).unwrap_or_else(|error| panic!("{error:?}"));
    let length = row.inputs[&tokens.name].shape[1];
    let stepper = native.begin(&random_weights(model, 6), row, length);
    let (begin, counts) = (vec![0; row.rows], vec![length; row.rows]);
    let logits = stepper.and_then(|mut stepper| stepper.advance(row, &begin, &counts));
    let logits = logits.unwrap_or_else(|failure| panic!("{failure:?}")).concat();
    differing(&truths((model, graphs), row, 6, last), &named(STEPPED, logits))
}

/// What a step's numbers are called in messages.
const STEPPED: &str = "logits of a step";

/// The model's first output at the last position of each row.
fn last(engine: &mut dyn Engine, weights: &[Array], model: &Model, row: &Batch) -> Numbers {
    let outputs = engine.forward(weights, row).unwrap_or_else(|failure| panic!("{failure:?}"));
    let first = &outputs[&model.forward.outputs[0].0];
    let width = first.data.len() / (first.shape[0] * first.shape[1]);
    let rows = first.data.chunks(first.data.len() / first.shape[0]);
    named(STEPPED, rows.flat_map(|row| &row[row.len() - width..]).copied().collect())
}

fn named(name: &str, numbers: Vec<f64>) -> Numbers {
    Numbers::from([(name.to_string(), numbers)])
}

/// Outputs of rows without padding.
fn outputs(engine: &mut dyn Engine, weights: &[Array], _: &Model, batch: &Batch) -> Numbers {
    let outputs = engine.forward(weights, batch).unwrap_or_else(|failure| panic!("{failure:?}"));
    outputs.into_iter().map(|(name, array)| (name, array.data)).collect()
}

/// The loss and what else the program gives that evaluates.
fn evaluated(engine: &mut dyn Engine, weights: &[Array], _: &Model, batch: &Batch) -> Numbers {
    let given = engine.evaluated(weights, batch).unwrap_or_else(|failure| panic!("{failure:?}"));
    given.into_iter().map(|(name, array)| (name, array.data)).collect()
}

/// What is wrong with the numbers of a case.
fn numbers_of(case: &Case, request: &Request, session: &mut Session) -> Vec<String> {
    let mut case = case.clone();
    (case.answers.sgd, case.answers.adamw) = (None, None);
    let report = compare(&case, request, &By::Loaded(by_machine), session);
    let report = report.unwrap_or_else(|failure| panic!("{failure:?}"));
    if report.passed() { Vec::new() } else { vec![report.to_string()] }
}

/// What is wrong with a family at the sizes of a reference case.
fn of_case(name: &str) -> Vec<String> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracles").join(name);
    let case = Case::read(&folder).unwrap_or_else(|error| panic!("{error:?}"));
    let file = driver::find_family(case.architecture(), &[name, &case.answers.family]);
    let file = file.unwrap_or_else(|error| panic!("{error:?}"));
    let request = Request { file, config: Some(case.config_file()), ..Request::default() };
    let mut session = Session::default();
    let model = driver::check(&request, &mut session).unwrap_or_else(|failure| panic!("{failure:?}"));
    let first = model.forward.outputs.first().map(|(_, value)| &model.forward.values[value.0 as usize].ty);
    let has_rows = first.is_some_and(|ty| ty.axes.contains(&BATCH));
    if has_rows && grown_sequence(&model).is_some() { grown(&model) } else { numbers_of(&case, &request, &mut session) }
}

/// Which cases: `ARCHC_CASES` names others, with blanks between them, or is `all`.
fn cases() -> Vec<String> {
    let given = std::env::var("ARCHC_CASES").unwrap_or_else(|_| USUAL.to_string());
    if given != "all" {
        return given.split_whitespace().map(String::from).collect();
    }
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracles");
    let entries = std::fs::read_dir(folder).expect("the cases are there").flatten();
    let folders = entries.filter(|entry| entry.path().is_dir());
    let mut names = folders.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>();
    names.sort();
    names
}

#[test]
fn families_of_reference_cases_run_in_ptx() {
    let mut wrong = Vec::new();
    for name in cases() {
        let start = std::time::Instant::now();
        let found = std::panic::catch_unwind(|| of_case(&name)).unwrap_or_else(|_| vec!["it panics".into()]);
        let verdict = match found.as_slice() {
            [] => "in PTX as by the interpreter".to_string(),
            some => format!("WRONG\n{}", some.join("\n")),
        };
        println!("{name}: {verdict} ({:.0} s)", start.elapsed().as_secs_f64());
        wrong.extend(found.iter().map(|text| format!("{name}: {text}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
