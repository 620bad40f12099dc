//! The first half after the checker: the graphs of all programs of a model, and their plans.

use super::sampler::{block_by_block, runs_whole, turn};
use super::{Failure, Session};
use crate::derive::{self, NotIncremental};
use crate::fault::{Bug, Environment};
use crate::graph::{self, Graph, Op};
use crate::model::{self, Input, Model, ValueId, WeightMap};
use crate::ops::Verified;
use crate::passes;
use crate::passes::scans::{self, chunkwise};
use crate::plan::{self, Interface, Program};
use crate::tensor::AxisId;
use archc_runtime::abi::{Role, names};
use std::collections::BTreeSet;

/// The programs of one model as graphs.
#[derive(Debug, Clone)]
pub struct Graphs {
    /// Whole sequences.
    pub forward: Graph,
    /// Loss and gradients, if the model has a loss.
    pub train: Option<Graph>,
    /// Gradients of outputs that are judged from outside, if somebody asked for them.
    pub judged: Option<Graph>,
    /// The loss alone, if the model has one.
    pub evaluate: Option<Graph>,
    /// What is the same at every step of the same rows, if anything is.
    pub begin: Option<Graph>,
    /// New positions after those already seen, if the model allows it.
    pub step: Option<Graph>,
    /// Why there is no step, where something could grow.
    pub refused: Option<NotIncremental>,
    /// What is the same in every turn of the sampler, if anything is.
    pub turn_begin: Option<Graph>,
    /// One turn of the sampler, if it writes position by position.
    pub turn: Option<Graph>,
    /// The whole sampler, if it does not.
    pub generate: Option<Graph>,
    /// [`Graphs::turn_begin`] for runs.
    pub run_begin: Option<Graph>,
    /// A turn at every new position, if somebody asked for it.
    pub run: Option<Graph>,
    /// What the sampler requires of its settings.
    pub require: Option<Graph>,
    /// Why every turn of the sampler computes whole sequences, if it does.
    pub whole: Option<NotIncremental>,
}

impl Graphs {
    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Graph> {
        let first = std::iter::once(&self.forward).chain(&self.train).chain(&self.judged);
        first.chain(&self.evaluate).chain(self.decoding())
    }

    fn iter_mut(&mut self) -> impl Iterator<Item = &mut Graph> {
        let first = std::iter::once(&mut self.forward).chain(&mut self.train).chain(&mut self.judged);
        let turns = self.turn_begin.iter_mut().chain(&mut self.turn).chain(&mut self.run_begin).chain(&mut self.run);
        let whole = self.generate.iter_mut().chain(&mut self.require);
        first.chain(&mut self.evaluate).chain(&mut self.begin).chain(&mut self.step).chain(turns).chain(whole)
    }

    fn decoding(&self) -> impl Iterator<Item = &Graph> {
        let turns = self.turn_begin.iter().chain(&self.turn).chain(&self.run_begin).chain(&self.run);
        self.begin.iter().chain(&self.step).chain(turns).chain(&self.generate).chain(&self.require)
    }
}

/// Makes the values that a weight map names outputs of their programs, under their names there.
pub fn expose_values(model: &mut Model, map: &WeightMap) {
    let expose = |program: &mut model::Program, values: &[(String, ValueId)]| {
        for (name, value) in values {
            if !program.outputs.iter().any(|(known, _)| known == name) {
                program.outputs.push((name.clone(), *value));
            }
        }
    };
    expose(&mut model.forward, &map.values);
    model.evaluate.iter_mut().for_each(|program| expose(program, &map.said.judged));
    model.generate.iter_mut().for_each(|generate| expose(&mut generate.program, &map.said.sampled));
}

