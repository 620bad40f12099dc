//! `archc emit`: what one stage makes of a model.

use super::{Outcome, Verdict, arguments::EmitArguments, output};
use crate::driver::{self, Request, Session, Stage};
use crate::fault::Bug;

/// Runs the pipeline up to the stage and prints what it made.
pub fn run(arguments: &EmitArguments, session: &mut Session) -> Outcome {
    let text = text_of(arguments, session)?;
    output::print(&text)?;
    if arguments.timings {
        eprint!("{}", output::timings(session));
    }
    Ok(Verdict::Good)
}

fn text_of(arguments: &EmitArguments, session: &mut Session) -> Result<String, driver::Failure> {
    let request = Request::from(&arguments.model);
    match arguments.stage {
        Stage::Ast => Ok(format!("{:#?}\n", driver::parse(&request, session)?.1)),
        _ => Err(Bug::new("cli", "this stage is not there yet").into()),
    }
}
