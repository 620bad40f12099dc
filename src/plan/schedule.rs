//! Walks a graph in order and makes the steps of its program.
//!
//! In: a verified graph. Out: a [`Program`]; every value that is stored has a buffer, every buffer a role and, if it
//! is temporary, the range of steps that it lives for.

use super::chunks::Rows;
use super::draws::draws;
use super::fusion::{AttentionGradient, Choice, Packing, Turn, choose, is_free, prepare, turns};
use super::grouped::Sorting;
use super::lifetimes;
use super::lowering::Scope;
use super::place::View;
use super::program::{Launch, Program, Step};
use super::sizes::Sizes;
use super::tally::Tally;
use super::unread::drop_unread;
use super::updates::{is_read_beside, is_written_last};
use crate::graph::{Graph, NodeId, Op, Value};
use crate::kernel::Kernel;
use crate::tensor::{AxisId, DType, Precision};
use archc_runtime::abi::{BufferInfo, Element, Role, Size, names};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// How buffers of a program are known outside, where that is not plain from the graph.
#[derive(Debug, Clone, Default)]
pub struct Interface {
    /// Role and name of outputs that are not of role `Output` under their own name.
    pub outputs: BTreeMap<String, (Role, String)>,
    /// Inputs that are kept from call to call.
    pub states: BTreeSet<String>,
    /// Whether every value gets a buffer and every operation a kernel of its own: slow, and the tests' second opinion.
    pub plain: bool,
    /// Whether this is a sampler, at whose turns a caller may look.
    pub samples: bool,
    /// Whether parameters are read in a layout that programs of their own make of them once.
    pub packs: bool,
    /// How many rows make a chunk, instead of as many as pay.
    pub rows: Option<i64>,
}

/// Makes the programs of several graphs, and those that pack the parameters which they read packed.
pub fn schedule_all<'g>(graphs: impl IntoIterator<Item = (&'g Graph, Interface)>) -> Vec<Program> {
    let mut packings = Vec::new();
    let planned = graphs.into_iter().map(|(graph, interface)| plan(graph, &interface, &mut packings));
    let mut programs = planned.collect::<Vec<_>>();
    programs.extend(prepare(&packings));
    programs
}

/// Makes the program of a graph alone; parameters are then packed per call.
pub fn schedule(graph: &Graph, interface: &Interface) -> Program {
    plan(graph, &Interface { packs: false, ..interface.clone() }, &mut Vec::new())
}

fn plan(graph: &Graph, interface: &Interface, packings: &mut Vec<Packing>) -> Program {
    let sizes = Sizes::new(graph);
    let mut planner = Planner::new(&sizes, interface);
    let mut scope = Scope::new(&graph.root, &sizes);
    planner.bring_lengths(graph, &mut scope);
    let targets = planner.outputs(graph);
    let steps = planner.region(&mut scope, targets);
    packings.append(&mut planner.packings);
    planner.finish(graph.name.clone(), steps)
}

/// A program that is being made.
pub(super) struct Planner<'p> {
    pub(super) sizes: &'p Sizes<'p>,
    pub(super) interface: &'p Interface,
    pub(super) buffers: Vec<BufferInfo>,
    pub(super) kernels: Vec<Kernel>,
    pub(super) packings: Vec<Packing>,
    pub(super) counters: usize,
    /// Rows that are sorted already, by the region that they are sorted in.
    pub(super) sortings: Vec<(usize, Sorting)>,
    pub(super) multiply_adds: Vec<Size>,
    pub(super) aside: Vec<Size>,
    pub(super) elementwise: Vec<Size>,
    pub(super) powers: Vec<Size>,
    /// How often the present region runs.
    pub(super) times: Size,
    /// Whether it is inside of a sampler's turns.
    pub(super) in_turns: bool,
    /// What is done in the turns that are left when no row needs them.
    pub(super) tally: Tally,
    /// The rows that steps are made for, if not for all.
    pub(super) rows: Option<Rows>,
}

