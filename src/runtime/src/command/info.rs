//! `info`: what the model is made of.

use super::options::print;
use crate::abi::{Manifest, ParameterInfo};
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
