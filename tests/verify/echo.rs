//! A made-up model whose weight map is the identity, and an engine that answers with a case's own numbers.

use archc::driver::Failure;
use archc::model::{Input, MappedPart, MappedTensor, Model, Parameter, Program, Start, WeightMap};
use archc::source::{FileId, Span};
use archc::tensor::{Axes, AxisId, DType, Extent};
use archc::verify::{Array, Batch, Case, Decoded, Engine, Gradients};
use std::collections::BTreeMap;

const NOWHERE: Span = Span { file: FileId(0), start: 0, end: 0 };

/// A model whose parameters are the tensors of the case's file, one to one.
pub fn model(case: &Case) -> Model {
    let mut axes = Axes::default();
    let positions = axes.add("t", Extent::Sequence);
    let vocabulary = axes.add("v", Extent::Fixed(256));
    let parameters = case.weights.iter().map(|(name, tensor)| parameter(name, tensor, &mut axes)).collect();
    let ids = Input {
        name: "ids".into(),
        axes: vec![positions],
        dtype: DType::Int,
        index_of: Some(vocabulary),
        optional: false,
        default: None,
        span: NOWHERE,
    };
    let keep = Input { name: "keep".into(), dtype: DType::Bool, index_of: None, default: Some(1.0), ..ids.clone() };
    Model {
        name: "Echo".into(),
        axes,
        settings: Vec::new(),
        inputs: vec![ids, keep],
        parameters,
        forward: Program::default(),
        train: None,
        evaluate: None,
        generate: None,
        weights: Vec::new(),
    }
}

fn parameter(name: &str, tensor: &Array, axes: &mut Axes) -> Parameter {
    let own: Vec<AxisId> = tensor.shape.iter().map(|size| axes.add("a", Extent::Fixed(*size as i64))).collect();
    Parameter {
        path: name.into(),
        axes: own,
        stacked: 0,
        turns: None,
        start: Start::Constant(0.0),
        trained: true,
        span: NOWHERE,
    }
}

/// Each file tensor is the parameter of its place.
pub fn map(case: &Case) -> WeightMap {
    let tensors = case.weights.iter().enumerate().map(|(place, (name, tensor))| MappedTensor {
        name: name.clone(),
        shape: tensor.shape.iter().map(|size| *size as i64).collect(),
        parts: vec![MappedPart {
            parameter: place,
            extents: vec![tensor.data.len() as i64],
            source_offset: 0,
            source_strides: vec![1],
            target_offset: 0,
            target_strides: vec![1],
        }],
        copy: false,
    });
    WeightMap {
        architecture: "Echo".into(),
        tensors: tensors.collect(),
        ignored: Vec::new(),
        inputs: Vec::new(),
        values: Vec::new(),
        said: archc::model::Said::default(),
        orders: Vec::new(),
    }
}

/// Answers with the numbers of the case that it was made of.
pub struct Echo {
    /// The true case.
    pub case: Case,
    steps: usize,
}

impl Echo {
    /// An engine for a case.
    pub fn new(case: &Case) -> Echo {
        Echo { case: case.clone(), steps: 0 }
    }

    /// The stored gradient where there is one, else one with the norm that the case states.
    fn gradient(&self, name: &str) -> Array {
        let norm = self.case.answers.grad_l2[name];
        let shape = &self.case.weights[name].shape;
        let even = norm / (shape.iter().product::<usize>() as f64).sqrt();
        self.case.tensors.get(&format!("grad.{name}")).cloned().unwrap_or_else(|| Array::filled(shape, even))
    }

    /// The first call, then five steps of one optimizer, then five of the other; and those once more for who asks again.
    fn loss(&mut self) -> f64 {
        let (sgd, adamw) = (self.case.answers.sgd.as_ref(), self.case.answers.adamw.as_ref());
        let losses: Vec<f64> = sgd
            .into_iter()
            .flat_map(|known| &known.losses)
            .chain(adamw.into_iter().flat_map(|known| &known.losses[1..]))
            .chain(adamw.into_iter().flat_map(|known| &known.losses))
            .copied()
            .collect();
        let loss = losses[self.steps];
        self.steps += 1;
        loss
    }
}

impl Engine for Echo {
    fn forward(&mut self, _: &[Array], _: &Batch) -> Result<BTreeMap<String, Array>, Failure> {
        let value = |name: &str| name == "logits" || name.starts_with("hidden_states.");
        Ok(self
            .case
            .tensors
            .iter()
            .filter(|(name, _)| value(name))
            .map(|(name, array)| (name.clone(), array.clone()))
            .collect())
    }

    fn gradients(&mut self, _: &[Array], _: &Batch) -> Result<Gradients, Failure> {
        let gradients = self.case.weights.keys().map(|name| Some(self.gradient(name))).collect();
        Ok(Gradients { loss: self.loss(), gradients, inputs: BTreeMap::new() })
    }

    fn judged(&mut self, parameters: &[Array], batch: &Batch) -> Result<Gradients, Failure> {
        self.gradients(parameters, batch)
    }

    fn evaluated(&mut self, _: &[Array], _: &Batch) -> Result<BTreeMap<String, Array>, Failure> {
        let loss = self.case.tensors.get("loss").cloned();
        Ok(loss.map(|loss| ("loss".to_string(), loss)).into_iter().collect())
    }

    fn generated(
        &mut self,
        _: &[Array],
        _: &Batch,
        _: &BTreeMap<String, f64>,
    ) -> Result<BTreeMap<String, Array>, Failure> {
        Ok(BTreeMap::new())
    }

    fn decode(&mut self, _: &[Array], _: &Batch, new: usize) -> Result<Decoded, Failure> {
        let logits = &self.case.tensors["decode_logits"];
        let width = logits.data.len() / new;
        Ok(Decoded {
            ids: self.case.tensors["decode_ids"].data.iter().map(|id| *id as usize).collect(),
            logits: logits.data.chunks(width).map(<[f64]>::to_vec).collect(),
        })
    }
}