/// Turns draws into inputs of their paths, so that a caller says what was drawn. Names those paths that no program draws.
///
/// # Errors
/// If a draw stands in a `for`: each turn would need numbers of its own.
pub fn feed_draws(graphs: &mut Graphs, paths: &[String]) -> Result<(), Environment> {
    let mut found = BTreeSet::new();
    for graph in graphs.iter_mut() {
        for id in graph.root.ids() {
            let node = graph.root.node(id);
            let Op::Draw(_, path) = &node.op else { continue };
            let Some(wanted) = paths.iter().find(|wanted| path == *wanted) else { continue };
            found.insert(wanted.clone());
            graph.root.edit(id, |node| {
                node.op = Op::Input(wanted.clone());
                node.operands.clear();
            });
        }
    }
    match paths.iter().find(|path| !found.contains(*path)) {
        None => Ok(()),
        Some(path) => Err(Environment::new(format!("no program draws `{path}` outside of a `for`"))
            .help("the path of a draw is the labels of the calls around it and its name")),
    }
}

/// Makes the graph of each program.
///
/// # Errors
/// A bug of a stage.
pub fn graphs(model: &Model, session: &mut Session) -> Result<Graphs, Failure> {
    graphs_of(model, &[], session.scan, session)
}

/// The same, with scans in a form of their own.
///
/// # Errors
/// As [`graphs`].
pub fn graphs_in(model: &Model, form: scans::Form, session: &mut Session) -> Result<Graphs, Failure> {
    graphs_of(model, &[], form, session)
}

/// The same, where training gives the gradients of some inputs as well.
///
/// # Errors
/// As [`graphs`].
pub fn graphs_with(model: &Model, inputs: &[String], session: &mut Session) -> Result<Graphs, Failure> {
    graphs_of(model, inputs, session.scan, session)
}

fn graphs_of(model: &Model, inputs: &[String], form: scans::Form, session: &mut Session) -> Result<Graphs, Failure> {
    let leaves = [trained(model).as_slice(), inputs].concat();
    let made = session.stage("graph", |_| {
        let forward = derive::build(model, &model.forward, names::FORWARD);
        let (begin, step, refused) = decode(model, &forward, grown_by_tokens(model))?;
        let forward = chunkwise(forward, form)?;
        let train = model.train.as_ref().map(|train| derive::build(model, train, names::TRAIN));
        let train = train.map(|train| passes::prepare(chunkwise(train, form)?)).transpose()?;
        let train = train.map(|train| derive::gradient(&train, names::LOSS, &leaves)).transpose()?;
        let evaluate = model.evaluate.as_ref().map(|losses| derive::build(model, losses, names::EVALUATE));
        let evaluate = evaluate.map(|losses| chunkwise(losses, form)).transpose()?;
        let begin = begin.map(|begin| chunkwise(begin, form)).transpose()?;
        // A step is mostly one position: in chunks it is only made if that is asked for.
        let in_step = if form == scans::Form::Planned { scans::Form::Sequential } else { form };
        let step = step.map(|step| chunkwise(step, in_step)).transpose()?;
        let (turn, whole) = turn(model)?;
        let generate = model.generate.as_ref().filter(|_| turn.is_none());
        let require = model.generate.as_ref().and_then(|generate| requirements(model, &generate.program));
        let generate = generate.map(|generate| derive::build(model, &generate.program, names::GENERATE));
        let (generate, whole) = match generate.zip(whole) {
            Some((generate, whole)) => block_by_block(generate, whole).map(|(made, whole)| (Some(made), whole))?,
            None => (None, None),
        };
        let (turn_begin, turn) = turn.map_or((None, None), |turn| (turn.begin, Some(turn.step)));
        Ok::<_, Bug>(Graphs {
            forward,
            train,
            judged: None,
            evaluate,
            begin,
            step,
            refused,
            turn_begin,
            turn,
            run_begin: None,
            run: None,
            generate,
            require,
            whole,
        })
    })??;
    let made = if session.speculate { with_runs(model, made, session)? } else { made };
    if let Some((why, generate)) = made.whole.as_ref().zip(model.generate.as_ref()) {
        session.diagnostics.push(runs_whole(generate, why));
    }
    for graph in made.iter() {
        session.dump(&format!("graph-{}", graph.name), || graph::text::print(graph))?;
    }
    Ok(made)
}

