//! Small graphs by hand, and the comparison of their program with the interpreter.

use super::execute::{Memory, execute};
use archc::graph::{Graph, Op, Region, Typed, Value};
use archc::interpret::{self, Data, Feed, Outputs};
use archc::model::Combine;
use archc::ops::{Typing, infer};
use archc::plan::{Interface, Program, schedule};
use archc::tensor::*;
use archc_runtime::abi::Role;
use std::collections::HashMap;
use std::rc::Rc;

/// A graph that is being built. Rows are 3, 2 and 0 positions short of the longest.
pub struct Build {
    pub axes: Axes,
    pub region: Region,
    pub outputs: Vec<(String, Value)>,
}

impl Build {
    pub fn new() -> Build {
        Build { axes: Axes::default(), region: Region::default(), outputs: Vec::new() }
    }

    pub fn dim(&mut self, name: &str, size: i64) -> AxisId {
        self.axes.add(name, Extent::Fixed(size))
    }

    pub fn sequence(&mut self, name: &str) -> AxisId {
        self.axes.add(name, Extent::Sequence)
    }

    pub fn given(&mut self, op: Op, axes: &[AxisId], dtype: DType) -> Value {
        self.region.add_one(op, [], Typed::always(TensorType::new(axes, dtype)), "")
    }

    pub fn input(&mut self, name: &str, axes: &[AxisId]) -> Value {
        self.given(Op::Input(name.into()), axes, DType::REAL)
    }

    pub fn ints(&mut self, name: &str, axes: &[AxisId]) -> Value {
        self.given(Op::Input(name.into()), axes, DType::Int)
    }

    pub fn parameter(&mut self, name: &str, axes: &[AxisId]) -> Value {
        self.given(Op::Parameter(name.into()), axes, DType::REAL)
    }

    pub fn number(&mut self, number: f64) -> Value {
        self.given(Op::Constant(vec![number]), &[], DType::REAL)
    }

    /// A node of one result, of the type that its rule gives.
    pub fn op(&mut self, op: Op, operands: &[Value]) -> Value {
        self.op_where(op, operands, Vec::new())
    }

    pub fn op_where(&mut self, op: Op, operands: &[Value], relations: Vec<Relation<Value>>) -> Value {
        self.op_wanted(op, operands, relations, None)
    }

    pub fn op_wanted(
        &mut self,
        op: Op,
        operands: &[Value],
        relations: Vec<Relation<Value>>,
        wanted: Option<TensorType>,
    ) -> Value {
        let typing = Typing { axes: &self.axes, region: &self.region };
        let types = infer(&typing, &op, operands, wanted.as_ref()).unwrap_or_else(|error| panic!("{}", error.0));
        let typed = Typed { ty: types[0].clone(), presence: Presence { relations } };
        self.region.add_one(op, operands, typed, "")
    }

    pub fn map(&mut self, function: Function, operands: &[Value]) -> Value {
        self.op(Op::Map(Scalar::function(function)), operands)
    }

    pub fn keep(&mut self, value: Value, relations: Vec<Relation<Value>>) -> Value {
        self.op_where(Op::Map(Scalar::identity()), &[value], relations)
    }

    pub fn reduce(&mut self, combine: Combine, axes: &[AxisId], value: Value) -> Value {
        self.op(Op::Reduce(combine, axes.to_vec()), &[value])
    }

    pub fn contract(&mut self, axes: &[AxisId], left: Value, right: Value) -> Value {
        self.op(Op::Contract(axes.to_vec()), &[left, right])
    }

    pub fn index(&mut self, value: Value, places: &[(AxisId, Affine<Value>)]) -> Value {
        self.op(Op::Index(places.to_vec()), &[value])
    }

    /// `softmax[axis](value)` as the library writes it.
    pub fn softmax(&mut self, axis: AxisId, value: Value) -> Value {
        let largest = self.reduce(Combine::Maximum, &[axis], value);
        let largest = self.op(Op::Stop, &[largest]);
        let moved = self.map(Function::Subtract, &[value, largest]);
        let share = self.map(Function::Exp, &[moved]);
        let sum = self.reduce(Combine::Sum, &[axis], share);
        self.map(Function::Divide, &[share, sum])
    }

    pub fn output(&mut self, name: &str, value: Value) {
        self.outputs.push((name.into(), value));
    }

    pub fn finish(self) -> Graph {
        let (outputs, results): (Vec<_>, Vec<_>) = self.outputs.into_iter().unzip();
        let mut root = self.region;
        root.results = results.into_iter().map(Some).collect();
        Graph { name: "test".into(), axes: self.axes, root, outputs }
    }
}

/// Sizes of a call: the batch, and an extent with lengths for every sequence.
#[derive(Debug, Clone)]
pub struct Call {
    pub batch: usize,
    pub extents: HashMap<String, usize>,
    pub lengths: HashMap<String, Vec<usize>>,
}

impl Call {
    /// One sequence `t` of this extent, with rows that get shorter.
    pub fn ragged(batch: usize, extent: usize) -> Call {
        let lengths = (0..batch).map(|row| extent.saturating_sub(2 * row).max(1)).collect();
        let extents = HashMap::from([("t".to_string(), extent)]);
        Call { batch, extents, lengths: HashMap::from([("t".to_string(), lengths)]) }
    }

