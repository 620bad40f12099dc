//! The judge itself: readers, tolerances, layouts, optimizers, and that an altered number is always found.

mod certificate;
mod echo;

use archc::fault::Fault;
use archc::model::{MappedPart, WeightMap};
use archc::verify::case::{Answers, Trajectory};
use archc::verify::layout::{file_tensor, parameters_of};
use archc::verify::optimizer::Optimizer;
use archc::verify::report::Verdict;
use archc::verify::tolerance::{Quantity, distance};
use archc::verify::{Array, Case, Comparison, Report};
use echo::Echo;
use std::path::PathBuf;

fn case() -> Case {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/gpt2");
    Case::read(&folder).expect("a case of the repository")
}

/// Judges a case by an engine that knows the true numbers.
fn judge(case: &Case, truth: &Case) -> Report {
    let (model, map) = (echo::model(case), echo::map(case));
    let comparison = Comparison::new(case, &model, &map).expect("gradients of the loss");
    comparison.run(&mut Echo::new(truth)).expect("the case fits its own model")
}

#[test]
fn a_case_agrees_with_itself_and_every_number_of_it_is_checked() {
    let case = case();
    let report = judge(&case, &case);
    assert!(report.passed(), "{report}");
    let unchecked = case.tensors.keys().filter(|name| !report.has(name)).cloned().collect::<Vec<_>>();
    assert_eq!(unchecked, ["decode_prompt", "input_ids", "labels"]);
    assert_eq!(case.architecture(), Some("GPT2LMHeadModel"));
}

#[test]
fn one_altered_value_of_any_tensor_is_found() {
    let truth = case();
    for name in truth.tensors.keys().filter(|name| !["decode_prompt", "input_ids", "labels"].contains(&name.as_str())) {
        let mut mutant = truth.clone();
        let tensor = mutant.tensors.get_mut(name).expect("just listed");
        let place = tensor.data.len() / 3;
        tensor.data[place] += f64::max(1e-3, 0.01 * tensor.data[place].abs()).max(tensor.largest() * 1e-3);
        let report = judge(&mutant, &truth);
        let wrong: Vec<&str> = report
            .lines
            .iter()
            .filter(|line| !matches!(line.verdict, Verdict::Agrees(_)))
            .map(|line| line.name.as_str())
            .collect();
        assert_eq!(wrong, [name.as_str()], "{report}");
    }
}

#[test]
fn an_altered_norm_or_loss_on_the_way_is_found() {
    let truth = case();
    let mut mutant = truth.clone();
    *mutant.answers.grad_l2.values_mut().nth(3).expect("has norms") *= 1.001;
    assert!(!judge(&mutant, &truth).passed());
    for step in 0..6 {
        let mut mutant = truth.clone();
        mutant.answers.adamw.as_mut().expect("has losses").losses[step] *= 1.001;
        assert!(!judge(&mutant, &truth).passed(), "step {step}");
    }
}

#[test]
fn a_tensor_that_nothing_computes_is_a_failure() {
    let truth = case();
    let mut case = truth.clone();
    case.tensors.insert("aux_loss".into(), Array::filled(&[1], 0.5));
    case.tensors.insert("grad.nowhere.weight".into(), Array::filled(&[1], 0.5));
    let report = judge(&case, &truth);
    let unchecked: Vec<&str> = report
        .lines
        .iter()
        .filter(|line| matches!(line.verdict, Verdict::NotChecked(_)))
        .map(|line| line.name.as_str())
        .collect();
    assert_eq!(unchecked, ["grad.nowhere.weight", "aux_loss"]);
    assert!(!report.passed());
}

#[test]
fn what_is_not_a_number_never_agrees() {
    let answers = Answers::default();
    let one = Array::filled(&[2], 1.0);
    let mut strange = one.clone();
    strange.data[1] = f64::NAN;
    assert!(!distance(Quantity::Values, &strange, &one, &answers).is_allowed());
    assert!(!distance(Quantity::Values, &one, &strange, &answers).is_allowed());
    assert!(!Report::default().passed());
}

#[test]
fn a_gradient_without_any_number_is_said_to_be_not_compared() {
    let truth = case();
    let name = truth.tensors.keys().find(|name| name.starts_with("grad.")).expect("has gradients").clone();
    let mut silent = truth.clone();
    let stored = silent.tensors.get_mut(&name).expect("just found");
    stored.data.fill(f64::NAN);
    let report = judge(&silent, &truth);
    assert!(report.passed() && report.to_string().contains("not compared"), "{report}");
    silent.tensors.get_mut(&name).expect("just found").data[0] = 1.0;
    assert!(!judge(&silent, &truth).passed(), "one number is a statement");
    assert!(!judge(&silent, &silent).passed(), "ours must be finite");
}