/// The step program and what goes before it, or why there is none: what a report on decoding needs.
///
/// # Errors
/// A bug of a stage.
pub fn step(model: &Model, session: &mut Session) -> Result<Steps, Failure> {
    let steps = session.stage("graph", |_| {
        let forward = derive::build(model, &model.forward, names::FORWARD);
        decode(model, &forward, grown_by_tokens(model))
    })??;
    Ok(steps)
}

/// The name of the program that [`judged`] makes.
pub const JUDGED: &str = "judged";

/// Gradients of outputs that are judged from outside: each, multiplied with the input of the given name, is a part of the
/// loss. Inputs of reals have gradients too.
///
/// # Errors
/// A bug of a stage.
pub fn judged(model: &Model, forward: &Graph, pairs: &[(String, String)], session: &mut Session) -> Result<Graph, Bug> {
    session.stage("graph", |_| {
        let mut judged = derive::judged(forward, pairs, names::LOSS)?;
        judged.name = JUDGED.to_string();
        derive::gradient(&passes::prepare(judged)?, names::LOSS, &with_inputs(model))
    })?
}

/// What is optimised, and the inputs of reals.
fn with_inputs(model: &Model) -> Vec<String> {
    let reals = model.inputs.iter().filter(|input| input.dtype.is_real()).map(|input| input.name.clone());
    trained(model).into_iter().chain(reals).collect()
}

/// The paths of what is optimised.
fn trained(model: &Model) -> Vec<String> {
    let trained = model.parameters.iter().filter(|parameter| parameter.trained);
    trained.map(|parameter| parameter.path.clone()).collect()
}

/// The input that decoding makes longer: the first that is an index of something, is always there, and lies along the
/// sequence of the model's first output; if that has no sequence, along any.
pub fn grown_input(model: &Model) -> Option<&Input> {
    let tokens = |input: &&Input| input.index_of.is_some() && input.default.is_none() && !input.optional;
    let tokens = || model.inputs.iter().filter(tokens).filter(|input| input.axes.len() == 1);
    let axes = model.forward.outputs.first().map(|(_, output)| &model.forward.values[output.0 as usize].ty.axes);
    let along = |input: &&Input| axes.is_some_and(|axes| axes.contains(&input.axes[0]));
    tokens().find(along).or_else(|| tokens().next())
}

/// The sequence that steps make longer: that of the tokens; of a model over other numbers, one that its first output and
/// some of its data lie along.
pub fn grown_axis(model: &Model) -> Option<AxisId> {
    if let Some(along) = grown_by_tokens(model) {
        return Some(along);
    }
    let (_, output) = model.forward.outputs.first()?;
    let axes = &model.forward.values[output.0 as usize].ty.axes;
    let given = |axis: &&AxisId| model.inputs.iter().any(|input| input.default.is_none() && input.axes.contains(axis));
    axes.iter().filter(|axis| model.axes.is_sequence(**axis)).find(given).copied()
}

fn grown_by_tokens(model: &Model) -> Option<AxisId> {
    grown_input(model)?.axes.first().copied()
}

/// Derives the step of a model without tokens as well, to compare it with whole sequences: nobody generates with it.
///
/// # Errors
/// A bug of a stage.
pub fn step_without_tokens(model: &Model, graphs: &mut Graphs, session: &mut Session) -> Result<(), Bug> {
    if graphs.step.is_none() && grown_input(model).is_none() {
        // Of the program as it is written: the one that runs may go in chunks.
        let made = session.stage("graph", |_| {
            let forward = derive::build(model, &model.forward, names::FORWARD);
            decode(model, &forward, grown_axis(model))
        })??;
        (graphs.begin, graphs.step, graphs.refused) = made;
    }
    Ok(())
}

/// What is run before the steps, the step, and why there is none.
pub type Steps = (Option<Graph>, Option<Graph>, Option<NotIncremental>);

/// The step along a sequence and what goes before it, for the model's first output.
fn decode(model: &Model, forward: &Graph, along: Option<AxisId>) -> Result<Steps, Bug> {
    let (Some(along), Some((output, _))) = (along, model.forward.outputs.first()) else {
        return Ok((None, None, None));
    };
    Ok(match derive::decode(&passes::prepare(forward.clone())?, along, &[output]) {
        Ok(decode) => (decode.begin, Some(decode.step), None),
        Err(refused) => (None, None, Some(refused)),
    })
}

