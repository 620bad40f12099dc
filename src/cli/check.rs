//! `archc check`: is the model right, how large is it, and what does decoding keep?

mod state;

use super::{Outcome, Verdict, arguments::CheckArguments, output};
use crate::derive;
use crate::driver::{self, Request, Session};
use crate::model::{Model, Parameter};
use crate::passes::scans;
use archc_runtime::abi::names;
use std::fmt::Write;

/// Bytes of a number in memory.
const F32_BYTES: u64 = 4;

/// Checks the model and prints its report.
pub fn run(arguments: &CheckArguments, session: &mut Session) -> Outcome {
    let model = driver::check(&Request::from(&arguments.model), session)?;
    if arguments.explain_scans {
        return explain_scans(&model, session);
    }
    let (begin, step, refused) = driver::step(&model, session)?;
    output::print(&parameters(&model))?;
    output::print(&state::report(step.as_ref(), refused.as_ref(), arguments.batch, arguments.context))?;
    if let Some(ahead) = begin.as_ref().and_then(state::look_ahead) {
        output::print(&ahead)?;
    }
    if let Some(generate) = &model.generate {
        let turns = match driver::turns(&model, session)? {
            driver::Turns::Position => "one program for each turn".to_string(),
            driver::Turns::Block => "one program for all turns, each over a block of positions".to_string(),
            driver::Turns::Whole(why) => format!("one program for all turns, over whole sequences: {why}"),
        };
        output::print(&format!("sampler       {}: {turns}\n", generate.block))?;
    }
    if arguments.timings {
        eprint!("{}", output::timings(session));
    }
    Ok(Verdict::Good)
}

/// What is known of each recurrence of the forward program.
fn explain_scans(model: &Model, session: &mut Session) -> Outcome {
    let form = session.scan;
    let scans =
        session.stage("graph", |_| scans::explain(&derive::build(model, &model.forward, names::FORWARD), form))?;
    match scans.is_empty() {
        true => output::print("no `for` runs over a sequence\n")?,
        false => output::print(&scans.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))?,
    }
    Ok(Verdict::Good)
}

/// One line for each parameter, then their number and memory.
fn parameters(model: &Model) -> String {
    let rows: Vec<(&Parameter, u64)> =
        model.parameters.iter().map(|parameter| (parameter, elements(model, parameter))).collect();
    let width = rows.iter().map(|(parameter, _)| parameter.path.len()).max().unwrap_or(0);
    let mut text = format!("model {}\n\n", model.name);
    for (parameter, count) in &rows {
        let kind = if parameter.trained { "" } else { "  (buffer)" };
        let axes = parameter.axes.iter().map(|axis| {
            let size = model.axes.fixed(*axis).map_or("?".to_string(), |size| size.to_string());
            format!("{} {size}", model.axes[*axis].name)
        });
        let axes = axes.collect::<Vec<_>>().join(", ");
        let _ = writeln!(text, "  {:width$}  {:>15}  [{axes}]{kind}", parameter.path, grouped(*count));
    }
    let sum =
        |trained: bool| rows.iter().filter(|(own, _)| own.trained == trained).map(|(_, count)| count).sum::<u64>();
    let (trained, kept) = (sum(true), sum(false));
    let _ = writeln!(text, "\nparameters    {:>15}  {} in f32", grouped(trained), bytes(trained * F32_BYTES));
    if kept > 0 {
        let _ = writeln!(text, "buffers       {:>15}  {} in f32", grouped(kept), bytes(kept * F32_BYTES));
    }
    if model.train.is_some() {
        let all = 4 * trained * F32_BYTES;
        let _ = writeln!(text, "training      {:>15}  {} for weights, gradients and AdamW's moments", "", bytes(all));
    }
    text
}

fn elements(model: &Model, parameter: &Parameter) -> u64 {
    driver::shape_of(model, parameter).iter().map(|size| *size as u64).product()
}

/// 1234567 as `1 234 567`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A number of bytes with three digits.
fn bytes(count: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if unit == 0 || value >= 100.0 { 0 } else { 1 };
    format!("{value:.digits$} {}", units[unit])
}