#[test]
fn a_tolerance_is_the_one_that_the_rules_state() {
    let mut answers = Answers::default();
    let reference = Array { shape: vec![2], data: vec![100.0, 1.0] };
    let allowed = |quantity, answers: &Answers| {
        let mut actual = reference.clone();
        actual.data[1] += 1.0;
        distance(quantity, &actual, &reference, answers).allowed
    };
    assert_eq!(allowed(Quantity::Values, &answers), 2e-5);
    assert_eq!(allowed(Quantity::Loss, &answers), 1e-5);
    assert_eq!(allowed(Quantity::Gradient, &answers), 1e-4 * 100.0 + 1e-6);
    assert_eq!(allowed(Quantity::Norms, &answers), 1e-4 + 1e-6);
    assert_eq!(allowed(Quantity::Losses, &answers), 1e-4);
    answers.noise.one_ulp_weights = 1e-4;
    answers.min_selection_gap = Some(5e-4);
    assert_eq!(allowed(Quantity::Values, &answers), 1e-3);
    assert_eq!(allowed(Quantity::Losses, &answers), 1e-3);
}

#[test]
fn two_parts_of_one_tensor_go_into_two_parameters_and_back() {
    let mut case = case();
    let name = "transformer.h.0.attn.c_proj.weight";
    let tensor = case.weights[name].clone();
    case.weights.clear();
    case.weights.insert(name.into(), tensor.clone());
    let mut model = echo::model(&case);
    // The parameter is the transpose of the tensor.
    let mut tensors = echo::map(&case).tensors.to_vec();
    let part = MappedPart {
        extents: vec![64, 64],
        source_strides: vec![64, 1],
        target_strides: vec![1, 64],
        ..tensors[0].parts[0].clone()
    };
    tensors[0].parts = vec![part];
    let mut map = WeightMap { tensors: tensors.iter().cloned().collect(), ..echo::map(&case) };
    let parameters = parameters_of(&model, &map, &case.weights).expect("fits");
    assert_eq!(parameters[0].data[1], tensor.data[64]);
    assert_eq!(file_tensor(&map.tensors[0], &parameters), tensor);
    // A map that fills half of it, a file that holds more, and a tensor of another shape are refused.
    tensors[0].parts[0].extents[0] = 32;
    map.tensors = tensors.into_iter().collect();
    refused(parameters_of(&model, &map, &case.weights), "leaves 2048 elements");
    let map = echo::map(&case);
    case.weights.insert("stray".into(), tensor.clone());
    refused(parameters_of(&model, &map, &case.weights), "holds `stray`");
    case.weights.remove("stray");
    case.weights.get_mut(name).expect("is there").shape = vec![32, 128];
    refused(parameters_of(&model, &map, &case.weights), "shape [32, 128]");
    case.weights.clear();
    refused(parameters_of(&model, &map, &case.weights), "has no tensor");
    model.parameters.clear();
}

fn refused<T: std::fmt::Debug>(result: Result<T, archc::fault::Environment>, part: &str) {
    let message = result.expect_err("must be refused").to_string();
    assert!(message.contains(part), "{message}");
}

#[test]
fn adamw_decays_first_and_corrects_its_moments() {
    let settings = Trajectory { lr: 0.1, betas: [0.9, 0.999], eps: 0.0, weight_decay: 0.5, losses: Vec::new() };
    let mut parameters = vec![Array::filled(&[1], 2.0), Array::filled(&[1], 2.0)];
    let mut optimizer = Optimizer::adamw(&settings, &parameters);
    optimizer.step(&mut parameters, &[Some(Array::filled(&[1], -3.0)), None], |_, _| false);
    // The first corrected step has length lr: 2 - 0.1 * 0.5 * 2 + 0.1.
    assert!((parameters[0].data[0] - 2.0).abs() < 1e-12);
    assert_eq!(parameters[1].data[0], 2.0);
}

#[test]
fn an_element_that_stays_is_not_decayed_and_its_first_step_comes_later() {
    let settings = Trajectory { lr: 0.1, betas: [0.9, 0.999], eps: 0.0, weight_decay: 0.5, losses: Vec::new() };
    let mut parameters = vec![Array::filled(&[2], 2.0)];
    let mut optimizer = Optimizer::adamw(&settings, &parameters);
    let gradient = [Some(Array::filled(&[2], -3.0))];
    optimizer.step(&mut parameters, &gradient, |_, at| at == 1);
    assert_eq!(parameters[0].data[1], 2.0);
    optimizer.step(&mut parameters, &gradient, |_, at| at == 0);
    assert!(parameters[0].data.iter().all(|weight| (weight - 2.0).abs() < 1e-12), "{:?}", parameters[0].data);
}

#[test]
fn a_folder_that_is_no_case_is_refused_with_what_a_case_is() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let message = Case::read(folder.path()).map(|case| case.name()).expect_err("is empty").to_string();
    assert!(message.contains("case.json") && message.contains("model.safetensors"), "{message}");
    std::fs::write(folder.path().join("case.json"), "{").expect("writable");
    assert!(Case::read(folder.path()).expect_err("is cut off").message.contains("is not JSON"));
}

#[test]
fn a_panic_in_a_stage_is_a_bug_of_that_stage() {
    let mut session = archc::driver::Session::default();
    let bug = session.stage("plan", |_| -> u32 { panic!("every buffer has a writer") }).expect_err("panics");
    assert_eq!(bug.stage, "plan");
    assert!(bug.guarantee.contains("every buffer has a writer"), "{bug}");
    assert!(matches!(Fault::from(bug), Fault::Bug(_)));
}
