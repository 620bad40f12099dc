//! The two questions that `archc verify` answers, from files to a report.

use super::certificate::LENGTHS;
use super::compare::leave_nothing_out;
use super::report::Verdict;
use super::{Case, Certificate, Comparison, Interpreted, Machine, Native, Report};
use crate::driver::{self, Failure, Graphs, Request, Session};
use crate::fault::Environment;
use crate::graph::Graph;
use crate::model::{Model, WeightMap};
use crate::passes::scans::{self, Form};
use archc_runtime::abi::names;
use archc_runtime::model::Loaded;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The seed of a certificate's weights and tokens.
const SEED: u64 = 1;
/// The longest ring that a certificate goes round: the interpreter's work grows with the square of it.
const FAR: usize = 1024;
/// The chunk lengths in which scans are compared.
const CHUNKS: [u32; 4] = [1, 7, 16, 64];

/// How numbers are computed.
#[derive(Debug, Clone)]
pub enum By {
    /// By the interpreter.
    Interpreter,
    /// By native code of a machine.
    Native(Machine),
    /// By code that this function makes and loads.
    Loaded(fn(&Model, &Graphs) -> Loaded),
}

/// Computes every number of a reference case. Without a file, the architecture of its configuration finds one.
///
/// # Errors
/// If the case cannot be read, no model fits it, or a program cannot be made or run.
pub fn against(
    folder: &Path,
    file: Option<PathBuf>,
    settings: &[(String, String)],
    by: &By,
    session: &mut Session,
) -> Result<Report, Failure> {
    let case = Case::read(folder)?;
    let file = match file {
        Some(file) => file,
        None => driver::find_family(case.architecture(), &[&case.name(), &case.answers.family])?,
    };
    let request = Request { file, settings: settings.to_vec(), config: Some(case.config_file()), model: None };
    compare(&case, &request, by, session)
}

/// Computes every number of a case that is in memory. Each model of a file with several computes a part of it.
///
/// # Errors
/// As [`against`].
pub fn compare(case: &Case, request: &Request, by: &By, session: &mut Session) -> Result<Report, Failure> {
    let library = driver::parse(request, session)?;
    let first = library.models.first().map(|model| model.name.span.file);
    let own = library.models.iter().filter(|model| Some(model.name.span.file) == first);
    let (mut report, mut seen) = (Report::default(), BTreeSet::new());
    for name in own.map(|model| model.name.text.clone()).collect::<Vec<_>>() {
        let request = Request { model: Some(name), ..request.clone() };
        let (part, given) = compare_part(case, &request, by, session)?;
        report.lines.extend(part.lines);
        seen.extend(given);
    }
    leave_nothing_out(case, &mut report, &seen);
    Ok(report)
}

/// The numbers of a case that one model speaks of, and the names of what it is given.
fn compare_part(
    case: &Case,
    request: &Request,
    by: &By,
    session: &mut Session,
) -> Result<(Report, BTreeSet<String>), Failure> {
    let mut model = driver::check(request, session)?;
    let map = map_of(&model, case)?.clone();
    let case = &case.in_order_of(&map)?;
    driver::expose_values(&mut model, &map);
    let reals = model.inputs.iter().filter(|input| input.dtype.is_real()).map(|input| input.name.clone());
    let wanted = reals.filter(|name| map.said.gradients.iter().any(|(path, _)| path == name)).collect::<Vec<_>>();
    let mut graphs = driver::graphs_with(&model, &wanted, session)?;
    let draws = map.said.draws.iter().map(|(path, _)| path.clone()).collect::<Vec<_>>();
    driver::feed_draws(&mut graphs, &draws)?;
    let comparison = Comparison::new(case, &model, &map)?;
    let pairs = comparison.objective.pairs();
    if !pairs.is_empty() {
        graphs.judged = Some(driver::judged(&model, &graphs.forward, &pairs, session)?);
    }
    match by {
        By::Interpreter => comparison.run_part(&mut Interpreted::new(&model, &graphs)),
        By::Native(machine) => {
            let (mut report, seen) = comparison.run_part(&mut machine.native(&model, &graphs, session)?)?;
            if graphs.step.is_none() && graphs.generate.is_none() && report.has("decode_ids") {
                report.note("there is no step program: each new token computed its whole sequence");
            }
            Ok((report, seen))
        }
        By::Loaded(load) => comparison.run_part(&mut Native::of(&model, load(&model, &graphs))),
    }
}

