//! `info`: what the model is made of.

use super::options::print;
use crate::abi::{BufferInfo, Manifest, ParameterInfo, Role, names};
use crate::error::Result;
use crate::model::{Code, missing_features};
use clap::Args;
use std::fmt::Write;

/// `info` has no options.
#[derive(Debug, Args)]
pub struct Options {}

/// Prints it.
pub fn run(code: &Code) -> Result<()> {
    print(&describe(code.manifest()))
}

/// The report.
fn describe(manifest: &Manifest) -> String {
    let mut text = String::new();
    let trained: i64 = manifest.parameters.iter().filter(|info| info.trained).map(count).sum();
    let bytes: i64 = manifest.parameters.iter().map(count).sum::<i64>() * 4;
    let _ = writeln!(text, "model       {} (compiled by archc {})", manifest.model, manifest.compiler);
    let _ = writeln!(text, "parameters  {trained} ({:.1} MiB in f32)", bytes as f64 / f64::from(1 << 20));
    if let Some(vocabulary) = manifest.vocabulary {
        let _ = writeln!(text, "vocabulary  {vocabulary}");
    }
    if let Some(longest) = manifest.longest {
        let _ = writeln!(text, "longest     {longest} positions");
    }
    let programs: Vec<&str> = manifest.programs.iter().map(|program| program.name.as_str()).collect();
    let _ = writeln!(text, "programs    {}", programs.join(", "));
    if let Some(state) = describe_state(manifest) {
        let _ = writeln!(text, "state       {state}");
    }
    let _ = writeln!(text, "weights     {}", describe_weights(manifest));
    let _ = writeln!(text, "cpu         {}", describe_features(manifest));
    if let Some(generate) = &manifest.generate {
        let settings: Vec<String> = generate.settings.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let _ = writeln!(text, "generate    {} ({})", generate.block, settings.join(", "));
    }
    let width = manifest.parameters.iter().map(|info| info.path.len()).max().unwrap_or(0);
    for info in &manifest.parameters {
        let kind = if info.trained { "" } else { "  (not trained)" };
        let _ = writeln!(text, "  {:width$}  {}{kind}", info.path, describe_shape(info));
    }
    text
}

/// What decoding keeps for each row, as a formula of the context.
fn describe_state(manifest: &Manifest) -> Option<String> {
    let step = manifest.programs.iter().find(|program| program.name == names::STEP)?;
    let bytes = |context: i64| -> i64 {
        let value = |name: &String| if name == names::CONTEXT { context } else { 1 };
        let sizes: Vec<i64> = step.sizes.iter().map(value).collect();
        let states = step.buffers.iter().filter(|buffer| buffer.role == Role::State);
        let size = |buffer: &BufferInfo| buffer.shape.iter().map(|size| size.evaluate(&sizes)).product::<i64>();
        states.map(|buffer| size(buffer) * buffer.element.bytes() as i64).sum()
    };
    // Far out, where a window is full, the formula is a straight line.
    let far = 1 << 40;
    let each = bytes(far + 1) - bytes(far);
    Some(match bytes(far) - each * far {
        0 => format!("{each} bytes a row and position"),
        fixed => format!("{fixed} bytes a row, and {each} for each position"),
    })
}

fn describe_weights(manifest: &Manifest) -> String {
    match manifest.weights.len() {
        0 => "by parameter path only".to_owned(),
        count => format!("by parameter path, or {count} tensors under published names"),
    }
}

fn describe_features(manifest: &Manifest) -> String {
    let missing = missing_features(&manifest.features);
    match (manifest.features.is_empty(), missing.is_empty()) {
        (true, _) => "any x86-64".to_owned(),
        (false, true) => "this one can run it".to_owned(),
        (false, false) => format!("this one lacks {}", missing.join(", ")),
    }
}

/// `[v 256, d 64] = 16384`.
fn describe_shape(info: &ParameterInfo) -> String {
    let axes: Vec<String> = info.axes.iter().zip(&info.shape).map(|(axis, size)| format!("{axis} {size}")).collect();
    format!("[{}] = {}", axes.join(", "), count(info))
}

fn count(info: &ParameterInfo) -> i64 {
    info.shape.iter().product()
}
