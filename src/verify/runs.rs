//! Runs of a sampler: what a case gave it, and what came out, step by step.
//!
//! A case has one run whose tensors begin with `decode_`, or several under `runs`, each with a name that its tensors begin
//! with. The weight map says which key of a run is which setting of the sampler, and what its values are called.

use super::array::Array;
use super::compare::Comparison;
use super::engine::{Batch, Engine};
use super::inputs::{sequence_of, stored};
use super::report::{Report, Verdict};
use super::tolerance::Quantity;
use crate::driver::Failure;
use crate::fault::Environment;
use crate::model::{Generate, ValueId, setting_of};
use crate::tensor::BATCH;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What the tensors of a single run begin with.
const DECODE: &str = "decode_";

impl Comparison<'_> {
    /// Samples as each run of the case did, and compares what came out.
    pub(super) fn runs(
        &self,
        engine: &mut dyn Engine,
        parameters: &[Array],
        report: &mut Report,
        seen: &mut BTreeSet<String>,
    ) -> Result<(), Failure> {
        let Some(generate) = &self.model.generate else { return Ok(()) };
        let single = self.case.tensors.keys().any(|name| name.starts_with(DECODE));
        let single = single.then(|| (DECODE.to_string(), &self.case.answers.decode));
        let several = self.case.answers.runs.iter().map(|(name, how)| (format!("{name}."), how));
        for (prefix, how) in several.chain(single) {
            let (batch, used) = self.run_inputs(generate, &prefix)?;
            seen.extend(used);
            let computed = engine.generated(parameters, &batch, &self.run_settings(generate, how)?)?;
            for (name, value) in &self.map.said.sampled {
                let Some(reference) = self.case.tensors.get(&format!("{prefix}{name}")) else { continue };
                let name_here = format!("{prefix}{name}");
                let Some(actual) = computed.get(name) else {
                    report.push(&name_here, Verdict::Wrong("the sampler has no such value".into()));
                    continue;
                };
                let actual = turns_first(generate, *value, actual);
                report.compare(&name_here, Quantity::Ids, &actual, reference, &self.case.answers);
            }
        }
        Ok(())
    }

    /// The sampler's inputs, under their own names after that of the run.
    fn run_inputs(&self, generate: &Generate, prefix: &str) -> Result<(Batch, Vec<String>), Environment> {
        let mut batch = Batch { rows: 1, lengths: BTreeMap::new(), inputs: BTreeMap::new() };
        let mut used = Vec::new();
        for input in &generate.inputs {
            let name = format!("{prefix}{}", input.name);
            let array = match (self.case.tensors.contains_key(&name), input.default) {
                (false, Some(_)) => continue,
                _ => stored(self.case, &name)?,
            };
            batch.rows = array.shape[0];
            for (axis, size) in input.axes.iter().zip(&array.shape[1..]) {
                if let Some(sequence) = sequence_of(self.model, *axis) {
                    batch.lengths.insert(sequence.to_string(), vec![*size; array.shape[0]]);
                }
            }
            batch.inputs.insert(input.name.clone(), array.clone());
            used.push(name);
        }
        Ok((batch, used))
    }

    /// The sampler's settings: as the run has them, else as the model has them.
    fn run_settings(&self, generate: &Generate, how: &Value) -> Result<BTreeMap<String, f64>, Environment> {
        let own = generate.settings.iter().filter_map(|(name, setting)| Some((name.clone(), setting.number()?)));
        let mut settings: BTreeMap<String, f64> = own.collect();
        for (name, expr) in &self.map.said.settings {
            let said = setting_of(expr, how).map_err(|reason| {
                Environment::new(format!("what the case says about a run does not give `{}`: {reason}", name.text))
            })?;
            let Some(slot) = settings.get_mut(&name.text) else {
                return Err(Environment::new(format!("the sampler {} has no setting `{}`", generate.block, name.text)));
            };
            *slot = said.and_then(|said| said.number()).unwrap_or(*slot);
        }
        Ok(settings)
    }
}

/// A value that each turn hands out, as a list of turns: cases store steps before rows.
fn turns_first(generate: &Generate, value: ValueId, array: &Array) -> Array {
    let axes = &generate.program.values[value.0 as usize].ty.axes;
    let turns = generate.program.regions.iter().map(|region| region.axis);
    let place = turns.filter_map(|turn| axes.iter().position(|axis| *axis == turn)).next();
    let Some(place) = place.filter(|place| axes.first() == Some(&BATCH) && *place > 0) else { return array.clone() };
    let (steps, inner) = (array.shape[place], array.shape[place + 1..].iter().product::<usize>());
    let outer = array.shape[..place].iter().product::<usize>();
    let mut data = Vec::with_capacity(array.data.len());
    for step in 0..steps {
        for before in 0..outer {
            let at = (before * steps + step) * inner;
            data.extend_from_slice(&array.data[at..at + inner]);
        }
    }
    let rest = array.shape.iter().enumerate().filter(|(at, _)| *at != place).map(|(_, size)| *size);
    Array { shape: std::iter::once(steps).chain(rest).collect(), data }
}
