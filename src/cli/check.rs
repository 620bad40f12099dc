//! `archc check`: is the model right, and how large is it?

use super::{Outcome, Verdict, arguments::CheckArguments, output};
use crate::driver::{self, Request, Session};

/// Checks the model and prints its report.
pub fn run(arguments: &CheckArguments, session: &mut Session) -> Outcome {
    driver::parse(&Request::from(&arguments.model), session)?;
    if arguments.timings {
        eprint!("{}", output::timings(session));
    }
    Ok(Verdict::Good)
}
