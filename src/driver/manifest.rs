//! What a compiled model says about itself: the model's declarations in the form that the runtime reads.

use crate::model::{self, Input, MappedPart, Model, Parameter, Setting, ValueId, ValueKind};
use crate::plan::Program;
use crate::tensor::Function;
use archc_runtime::abi::{
    GenerateInfo, InputInfo, Manifest, ParameterInfo, ProgramInfo, Role, Start, WeightPart, WeightSource,
};

/// Makes the manifest of a model's compiled programs, for a machine with these features.
pub fn manifest(model: &Model, programs: &[Program], features: Vec<String>) -> Manifest {
    let map = model.weights.first();
    // AVX-512 multiplies by a power of two in one instruction.
    let scales = features.iter().any(|feature| feature == "avx512f");
    let tokens = model.inputs.iter().find(|input| input.index_of.is_some() && input.default.is_none());
    Manifest {
        model: model.name.clone(),
        compiler: env!("CARGO_PKG_VERSION").to_string(),
        features,
        parameters: model.parameters.iter().map(|parameter| parameter_info(model, parameter)).collect(),
        programs: programs.iter().map(|program| program_info(model, program, scales)).collect(),
        generate: model.generate.as_ref().map(generate_info),
        weights: map.map(|map| map.tensors.iter().map(weight_source).collect()).unwrap_or_default(),
        ignored: map.map(|map| map.ignored.clone()).unwrap_or_default(),
        longest: longest(model),
        vocabulary: tokens.and_then(|input| input.index_of).and_then(|axis| model.axes.fixed(axis)),
    }
}

/// The most positions that the model's `require |t| <= …` lines allow, along any of its sequences.
fn longest(model: &Model) -> Option<i64> {
    let values = &model.forward.values;
    let kind = |id: &ValueId| &values[id.0 as usize].kind;
    let bound = |id: &ValueId| match kind(id) {
        ValueKind::Scalar(function @ (Function::LessEqual | Function::Less), sides) => {
            match (kind(&sides[0]), kind(&sides[1])) {
                (ValueKind::Length(_), ValueKind::Number(most)) if *function == Function::Less => {
                    Some(*most as i64 - 1)
                }
                (ValueKind::Length(_), ValueKind::Number(most)) => Some(*most as i64),
                _ => None,
            }
        }
        _ => None,
    };
    model.forward.requirements.iter().filter_map(|(id, _)| bound(id)).min()
}

fn parameter_info(model: &Model, parameter: &Parameter) -> ParameterInfo {
    let shape = shape_of(model, parameter);
    let turns = match (&parameter.turns, parameter.stacked) {
        (Some(turns), _) => turns.clone(),
        (None, 0) => Vec::new(),
        (None, stacked) => (0..shape[stacked - 1]).collect(),
    };
    ParameterInfo {
        path: parameter.path.clone(),
        axes: parameter.axes.iter().map(|axis| model.axes[*axis].name.clone()).collect(),
        start: start_of(&parameter.start, &shape[..parameter.stacked]),
        shape,
        trained: parameter.trained,
        turns,
    }
}

/// The sizes of a parameter, outermost first.
pub fn shape_of(model: &Model, parameter: &Parameter) -> Vec<i64> {
    parameter.axes.iter().map(|axis| model.axes.fixed(*axis).unwrap_or(0)).collect()
}

/// Values are stated for one turn; the runtime wants them for all.
fn start_of(start: &model::Start, turns: &[i64]) -> Start {
    match start {
        model::Start::Constant(value) => Start::Constant(*value),
        model::Start::Normal(mean, deviation) => Start::Normal { mean: *mean, deviation: *deviation },
        model::Start::Uniform(low, high) => Start::Uniform { low: *low, high: *high },
        model::Start::Values(values) => {
            let once: Vec<f32> = values.iter().map(|value| *value as f32).collect();
            Start::Values(once.repeat(turns.iter().product::<i64>().max(1) as usize))
        }
        model::Start::Formula(formula) => Start::Formula(formula.for_turns(turns.len())),
    }
}

fn program_info(model: &Model, program: &Program, scales: bool) -> ProgramInfo {
    let read =
        |input: &&Input| program.buffers.iter().any(|buffer| buffer.role == Role::Input && buffer.name == input.name);
    let fewer = if scales { program.powers.clone().times((-1).into()) } else { 0.into() };
    ProgramInfo {
        name: program.name.clone(),
        sizes: program.symbols.clone(),
        buffers: program.buffers.clone(),
        limits: program.limits.iter().map(|(symbol, most)| (program.symbols[*symbol].clone(), *most)).collect(),
        multiply_adds: program.multiply_adds.clone(),
        aside: program.aside.clone(),
        elementwise: program.elementwise.clone().plus(fewer),
        inputs: model.inputs.iter().filter(read).map(|input| input_info(model, input)).collect(),
    }
}

fn input_info(model: &Model, input: &Input) -> InputInfo {
    let published = model.weights.first().map_or(input.name.as_str(), |map| map.tensor_of(&input.name));
    InputInfo { name: input.name.clone(), published: published.to_string(), default: input.default }
}

/// Settings that are numbers or truth values; others cannot be options.
fn generate_info(generate: &model::Generate) -> GenerateInfo {
    let number = |setting: &Setting| match setting {
        Setting::Integer(value) => Some(*value as f64),
        Setting::Real(value) => Some(*value),
        Setting::Truth(value) => Some(f64::from(u8::from(*value))),
        _ => None,
    };
    let settings = generate.settings.iter();
    GenerateInfo {
        block: generate.block.clone(),
        settings: settings.filter_map(|(name, setting)| Some((name.clone(), number(setting)?))).collect(),
        start: generate.inputs.first().and_then(|input| input.default).map(|start| start as i64),
        input: generate.inputs.first().map(|input| input.name.clone()).unwrap_or_default(),
        output: generate.program.outputs.first().map(|(name, _)| name.clone()).unwrap_or_default(),
        requirements: generate.program.requirements.iter().map(|(_, text)| text.clone()).collect(),
    }
}

fn weight_source(tensor: &model::MappedTensor) -> WeightSource {
    WeightSource {
        tensor: tensor.name.clone(),
        shape: tensor.shape.clone(),
        parts: tensor.parts.iter().map(weight_part).collect(),
        copy: tensor.copy,
    }
}

fn weight_part(part: &MappedPart) -> WeightPart {
    WeightPart {
        parameter: part.parameter,
        extents: part.extents.clone(),
        source_offset: part.source_offset,
        source_strides: part.source_strides.clone(),
        target_offset: part.target_offset,
        target_strides: part.target_strides.clone(),
    }
}
