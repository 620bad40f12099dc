//! Computes by the interpreter: every operation's plain meaning, in double precision.

use super::array::Array;
use super::engine::{Batch, Decoded, Engine, Gradients, decode_by_sequences};
use super::inputs::input_gradients;
use crate::driver::{Failure, Graphs};
use crate::fault::Bug;
use crate::graph::Graph;
use crate::interpret::{Data, Feed, Outputs, run};
use crate::model::Model;
use archc_runtime::abi::names;
use std::collections::BTreeMap;
use std::rc::Rc;

/// The graphs of one model.
pub struct Interpreted<'a> {
    model: &'a Model,
    graphs: &'a Graphs,
}

impl<'a> Interpreted<'a> {
    /// Takes graphs as they are.
    pub fn new(model: &'a Model, graphs: &'a Graphs) -> Interpreted<'a> {
        Interpreted { model, graphs }
    }

    fn feed(&self, parameters: &[Array], batch: &Batch) -> Feed {
        let data = |array: &Array| Data::new(array.shape.clone(), array.data.clone());
        let named = self.model.parameters.iter().zip(parameters);
        Feed {
            inputs: batch.inputs.iter().map(|(name, array)| (name.clone(), data(array))).collect(),
            parameters: named.map(|(parameter, array)| (parameter.path.clone(), Rc::new(data(array)))).collect(),
            lengths: batch.lengths.clone().into_iter().collect(),
            ..Feed::default()
        }
    }

    /// Loss and gradients of a program that has them.
    fn differentiated(&self, graph: Option<&Graph>, parameters: &[Array], batch: &Batch) -> Result<Gradients, Failure> {
        let graph = graph.ok_or_else(|| Bug::new("graph", "there is a program with gradients"))?;
        let outputs = run(graph, &self.feed(parameters, batch))?;
        let loss = outputs.get(names::LOSS).ok_or_else(|| Bug::new("graph", "training has the output `loss`"))?;
        let of = |path: &str| outputs.get(&crate::driver::gradient_name(path)).map(array);
        Ok(Gradients {
            loss: loss.numbers[0],
            gradients: self.model.parameters.iter().map(|parameter| of(&parameter.path)).collect(),
            inputs: input_gradients(self.model, of),
        })
    }
}

/// All outputs by name.
fn named(outputs: Outputs) -> BTreeMap<String, Array> {
    outputs.all.iter().map(|(name, values)| (name.clone(), array(values))).collect()
}

/// Scalars have the shape `[1]`, as cases store them.
fn array(values: &crate::tensor::Array) -> Array {
    Array { shape: values.shape.extents.clone(), data: values.numbers.clone() }
}

impl Engine for Interpreted<'_> {
    fn forward(&mut self, parameters: &[Array], batch: &Batch) -> Result<BTreeMap<String, Array>, Failure> {
        Ok(named(run(&self.graphs.forward, &self.feed(parameters, batch))?))
    }

    fn gradients(&mut self, parameters: &[Array], batch: &Batch) -> Result<Gradients, Failure> {
        self.differentiated(self.graphs.train.as_ref(), parameters, batch)
    }

    fn judged(&mut self, parameters: &[Array], batch: &Batch) -> Result<Gradients, Failure> {
        self.differentiated(self.graphs.judged.as_ref(), parameters, batch)
    }

    fn evaluated(&mut self, parameters: &[Array], batch: &Batch) -> Result<BTreeMap<String, Array>, Failure> {
        let Some(graph) = &self.graphs.evaluate else { return Ok(BTreeMap::new()) };
        Ok(named(run(graph, &self.feed(parameters, batch))?))
    }

    fn generated(
        &mut self,
        parameters: &[Array],
        batch: &Batch,
        settings: &BTreeMap<String, f64>,
    ) -> Result<BTreeMap<String, Array>, Failure> {
        let graph = self.graphs.generate.as_ref().ok_or_else(|| Bug::new("graph", "there is a whole sampler"))?;
        let mut feed = self.feed(parameters, batch);
        feed.settings.extend(settings.iter().map(|(name, value)| (name.clone(), *value)));
        Ok(named(run(graph, &feed)?))
    }

    fn decode(&mut self, parameters: &[Array], start: &Batch, new: usize) -> Result<Decoded, Failure> {
        let model = self.model;
        decode_by_sequences(self, model, parameters, start, new)
    }
}
