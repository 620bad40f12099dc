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
    let upper = wanted.to_uppercase();
    let known = codes::all().find(|code| code.name == upper).ok_or_else(|| {
        Environment::new(format!("there is no code {wanted}")).help("`archc explain` without a code lists them all")
    })?;
    Ok(format!("{}: {}\n\n{}\n", known.name, known.title, known.explanation.trim()))
}

fn list() -> String {
    codes::all().map(|code| format!("{}  {}\n", code.name, code.title)).collect()
}