impl<'p> Planner<'p> {
    fn new(sizes: &'p Sizes<'p>, interface: &'p Interface) -> Planner<'p> {
        Planner {
            sizes,
            interface,
            buffers: Vec::new(),
            kernels: Vec::new(),
            packings: Vec::new(),
            counters: 0,
            sortings: Vec::new(),
            multiply_adds: Vec::new(),
            aside: Vec::new(),
            elementwise: Vec::new(),
            powers: Vec::new(),
            times: Size::Constant(1),
            in_turns: false,
            tally: Tally::default(),
            rows: None,
        }
    }

    fn finish(mut self, name: String, mut steps: Vec<Step>) -> Program {
        steps.extend(self.tally.rest());
        let mut program = Program {
            name,
            symbols: self.sizes.symbols().to_vec(),
            limits: self.sizes.limits(),
            counters: self.counters,
            buffers: self.buffers,
            kernels: self.kernels,
            steps,
            multiply_adds: super::report::total(self.multiply_adds),
            aside: super::report::total(self.aside),
            elementwise: super::report::total(self.elementwise),
            powers: super::report::total(self.powers),
        };
        drop_unread(&mut program);
        lifetimes::fill(&mut program);
        program
    }

    /// The inputs that hold rows' lengths and what draws are made of, as far as the graph needs them.
    fn bring_lengths(&mut self, graph: &Graph, scope: &mut Scope) {
        let batch = self.sizes.shape(&[crate::tensor::BATCH]);
        for class in self.sizes.sequences().collect::<Vec<_>>() {
            let name = self.sizes.length_name(class);
            let buffer = self.buffer(name, Role::Input, Element::I32, batch.iter().map(|one| one.1.clone()).collect());
            scope.lengths.insert(class, View::dense(buffer, Element::I32, &batch));
        }
        if draws(&graph.root) {
            let buffer = self.buffer(names::SEED.to_string(), Role::Input, Element::I32, vec![Size::Constant(3)]);
            scope.seed = Some(View::dense(buffer, Element::I32, &[]));
        }
    }

    /// A buffer for each output.
    fn outputs(&mut self, graph: &Graph) -> Vec<(Value, View)> {
        let mut targets = Vec::new();
        for (name, value) in graph.outputs.iter().zip(graph.root.results.iter().flatten()) {
            let (role, name) = self.interface.outputs.get(name).cloned().unwrap_or((Role::Output, name.clone()));
            let ty = &graph.root.typed(*value).ty;
            if self.interface.states.contains(&name) {
                targets.push((*value, self.state(name, &ty.axes, ty.dtype)));
                continue;
            }
            targets.push((*value, self.dense(name, role, &ty.axes, ty.dtype)));
        }
        targets
    }

    /// The buffer of a state; its input and its output are one.
    fn state(&mut self, name: String, axes: &[AxisId], dtype: DType) -> View {
        let known = self.buffers.iter().position(|buffer| buffer.name == name && buffer.role == Role::State);
        match known {
            Some(buffer) => View::dense(buffer, element_of(dtype), &self.sizes.shape(axes)),
            None => self.dense(name, Role::State, axes, dtype),
        }
    }

    /// Adds a buffer.
    pub(super) fn buffer(&mut self, name: String, role: Role, element: Element, shape: Vec<Size>) -> usize {
        self.buffers.push(BufferInfo { name, role, element, shape });
        self.buffers.len() - 1
    }

    /// A buffer for a value of these axes, outermost first.
    pub(super) fn dense(&mut self, name: String, role: Role, axes: &[AxisId], dtype: DType) -> View {
        let shape = self.sizes.shape(axes);
        let element = element_of(dtype);
        let buffer = self.buffer(name, role, element, shape.iter().map(|(_, size)| size.clone()).collect());
        View::dense(buffer, element, &shape)
    }

    /// A buffer that lives as long as it is used.
    pub(super) fn temporary(&mut self, name: &str, axes: &[AxisId], dtype: DType) -> View {
        let name = format!("{name}.{}", self.buffers.len());
        if let Some(view) = self.scratch(&name, axes, dtype) {
            return view;
        }
        self.dense(name, Role::Temporary { first: 0, last: 0 }, axes, dtype)
    }

    /// A new counter, by its place among the symbols.
    pub(super) fn counter(&mut self) -> usize {
        self.counters += 1;
        self.sizes.symbols().len() + self.counters - 1
    }

    /// The step that runs a kernel; equal kernels are kept once.
    pub(super) fn launch(&mut self, made: (Kernel, Launch)) -> Step {
        let (kernel, mut launch) = made;
        launch.kernel = self.kernels.iter().position(|known| *known == kernel).unwrap_or_else(|| {
            self.kernels.push(kernel);
            self.kernels.len() - 1
        });
        Step::Launch(launch)
    }

    /// The steps of a region; each target is a value and where it shall be in the end.
    pub(super) fn region(&mut self, scope: &mut Scope<'p>, targets: Vec<(Value, View)>) -> Vec<Step> {
        let mut first = HashMap::new();
        for (value, view) in &targets {
            first.entry(*value).or_insert_with(|| view.clone());
        }
        let (mut steps, mut last) = (Vec::new(), Vec::new());
        let choice = if self.interface.plain { Choice::default() } else { choose(scope) };
        let renewed = self.renewed(scope, &choice);
        first.extend(renewed.clone());
        let region = scope.region;
        let waits = |id: NodeId| is_written_last(region, id) || renewed.contains_key(&Value::of(id));
        // Chunks that wait for each other were not chosen, so there is an order.
        for turn in turns(scope, &choice.chunks).unwrap_or_default() {
            match turn {
                Turn::Node(id) if waits(id) => last.push(id),
                Turn::Node(id) => self.visit(scope, id, &choice, &first, &mut steps),
                Turn::Chunks(place) => self.chunked(scope, &choice.chunks[place], &choice, &first, &mut steps),
            }
        }
        let (late, early): (Vec<_>, Vec<_>) = targets.into_iter().partition(|(value, _)| waits(value.node));
        self.fill_targets(scope, early, &mut steps);
        // All results are stored by now, so that nobody asks for what is written over.
        last.into_iter().for_each(|id| self.visit(scope, id, &choice, &first, &mut steps));
        self.fill_targets(scope, late, &mut steps);
        steps
    }

    /// Copies what does not lie where it shall.
    fn fill_targets(&mut self, scope: &Scope<'p>, targets: Vec<(Value, View)>, steps: &mut Vec<Step>) {
        for (value, view) in targets {
            if scope.stored(value) != Some(&view) {
                steps.push(self.compute(scope, value, &view));
            }
        }
    }

    /// Counts a node, and makes its steps if it is stored.
    pub(super) fn visit(
        &mut self,
        scope: &mut Scope<'p>,
        id: NodeId,
        choice: &Choice,
        targets: &HashMap<Value, View>,
        steps: &mut Vec<Step>,
    ) {
        if !choice.gradients.iter().any(|found| found.forward.product.node == id) {
            self.count(scope.region, id);
        }
        if self.interface.plain || choice.stored.contains(&Value::of(id)) {
            self.node(scope, id, choice, targets, steps);
        }
    }

    fn node(
        &mut self,
        scope: &mut Scope<'p>,
        id: NodeId,
        choice: &Choice,
        targets: &HashMap<Value, View>,
        steps: &mut Vec<Step>,
    ) {
        let (node, value) = (scope.region.node(id), Value::of(id));
        match &node.op {
            Op::Argument(_) => {}
            Op::Input(_) | Op::Parameter(_) | Op::Setting(_) => self.bring(scope, id),
            Op::For(region) => self.repeat(scope, id, region, targets, steps),
            Op::Scatter(places) => {
                let view = self.home(scope, value, targets);
                let sum =
                    choice.grouped_sums.get(&value).and_then(|found| self.grouped_sum(scope, value, found, &view));
                steps.extend(sum.unwrap_or_else(|| self.scatter(scope, id, places, &view)));
                scope.store(value, view);
            }
            Op::Write(places) => {
                let view = self.home(scope, value, targets);
                steps.extend(self.write(scope, id, places, &view));
                scope.store(value, view);
            }
            _ if scope.stored(value).is_some() => {}
            op if (self.interface.plain && !is_free(op)) || choice.stored.contains(&value) => {
                if let Some(found) = choice.gradient_with(value)
                    && self.gradients(scope, found, targets, steps)
                {
                    return;
                }
                let view = self.home(scope, value, targets);
                steps.extend(self.make(scope, value, choice, &view));
                scope.store(value, view);
            }
            _ => {}
        }
    }

    /// All gradients of an attention at once; false if they cannot be.
    fn gradients(
        &mut self,
        scope: &mut Scope<'p>,
        found: &AttentionGradient,
        targets: &HashMap<Value, View>,
        steps: &mut Vec<Step>,
    ) -> bool {
        let views = found.roots.map(|root| self.home(scope, root, targets));
        let [by_query, by_key, by_value] = &views;
        let Some(made) = self.attend_gradient(scope, found, [by_query, by_key, by_value]) else { return false };
        steps.extend(made);
        for (root, view) in found.roots.into_iter().zip(views) {
            scope.store(root, view);
        }
        true
    }

    /// The steps that compute a value, in its best form.
    fn make(&mut self, scope: &Scope<'p>, value: Value, choice: &Choice, view: &View) -> Vec<Step> {
        let attended = choice.attentions.get(&value).and_then(|found| self.attend(scope, found, view));
        if let Some(steps) = attended {
            return steps;
        }
        if let Some(step) = self.ranked(scope, value, view, choice) {
            return vec![step];
        }
        let grouped = choice.grouped.get(&value).and_then(|found| self.grouped(scope, value, found, view));
        if let Some(steps) = grouped {
            return steps;
        }
        let product = choice.products.get(&value);
        product
            .and_then(|product| scope.attempt(|| self.gemm(scope, value, product, (view, choice))))
            .or_else(|| self.add_up(scope, value, view))
            .unwrap_or_else(|| {
                let mut steps = self.lay_along(scope, value, view);
                steps.push(self.compute_needed(scope, value, view, choice));
                steps
            })
    }

    /// Where a value is to be stored: its target, or a buffer of its own.
    pub(super) fn home(&mut self, scope: &Scope, value: Value, targets: &HashMap<Value, View>) -> View {
        let typed = scope.typed(value);
        if let Some(view) = self.in_place(scope, value).or_else(|| self.written_over(scope, value)) {
            return view;
        }
        let name = crate::ops::name_of(&scope.region.node(value.node).op);
        let own = |planner: &mut Self| planner.temporary(name, &typed.ty.axes, typed.ty.dtype);
        let apart = is_read_beside(scope.region, value.node) && !is_written_last(scope.region, value.node);
        targets.get(&value).filter(|_| !apart).cloned().unwrap_or_else(|| own(self))
    }

    /// A value from outside; two nodes of one name share the buffer.
    fn bring(&mut self, scope: &mut Scope, id: NodeId) {
        let node = scope.region.node(id);
        let (name, role) = match &node.op {
            Op::Input(name) if self.interface.states.contains(name) => (name.clone(), Role::State),
            Op::Parameter(path) => (path.clone(), Role::Parameter),
            Op::Input(name) | Op::Setting(name) => (name.clone(), Role::Input),
            _ => return,
        };
        let ty = &node.results[0].ty;
        let known = self.buffers.iter().position(|buffer| buffer.name == name && buffer.role == role);
        let view = match known {
            Some(buffer) => View::dense(buffer, element_of(ty.dtype), &self.sizes.shape(&ty.axes)),
            None => self.dense(name, role, &ty.axes, ty.dtype),
        };
        scope.store(Value::of(id), view);
    }
}

/// How a value's elements are stored.
pub(super) fn element_of(dtype: DType) -> Element {
    match dtype {
        DType::Real(Precision::F64) => Element::F64,
        DType::Real(_) => Element::F32,
        DType::Int => Element::I32,
        DType::Bool => Element::Bool,
    }
}
