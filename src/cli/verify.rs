//! `archc verify`: the certificate of a model, or the numbers of a reference case.

use super::arguments::{Place, VerifyArguments};
use super::{Outcome, Verdict, output};
use crate::driver::{Request, Session};
use crate::fault::Environment;
use crate::target::Target;
use crate::verify::{By, Machine, against, certify, certify_far};

/// Computes, prints a line for each quantity, and tells whether all agree.
pub fn run(arguments: &VerifyArguments, session: &mut Session) -> Outcome {
    let machine = machine(arguments)?;
    let report = match (&arguments.against, &arguments.file) {
        (Some(folder), file) => {
            let by = if arguments.interpret { By::Interpreter } else { By::Native(machine) };
            against(folder, file.clone(), &arguments.settings, &by, session)?
        }
        (None, Some(file)) if !arguments.interpret => {
            let request =
                Request { file: file.clone(), settings: arguments.settings.clone(), config: None, model: None };
            match arguments.far {
                Some(length) => certify_far(&request, &machine, length as usize, session)?,
                None => certify(&request, &machine, session)?,
            }
        }
        _ => {
            return Err(Environment::new("--interpret goes with --against")
                .help("the certificate always compares native code with the interpreter")
                .into());
        }
    };
    output::print(&report.to_string())?;
    Ok(if report.passed() { Verdict::Good } else { Verdict::Bad })
}

/// What runs the code.
fn machine(arguments: &VerifyArguments) -> Result<Machine, Environment> {
    let gpu = arguments.gpu.gpu(arguments.device == Place::Cuda)?;
    if let Some(gpu) = gpu {
        return Ok(Machine::Gpu(gpu));
    }
    Ok(Target::named(arguments.target.cpu.name())?.into())
}
