//! The two questions that `archc verify` answers, from files to a report.

use super::{Case, Certificate, Comparison, Interpreted, Native, Report};
use crate::driver::{self, Failure, Request, Session};
use crate::fault::Environment;
use crate::model::{Model, WeightMap};
use crate::target::Target;
use std::path::{Path, PathBuf};

/// The seed of a certificate's weights and tokens.
const SEED: u64 = 1;

/// How numbers are computed.
#[derive(Debug, Clone)]
pub enum By {
    /// By the interpreter.
    Interpreter,
    /// By native code for a machine.
    Native(Target),
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
    let request = Request { file, settings: settings.to_vec(), config: Some(folder.join("config.json")) };
    compare(&case, &request, by, session)
}

/// Computes every number of a case that is in memory.
///
/// # Errors
/// As [`against`].
pub fn compare(case: &Case, request: &Request, by: &By, session: &mut Session) -> Result<Report, Failure> {
    let mut model = driver::check(request, session)?;
    let map = map_of(&model, case)?.clone();
    driver::expose_values(&mut model, &map);
    let graphs = driver::graphs(&model, session)?;
    let comparison = Comparison { case, model: &model, map: &map };
    match by {
        By::Interpreter => comparison.run(&mut Interpreted::new(&model, &graphs)?),
        By::Native(target) => {
            let compiled = driver::compile(&model, &graphs, target, session)?;
            comparison.run(&mut Native::new(&model, &compiled, 0)?)
        }
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
pub fn certify(request: &Request, target: &Target, session: &mut Session) -> Result<Report, Failure> {
    let model = driver::check(request, session)?;
    let graphs = driver::graphs(&model, session)?;
    let mut certificate = Certificate::new(&model, &mut Interpreted::new(&model, &graphs)?, SEED)?;
    let compiled = driver::compile(&model, &graphs, target, session)?;
    certificate.run(&mut Native::new(&model, &compiled, 0)?)
}
