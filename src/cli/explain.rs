//! `archc explain`: the rule behind a code.

use super::{Outcome, Verdict, arguments::ExplainArguments, output};
use crate::diagnostics::codes;
use crate::fault::Environment;

/// Prints the explanation of a code, or the list of all codes.
pub fn run(arguments: &ExplainArguments) -> Outcome {
    match &arguments.code {
        Some(code) => output::print(&explanation(code)?)?,
        None => output::print(&list())?,
    }
    Ok(Verdict::Good)
}

fn explanation(wanted: &str) -> Result<String, Environment> {
    let unknown =
        || Environment::new(format!("there is no code {wanted}")).help("`archc explain` without a code lists them all");
    codes::explain(&wanted.to_uppercase()).ok_or_else(unknown)
}

fn list() -> String {
    codes::all().map(|code| format!("{}  {}\n", code.name, code.title)).collect()
}
