//! Goes through everything that a case holds and compares it with what an engine computes.

use super::array::Array;
use super::case::{Case, Trajectory};
use super::engine::{Batch, Engine, Gradients};
use super::inputs::{INPUT, Inputs, batch_of, inputs, tensor_name, token_input};
use super::judge::{OUTPUT, Objective, sum};
use super::layout::{file_tensor, is_ignored, parameters_of, places};
use super::optimizer::Optimizer;
use super::report::{Report, Verdict};
use super::tolerance::Quantity;
use crate::driver::Failure;
use crate::fault::Environment;
use crate::model::{Input, Model, WeightMap};
use archc_runtime::abi::names;
use std::collections::{BTreeMap, BTreeSet};

/// A case, and the model that answers it.
pub struct Comparison<'a> {
    /// The case.
    pub case: &'a Case,
    /// The model, with the sizes of the case.
    pub model: &'a Model,
    /// Where the model's parameters are in the case's weights.
    pub map: &'a WeightMap,
    /// What its gradients are of.
    pub objective: Objective,
}

impl<'a> Comparison<'a> {
    /// What is to be compared.
    ///
    /// # Errors
    /// If the case's gradients are of something unknown.
    pub fn new(case: &'a Case, model: &'a Model, map: &'a WeightMap) -> Result<Comparison<'a>, Environment> {
        Ok(Comparison { case, model, map, objective: Objective::of(case, model)? })
    }

    /// Computes every number of the case.
    ///
    /// # Errors
    /// If the case does not fit the model, or a program cannot run.
    pub fn run(&self, engine: &mut dyn Engine) -> Result<Report, Failure> {
        let (mut report, seen) = self.run_part(engine)?;
        leave_nothing_out(self.case, &mut report, &seen);
        Ok(report)
    }

    /// Computes the numbers of the case that the model speaks of. Also the names of what it is given.
    ///
    /// # Errors
    /// As [`Comparison::run`].
    pub fn run_part(&self, engine: &mut dyn Engine) -> Result<(Report, BTreeSet<String>), Failure> {
        let parameters = parameters_of(self.model, self.map, &self.weights())?;
        let mut report = Report::default();
        let mut seen: BTreeSet<String> = self.weights().into_keys().collect();
        seen.extend(self.objective.judged.iter().map(|judged| judged.numbers.clone()));
        if self.asks_values() || self.asks_training() {
            let Inputs { batch, training, used } = inputs(self.model, self.map, self.case)?;
            seen.extend(used);
            let computed = self.values(engine, &parameters, &batch, &mut report)?;
            self.training(engine, &parameters, &training, &computed, &mut report)?;
        }
        match self.map.said.sampled.is_empty() {
            true => self.decode(engine, &parameters, &mut report, &mut seen)?,
            false => self.runs(engine, &parameters, &mut report, &mut seen)?,
        }
        Ok((report, seen))
    }

    /// The weights of the case: those of its file, and what the map finds among its other tensors.
    fn weights(&self) -> BTreeMap<String, Array> {
        let beside = self.map.tensors.iter().filter_map(|tensor| self.case.tensors.get_key_value(&tensor.name));
        let beside = beside.map(|(name, tensor)| (name.clone(), tensor.clone()));
        beside.chain(self.case.weights.clone()).collect()
    }

    /// Whether the case holds values of whole sequences.
    fn asks_values(&self) -> bool {
        let outputs = || self.model.forward.outputs.iter().map(|(name, _)| name.as_str());
        let known = |name: &String| outputs().any(|own| own == name || name.strip_prefix(OUTPUT) == Some(own));
        self.case.tensors.keys().any(known)
    }

    /// Whether the case holds a loss, or something of how it comes about.
    fn asks_training(&self) -> bool {
        let said = &self.map.said;
        let lines = !said.gradients.is_empty() || !said.judged.is_empty() || !self.objective.judged.is_empty();
        lines || self.case.tensors.contains_key(self.loss_name()) || !self.case.answers.grad_l2.is_empty()
    }

    /// Logits, hidden states, and whatever else a line names.
    fn values(
        &self,
        engine: &mut dyn Engine,
        parameters: &[Array],
        batch: &Batch,
        report: &mut Report,
    ) -> Result<BTreeMap<String, Array>, Failure> {
        let computed = engine.forward(parameters, batch)?;
        for (name, reference) in self.case.tensors.iter().filter(|(name, _)| *name != self.loss_name()) {
            let own = || computed.get(name.strip_prefix(OUTPUT)?);
            if let Some(actual) = computed.get(name).or_else(own) {
                report.compare(name, Quantity::Values, actual, reference, &self.case.answers);
            }
        }
        Ok(computed)
    }

    fn training(
        &self,
        engine: &mut dyn Engine,
        parameters: &[Array],
        batch: &Batch,
        computed: &BTreeMap<String, Array>,
        report: &mut Report,
    ) -> Result<(), Failure> {
        let answers = &self.case.answers;
        let judged = !self.objective.judged.is_empty();
        let loss = self.case.tensors.get(self.loss_name());
        if !self.asks_training() {
            return Ok(());
        }
        let mut all = None;
        if judged {
            let mut batch = batch.clone();
            batch.inputs.extend(self.objective.numbers(self.case, computed));
            all = Some(engine.judged(parameters, &batch)?);
        }
        if !self.objective.loss {
            all.iter().for_each(|all| self.gradients(all, report));
            return Ok(());
        }
        let first = engine.gradients(parameters, batch)?;
        if let Some(reference) = loss {
            report.compare(self.loss_name(), Quantity::Loss, &Array::filled(&[1], first.loss), reference, answers);
        }
        self.objective_values(engine, parameters, batch, report)?;
        let all = all.map_or_else(|| first.clone(), |judged| sum(first.clone(), judged));
        self.gradients(&all, report);
        self.norms(&all, report);
        if let Some(settings) = &answers.sgd {
            let optimizer = Optimizer::sgd(settings);
            self.trajectory("sgd.losses", settings, optimizer, engine, (parameters, batch, &first), report)?;
        }
        if let Some(settings) = &answers.adamw {
            let optimizer = Optimizer::adamw(settings, parameters);
            self.trajectory("adamw.losses", settings, optimizer, engine, (parameters, batch, &first), report)?;
        }
        Ok(())
    }

    /// What the case calls the loss.
    fn loss_name(&self) -> &str {
        self.map.said.loss.as_deref().unwrap_or(names::LOSS)
    }

    /// Values that lines of the objective bind.
    fn objective_values(
        &self,
        engine: &mut dyn Engine,
        parameters: &[Array],
        batch: &Batch,
        report: &mut Report,
    ) -> Result<(), Failure> {
        if self.map.said.judged.is_empty() {
            return Ok(());
        }
        let computed = engine.evaluated(parameters, batch)?;
        for (name, _) in &self.map.said.judged {
            match (computed.get(name), self.case.tensors.get(name)) {
                (Some(actual), Some(reference)) => {
                    report.compare(name, Quantity::Values, actual, reference, &self.case.answers);
                }
                _ => report.push(name, Verdict::Wrong("the map names it, and the case does not hold it".into())),
            }
        }
        Ok(())
    }

    fn gradients(&self, computed: &Gradients, report: &mut Report) {
        for (name, reference) in &self.case.tensors {
            let said = self.map.said.gradients.iter().find(|(_, own)| own == name).map(|(path, _)| path.as_str());
            let Some(weight) = said.or_else(|| name.strip_prefix("grad.")) else { continue };
            match self.gradient_of(weight, computed) {
                Some(actual) => report.compare_gradient(name, &actual, reference, &self.case.answers),
                None => {
                    let reason = format!("neither a tensor of the weight map nor a real input is called `{weight}`");
                    report.push(name, Verdict::NotChecked(reason));
                }
            }
        }
    }

    fn norms(&self, computed: &Gradients, report: &mut Report) {
        let mut names = Vec::new();
        let (mut actual, mut reference) = (Vec::new(), Vec::new());
        for (weight, norm) in &self.case.answers.grad_l2 {
            match self.gradient_of(weight, computed) {
                Some(gradient) => {
                    names.push(weight);
                    actual.push(gradient.norm());
                    reference.push(*norm);
                }
                None => report.push(
                    &format!("grad_l2 {weight}"),
                    Verdict::NotChecked("the weight map has no tensor of this name".into()),
                ),
            }
        }
        if !names.is_empty() {
            report.compare("grad_l2", Quantity::Norms, &array(actual), &array(reference), &self.case.answers);
            report.note(format!("{} weights; {}", names.len(), self.worst_of(&names, report)));
        }
    }

    fn worst_of(&self, names: &[&String], report: &Report) -> String {
        match report.lines.last().map(|line| &line.verdict) {
            Some(Verdict::Agrees(distance) | Verdict::Differs(distance)) => format!("worst: {}", names[distance.place]),
            _ => String::new(),
        }
    }

    /// The gradient that a case stores under a name: of a weight, or of an input where no weight is called so.
    fn gradient_of(&self, weight: &str, computed: &Gradients) -> Option<Array> {
        let is_it = |name: &str| name == weight || name.strip_prefix(INPUT) == Some(weight);
        let named = |input: &&Input| input.name == weight || is_it(tensor_name(self.model, self.map, input));
        let input = self.model.inputs.iter().find(named);
        if let Some(gradient) = input.and_then(|input| computed.inputs.get(&input.name)) {
            return Some(gradient.clone());
        }
        if let Some(place) = self.model.parameters.iter().position(|parameter| parameter.path == weight) {
            let none = || Array::filled(&super::layout::parameter_shape(self.model, place), 0.0);
            return Some(computed.gradients[place].clone().unwrap_or_else(none));
        }
        let Some(tensor) = self.map.tensors.iter().find(|tensor| is_it(&tensor.name)) else {
            // What the model does not need, its loss does not depend on.
            let unread = self.case.weights.get(weight).filter(|_| is_ignored(self.map, weight))?;
            return Some(Array::filled(&unread.shape, 0.0));
        };
        let whole = |(place, gradient): (usize, &Option<Array>)| match gradient {
            Some(gradient) => gradient.clone(),
            None => Array::filled(&super::layout::parameter_shape(self.model, place), 0.0),
        };
        let gradients: Vec<Array> = computed.gradients.iter().enumerate().map(whole).collect();
        Some(file_tensor(tensor, &gradients))
    }

    fn trajectory(
        &self,
        name: &str,
        settings: &Trajectory,
        mut optimizer: Optimizer,
        engine: &mut dyn Engine,
        (parameters, batch, first): (&[Array], &Batch, &Gradients),
        report: &mut Report,
    ) -> Result<(), Failure> {
        let mut parameters = parameters.to_vec();
        let mut computed = first.clone();
        let mut losses = vec![computed.loss];
        for _ in 1..settings.losses.len() {
            let still = self.left_out(&computed);
            optimizer.step(&mut parameters, &computed.gradients, |place, at| still.contains(&(place, at)));
            computed = engine.gradients(&parameters, batch)?;
            losses.push(computed.loss);
        }
        let (actual, reference) = (array(losses), array(settings.losses.clone()));
        report.compare(name, Quantity::Losses, &actual, &reference, &self.case.answers);
        Ok(())
    }

    /// The elements that the case's optimizer skips at a step. It does so where it has no gradient for a file tensor: for
    /// the listed ones, and for their like (other layers, other experts, the other of two stacks), as long as nothing
    /// reaches them, so that their gradient is 0 throughout.
    fn left_out(&self, computed: &Gradients) -> BTreeSet<(usize, usize)> {
        let listed: BTreeSet<String> = self.case.answers.params_without_grad.iter().map(|name| kind_of(name)).collect();
        let alike = self.map.tensors.iter().filter(|tensor| listed.contains(&kind_of(&tensor.name)));
        let unreached = alike.flat_map(|tensor| &tensor.parts).filter(|part| {
            let gradient = computed.gradients[part.parameter].as_ref();
            gradient.is_none_or(|gradient| places(part).all(|(_, to)| gradient.data[to] == 0.0))
        });
        unreached.flat_map(|part| places(part).map(|(_, to)| (part.parameter, to))).collect()
    }

    fn decode(
        &self,
        engine: &mut dyn Engine,
        parameters: &[Array],
        report: &mut Report,
        seen: &mut BTreeSet<String>,
    ) -> Result<(), Failure> {
        let tensors = &self.case.tensors;
        let (Some(prompt), Some(ids)) = (tensors.get("decode_prompt"), tensors.get("decode_ids")) else {
            return Ok(());
        };
        seen.insert("decode_prompt".into());
        let new = tensors.get("decode_logits").map_or(ids.shape[1].saturating_sub(prompt.shape[1]), |all| all.shape[1]);
        let (mut all_ids, mut all_logits) = (Vec::new(), Vec::new());
        for (prompt, ids) in prompt.data.chunks(prompt.shape[1]).zip(ids.data.chunks(ids.shape[1])) {
            let start = self.start(prompt, &ids[..ids.len() - new])?;
            let decoded = engine.decode(parameters, &start, new)?;
            all_ids.extend(decoded.ids.iter().map(|id| *id as f64));
            all_logits.extend(decoded.logits.into_iter().flatten());
        }
        let actual = Array { shape: ids.shape.clone(), data: all_ids };
        report.compare("decode_ids", Quantity::Ids, &actual, ids, &self.case.answers);
        if let Some(reference) = tensors.get("decode_logits") {
            let width = all_logits.len() / (ids.shape[0] * new).max(1);
            let actual = Array { shape: vec![ids.shape[0], new, width], data: all_logits };
            report.compare("decode_logits", Quantity::Values, &actual, reference, &self.case.answers);
        }
        Ok(())
    }

    /// Where a decode begins: the prompt is what `input_ids` are, and the tokens are those that come before the new ones.
    fn start(&self, prompt: &[f64], before: &[f64]) -> Result<Batch, Failure> {
        let row = |data: &[f64]| Array { shape: vec![1, data.len()], data: data.to_vec() };
        let read = self.model.inputs.iter().find(|input| tensor_name(self.model, self.map, input) == "input_ids");
        let prompted = read.map(|input| (input.name.clone(), row(prompt)));
        let mut given: BTreeMap<String, Array> = prompted.into_iter().collect();
        given.entry(token_input(self.model)?.name.clone()).or_insert_with(|| row(before));
        Ok(batch_of(self.model, given)?)
    }
}

/// What a file tensor is, whichever stack, layer and expert it is of: its name without the first part and without numbers.
fn kind_of(name: &str) -> String {
    let rest = name.split_once('.').map_or(name, |(_, rest)| rest);
    rest.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

/// What a case holds and no model speaks of is a failure.
pub fn leave_nothing_out(case: &Case, report: &mut Report, seen: &BTreeSet<String>) {
    for name in case.tensors.keys() {
        if !seen.contains(name) && !report.has(name) {
            report.push(name, Verdict::NotChecked("no line of the model or of its weight map names it".into()));
        }
    }
}

fn array(data: Vec<f64>) -> Array {
    Array { shape: vec![data.len()], data }
}