    fn extent(&self, axes: &Axes, axis: AxisId) -> usize {
        match axes[axis].extent {
            Extent::Fixed(size) => size as usize,
            Extent::Batch => self.batch,
            _ => self.extents[&axes[axes[axis].class].name],
        }
    }
}

/// A number between -1 and 1 that depends on a name and a place.
fn sample(name: &str, place: usize) -> f64 {
    let words = archc::tensor::random::Stream::new(7, name, &[]).words(place, []);
    f64::from((2.0 * archc::tensor::random::unit(words[0]) - 1.0) as f32)
}

/// Small numbers for every value from outside.
pub fn feed(graph: &Graph, call: &Call) -> Feed {
    let mut feed = Feed { lengths: call.lengths.clone(), check_presence: false, seed: 99, ..Feed::default() };
    feed.sizes = call.extents.clone();
    feed.sizes.insert("batch".into(), call.batch);
    for id in graph.root.ids() {
        let node = graph.root.node(id);
        let (Op::Input(name) | Op::Parameter(name)) = &node.op else { continue };
        let ty = &node.results[0].ty;
        let extents = ty.axes.iter().map(|&axis| call.extent(&graph.axes, axis)).collect::<Vec<_>>();
        let count = extents.iter().product::<usize>();
        let numbers = (0..count).map(|place| match ty.dtype {
            DType::Int => ((sample(name, place) + 1.0) * 1.5).floor(),
            DType::Bool => f64::from(u8::from(sample(name, place) > -0.2)),
            DType::Real(_) => sample(name, place),
        });
        let data = Data::new(extents, numbers.collect::<Vec<_>>());
        match &node.op {
            Op::Input(name) => feed.inputs.insert(name.clone(), data).is_some(),
            _ => feed.parameters.insert(name.clone(), Rc::new(data)).is_some(),
        };
    }
    feed
}

/// Runs a program on the same feed.
pub fn run_program(program: &Program, feed: &Feed) -> Memory {
    run_with(program, feed, &|_| None)
}

/// The same with further buffers by name.
pub fn run_with(program: &Program, feed: &Feed, more: &dyn Fn(&str) -> Option<Vec<f64>>) -> Memory {
    let symbols = program.symbols.iter().map(|name| feed.sizes[name] as i64).collect::<Vec<_>>();
    execute(program, &symbols, |name, size| {
        if name == "seed" {
            return Some(vec![feed.seed as f64, 0.0, 0.0]);
        }
        if let Some(axis) = name.strip_prefix('|') {
            let lengths = feed.lengths.get(axis.trim_end_matches('|'));
            return lengths.map(|lengths| lengths.iter().map(|&length| length as f64).collect());
        }
        if let Some(content) = more(name) {
            return Some(content);
        }
        let data = feed.inputs.get(name).or_else(|| feed.parameters.get(name).map(|data| &**data));
        let numbers = data.map(|data| data.numbers.clone());
        assert!(numbers.as_ref().is_none_or(|numbers| numbers.len() == size), "{name} has its size");
        numbers
    })
}

/// Demands that the program of a graph gives what the interpreter gives, wherever that is present.
pub fn check_with(graph: &Graph, call: &Call, interface: &Interface) -> Program {
    let verified = graph.clone().verified().unwrap_or_else(|bug| panic!("{bug:?}"));
    let feed = feed(graph, call);
    let expected = interpret::run(graph, &feed).unwrap_or_else(|fault| panic!("{fault:?}"));
    let program = schedule(&verified, interface);
    let memory = run_program(&program, &feed);
    compare_outputs(graph, call, &expected, &memory.buffers, &program);
    program
}

/// Demands that buffers hold the outputs that are expected.
pub fn compare_outputs(graph: &Graph, call: &Call, expected: &Outputs, buffers: &[Vec<f64>], program: &Program) {
    for (name, array) in &expected.all {
        let place = program.buffers.iter().position(|buffer| buffer.name == *name && buffer.role == Role::Output);
        let place = place.unwrap_or_else(|| panic!("no output {name}"));
        compare(name, graph, call, array, &buffers[place], program);
    }
}

fn compare(name: &str, graph: &Graph, call: &Call, expected: &Array, actual: &[f64], program: &Program) {
    assert_eq!(expected.numbers.len(), actual.len(), "{name} has its size");
    let mut offset = 0;
    let axes = &expected.shape.axes;
    let row = expected.shape.place(BATCH);
    walk(&expected.shape.extents, &[], |at, _| {
        let exists = row.is_none_or(|row| {
            axes.iter().zip(at).all(|(axis, &position)| {
                let lengths = call.lengths.get(&graph.axes[graph.axes[*axis].class].name);
                !graph.axes.is_sequence(*axis) || lengths.is_none_or(|lengths| position < lengths[at[row]])
            })
        });
        let (want, have) = (expected.numbers[offset], actual[offset]);
        let near = (want - have).abs() <= 1e-4 * want.abs().max(1.0) || want == have;
        if exists && expected.is_present(offset) && !near {
            panic!("{name} at {at:?}: {have} instead of {want}\n{program}");
        }
        offset += 1;
    });
}

/// Demands it of the plain and of the fused program, for several sizes.
pub fn check(graph: &Graph) -> Program {
    let mut last = None;
    for (batch, extent) in [(1, 1), (2, 5), (3, 7)] {
        for plain in [true, false] {
            let interface = Interface { plain, ..Interface::default() };
            last = Some(check_with(graph, &Call::ragged(batch, extent), &interface));
        }
    }
    last.expect("there was a size")
}
