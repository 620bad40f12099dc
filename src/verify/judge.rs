//! What a case differentiates when it is not the loss that training minimises.
//!
//! `d_NAME` in a case are numbers for the output NAME: the gradients are those of the sum of their products. `grad_of` in
//! case.json is a sum of `loss` and of `mean(NAME**2)`; the latter's derivative by NAME is 2 NAME / count, so it is judged
//! by numbers like the former, which the output's own values give.

use super::array::Array;
use super::case::Case;
use super::engine::Gradients;
use crate::fault::Environment;
use crate::model::Model;
use std::collections::BTreeMap;

/// What a case may write before the name of an output.
pub const OUTPUT: &str = "out.";

/// One output and the numbers that it is multiplied with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// The output.
    pub output: String,
    /// The name of the numbers: an input of the judged program, and a tensor of the case if it stores them.
    pub numbers: String,
}

/// The objective of a case's gradients.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Objective {
    /// Whether the training loss is a part of it.
    pub loss: bool,
    /// Outputs that are judged.
    pub judged: Vec<Judged>,
}

impl Objective {
    /// What the case says: by its tensors, or in words; else the training loss.
    ///
    /// # Errors
    /// If the words are none of the known form.
    pub fn of(case: &Case, model: &Model) -> Result<Objective, Environment> {
        let judge = |output: &String| {
            let numbers = format!("d_{}", output.strip_prefix(OUTPUT).unwrap_or(output));
            Judged { output: output.clone(), numbers }
        };
        let outputs = || model.forward.outputs.iter().map(|(output, _)| output);
        if let Some(words) = &case.answers.grad_of {
            let mut objective = Objective::default();
            for term in words.split(" + ") {
                let squared = term.strip_prefix("mean(").and_then(|rest| rest.strip_suffix("**2)"));
                match squared.and_then(|name| outputs().find(|output| *output == name)) {
                    Some(output) => objective.judged.push(judge(output)),
                    None if term == "loss" => objective.loss = true,
                    None => return Err(unknown(words, term)),
                }
            }
            return Ok(objective);
        }
        let stored = outputs().map(judge).filter(|judged| case.tensors.contains_key(&judged.numbers));
        let judged = stored.collect::<Vec<_>>();
        Ok(Objective { loss: judged.is_empty(), judged })
    }

    /// Pairs of an output and the input that it is multiplied with.
    pub fn pairs(&self) -> Vec<(String, String)> {
        self.judged.iter().map(|judged| (judged.output.clone(), judged.numbers.clone())).collect()
    }

    /// The numbers: stored in the case, or the derivative of a mean of squares.
    pub fn numbers(&self, case: &Case, computed: &BTreeMap<String, Array>) -> BTreeMap<String, Array> {
        let of = |judged: &Judged| {
            let squares = || {
                let mut array = computed.get(&judged.output)?.clone();
                let factor = 2.0 / array.data.len().max(1) as f64;
                array.data.iter_mut().for_each(|number| *number *= factor);
                Some(array)
            };
            let numbers = case.tensors.get(&judged.numbers).cloned().or_else(squares)?;
            Some((judged.numbers.clone(), numbers))
        };
        self.judged.iter().filter_map(of).collect()
    }
}

fn unknown(words: &str, term: &str) -> Environment {
    Environment::new(format!(
        "the case's gradients are of `{words}`, and `{term}` is neither `loss` nor `mean(OUTPUT**2)`"
    ))
    .help("archc knows sums of these; an output that the model lacks can be added to it")
}

/// The gradients of the sum of two objectives.
pub fn sum(mut left: Gradients, right: Gradients) -> Gradients {
    for (own, other) in left.gradients.iter_mut().zip(right.gradients) {
        match (own, other) {
            (Some(own), Some(other)) => add(own, &other),
            (own @ None, other) => *own = other,
            (Some(_), None) => {}
        }
    }
    for (name, other) in right.inputs {
        match left.inputs.get_mut(&name) {
            Some(own) => add(own, &other),
            None => drop(left.inputs.insert(name, other)),
        }
    }
    left
}

fn add(own: &mut Array, other: &Array) {
    own.data.iter_mut().zip(&other.data).for_each(|(own, other)| *own += other);
}