/// The same with a program that judges runs.
fn with_runs(model: &Model, mut graphs: Graphs, session: &mut Session) -> Result<Graphs, Failure> {
    let decode = session.stage("graph", |_| {
        let Some(generate) = &model.generate else { return Ok(None) };
        let (every, along) = match derive::run(&derive::build(model, &generate.program, names::GENERATE)) {
            Ok(found) => found,
            Err(refused) => return Ok(Some(Err(refused))),
        };
        Ok::<_, Bug>(Some(derive::decode(&passes::prepare(every)?, along, &[names::NEXT, names::STOP, names::DRAFT])))
    })??;
    let refused = match decode {
        Some(Ok(decode)) => {
            (graphs.run_begin, graphs.run) = (decode.begin, Some(decode.step));
            return Ok(graphs);
        }
        Some(Err(refused)) => refused.to_string(),
        None => "the model has no `generate` line".to_string(),
    };
    Err(Environment::new(format!("this model's sampler cannot judge drafts: {refused}")).into())
}

/// The conditions of a program, as outputs that are numbered.
fn requirements(model: &Model, program: &model::Program) -> Option<Graph> {
    let numbered = program.requirements.iter().enumerate();
    let outputs = numbered.map(|(number, (value, _))| (number.to_string(), *value)).collect::<Vec<_>>();
    let asked = model::Program { outputs, losses: Vec::new(), updates: Vec::new(), ..program.clone() };
    (!asked.outputs.is_empty()).then(|| derive::build(model, &asked, names::REQUIRE))
}

/// Optimises each graph.
///
/// # Errors
/// A bug of a pass.
pub fn optimized(graphs: &Graphs, session: &mut Session) -> Result<Vec<Verified<Graph>>, Failure> {
    let optimized = session.stage("passes", |_| {
        let all = graphs.iter().map(|graph| passes::optimize(graph.clone()));
        all.collect::<Result<Vec<_>, Bug>>()
    })??;
    for graph in &optimized {
        session.dump(&format!("passes-{}", graph.name), || graph::text::print(graph))?;
    }
    Ok(optimized)
}

/// Plans each program.
///
/// # Errors
/// A bug of a stage.
pub fn programs(graphs: &Graphs, session: &mut Session) -> Result<Vec<Program>, Failure> {
    let optimized = optimized(graphs, session)?;
    let made =
        session.stage("program", |_| plan::schedule_all(optimized.iter().map(|graph| (&**graph, interface(graph)))))?;
    for program in &made {
        session.dump(&format!("program-{}", program.name), || program.to_string())?;
    }
    Ok(made)
}

/// What a graph's outputs are to the runtime.
fn interface(graph: &Graph) -> Interface {
    // Packed weights are made once; who asks for gradients changes them.
    let packs = !graph.outputs.iter().any(|name| name.starts_with(derive::GRADIENT));
    let samples = graph.name == names::GENERATE;
    let mut interface = Interface { packs, samples, ..Interface::default() };
    let inputs = graph.root.ids().into_iter().filter_map(|id| match &graph.root.node(id).op {
        Op::Input(name) => Some(name.clone()),
        _ => None,
    });
    interface.states.extend(inputs.filter(|name| name.starts_with(derive::STATE)));
    for name in &graph.outputs {
        let gradient = name.strip_prefix(derive::GRADIENT).map(|path| (Role::Gradient, path.to_string()));
        if name.starts_with(derive::STATE) {
            interface.states.insert(name.clone());
            interface.outputs.insert(name.clone(), (Role::State, name.clone()));
            continue;
        }
        let update = || name.strip_prefix(graph::UPDATE).map(|path| (Role::Update, path.to_string()));
        if let Some(known) = gradient.or_else(update) {
            interface.outputs.insert(name.clone(), known);
        }
    }
    interface
}

/// The output that is the gradient of a parameter or an input.
pub fn gradient_name(path: &str) -> String {
    format!("{}{path}", derive::GRADIENT)
}