fn map_of<'m>(model: &'m Model, case: &Case) -> Result<&'m WeightMap, Environment> {
    let named = model.weights.iter().find(|map| Some(map.architecture.as_str()) == case.architecture());
    named.or(model.weights.first()).ok_or_else(|| {
        Environment::new(format!("the model {} has no weight map", model.name))
            .help("write `weights huggingface \"…\" { … }` in its file, or leave the file out to find the family")
    })
}

/// Compares all forms of a model's program, with random weights.
///
/// # Errors
/// If the program is wrong, or cannot be made or run.
pub fn certify(request: &Request, machine: &Machine, session: &mut Session) -> Result<Report, Failure> {
    let model = driver::check(request, session)?;
    let mut graphs = driver::graphs(&model, session)?;
    driver::step_without_tokens(&model, &mut graphs, session)?;
    let truth = driver::graphs_in(&model, Form::Sequential, session)?;
    let interpreter = &mut Interpreted::new(&model, &truth);
    let certificate = Certificate::new(&model, interpreter, SEED, LENGTHS)?;
    let mut certificate = certificate.without_step(graphs.refused.as_ref());
    let mut native = machine.native(&model, &graphs, session)?;
    let mut report = certificate.run(&mut native)?;
    let (chunked, by_turns) =
        scans::explain(&truth.forward, Form::Planned).into_iter().partition::<Vec<_>, _>(|scan| scan.possible);
    for scan in by_turns {
        let why = scan.refusal.unwrap_or_default();
        report
            .push(&format!("{} in chunks", scan.path), Verdict::Nothing(format!("it runs turn by turn alone: {why}")));
    }
    for size in CHUNKS.into_iter().filter(|_| !chunked.is_empty()) {
        let graphs = driver::graphs_in(&model, Form::Chunkwise(Some(size)), session)?;
        let other = &mut Interpreted::new(&model, &graphs);
        certificate.run_form(&format!("in chunks of {size}"), other, &mut report)?;
    }
    match graphs.step.as_ref().and_then(longest_ring) {
        Some(ring) if ring > FAR => {
            report.note(format!("states hold the latest {ring} positions: not gone round; try a smaller window"));
        }
        Some(ring) => {
            let lengths = [ring + 70, ring + 5, 40];
            Certificate::new(&model, interpreter, SEED, lengths)?.run_far(&mut native, &mut report)?;
        }
        None => {}
    }
    Ok(report)
}

/// Compares whole sequences of about so many positions with the same in pieces and position by position: what short ones
/// do not reach (windows, keys that are taken in pieces). The interpreter needs its time for them.
///
/// # Errors
/// As [`certify`].
pub fn certify_far(
    request: &Request,
    machine: &Machine,
    length: usize,
    session: &mut Session,
) -> Result<Report, Failure> {
    let model = driver::check(request, session)?;
    let graphs = driver::graphs(&model, session)?;
    if graphs.step.is_none() {
        let why = graphs.refused.map_or_else(|| "it has no sequence".into(), |refused| refused.to_string());
        return Err(Environment::new(format!("there is no step program to compare: {why}")).into());
    }
    let truth = driver::graphs_in(&model, Form::Sequential, session)?;
    let mut native = machine.native(&model, &graphs, session)?;
    let lengths = [length, length.div_ceil(2), 1];
    let interpreter = &mut Interpreted::new(&model, &truth);
    let mut report = Report::default();
    Certificate::new(&model, interpreter, SEED, lengths)?.run_far(&mut native, &mut report)?;
    Ok(report)
}

/// The size of the largest state that holds the latest positions only.
fn longest_ring(step: &Graph) -> Option<usize> {
    let rings = step.axes.iter().filter(|(_, axis)| axis.name == names::RECENT);
    let sizes = rings.filter_map(|(axis, _)| step.axes.fixed(axis));
    sizes.max().and_then(|size| usize::try_from(size).ok())
}
