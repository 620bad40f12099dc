//! Prints a graph.

use crate::graph::{For, Graph, Node, NodeId, Op, Region, Track, Typed, Value};
use crate::model::{Combine, Law};
use crate::tensor::{
    Affine, Axes, AxisId, DType, Extent, Precision, Presence, Relation, Scalar, ScalarStep, TensorType, Term,
};
use std::collections::HashMap;
use std::fmt::Write;

/// The text form of a graph.
pub fn print(graph: &Graph) -> String {
    let mut printer = Printer { names: names(&graph.axes), text: String::new() };
    let _ = writeln!(printer.text, "graph {:?}", graph.name);
    printer.axes(graph);
    printer.region(&graph.root, 0);
    let outputs = graph.outputs.iter().map(|name| format!("{name:?}")).collect::<Vec<_>>();
    let _ = writeln!(printer.text, "outputs {}", outputs.join(", "));
    printer.text
}

impl std::fmt::Display for Graph {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        to.write_str(&print(self))
    }
}

/// Names that no two axes share.
fn names(axes: &Axes) -> Vec<String> {
    let mut count = HashMap::new();
    for (_, axis) in axes.iter() {
        *count.entry(axis.name.as_str()).or_insert(0) += 1;
    }
    let name = |(id, axis): (AxisId, &crate::tensor::Axis)| match count[axis.name.as_str()] {
        1 => axis.name.clone(),
        _ => format!("{}.{}", axis.name, id.0),
    };
    axes.iter().map(name).collect()
}

/// The word of a way to combine.
pub(super) fn combine_name(combine: Combine) -> &'static str {
    match combine {
        Combine::Sum => "sum",
        Combine::Product => "product",
        Combine::Maximum => "maximum",
        Combine::Minimum => "minimum",
        Combine::Any => "any",
        Combine::All => "all",
        Combine::First => "first",
    }
}

/// The word of an element type.
pub(super) fn dtype_name(dtype: DType) -> &'static str {
    match dtype {
        DType::Real(Precision::Recipe) => "real",
        DType::Real(Precision::F32) => "f32",
        DType::Real(Precision::F64) => "f64",
        DType::Int => "int",
        DType::Bool => "bool",
    }
}

type Numbers = HashMap<NodeId, usize>;

struct Printer {
    names: Vec<String>,
    text: String,
}

impl Printer {
    fn axes(&mut self, graph: &Graph) {
        let mut used = graph.root.used_axes();
        // What a computed length reads, and what an axis is like, must be there too.
        for axis in used.clone() {
            used.insert(graph.axes[axis].class);
            if let Extent::Computed { lengths, .. } = &graph.axes[axis].extent {
                used.extend(lengths.iter().map(|(other, _)| graph.axes[*other].class));
            }
            if let Extent::Pieces { of, .. } = graph.axes[axis].extent {
                used.insert(graph.axes[of].class);
            }
        }
        for axis in used.into_iter().filter(|axis| axis.0 != 0) {
            let known = &graph.axes[axis];
            let extent = if known.class == axis {
                self.extent(&known.extent)
            } else {
                format!("like {}", self.axis(known.class))
            };
            let most = known.most.map(|most| format!(" most {most}")).unwrap_or_default();
            let line = format!("axis {} {extent}{most}\n", self.axis(axis));
            self.text.push_str(&line);
        }
    }

    fn extent(&self, extent: &Extent) -> String {
        match extent {
            Extent::Fixed(size) => size.to_string(),
            Extent::Batch => "rows".into(),
            Extent::Sequence => "sequence".into(),
            Extent::Computed { lengths, settings, constant } => {
                let lengths = lengths.iter().map(|(axis, factor)| format!("{factor} * {} + ", self.axis(*axis)));
                let settings = settings.iter().map(|(name, factor)| format!("{factor} * {name:?} + "));
                format!("computed {}{constant}", lengths.chain(settings).collect::<String>())
            }
            Extent::Pieces { of, size } => format!("pieces of {size} * {}", self.axis(*of)),
        }
    }

    fn axis(&self, axis: AxisId) -> &str {
        &self.names[axis.0 as usize]
    }

    fn list(&self, axes: &[AxisId]) -> String {
        let names = axes.iter().map(|axis| self.axis(*axis)).collect::<Vec<_>>();
        format!("[{}]", names.join(", "))
    }

    fn region(&mut self, region: &Region, depth: usize) {
        let order = region.order();
        let numbers = order.iter().enumerate().map(|(number, id)| (*id, number)).collect::<Numbers>();
        for id in &order {
            self.node(region.node(*id), numbers[id], &numbers, depth + 1);
        }
        let results = region.results.iter().map(|result| result.map_or("none".into(), |value| name(&numbers, value)));
        let results = results.collect::<Vec<String>>();
        let _ = writeln!(self.text, "{}give {}", "  ".repeat(depth + 1), results.join(", "));
    }

    fn node(&mut self, node: &Node, number: usize, numbers: &Numbers, depth: usize) {
        let indent = "  ".repeat(depth);
        let results = node.results.iter().map(|typed| self.typed(typed, numbers)).collect::<Vec<_>>();
        let op = self.op(node, numbers);
        let path = if node.path.is_empty() { String::new() } else { format!(" @ {:?}", node.path) };
        let _ = writeln!(self.text, "{indent}%{number} = {op} : {}{path}", results.join("; "));
        for body in node.bodies() {
            let _ = writeln!(self.text, "{indent}body");
            self.region(body, depth);
        }
    }

    fn typed(&self, typed: &Typed, numbers: &Numbers) -> String {
        format!("{}{}", self.ty(&typed.ty), self.presence(&typed.presence, numbers))
    }

    fn ty(&self, ty: &TensorType) -> String {
        let axes = if ty.axes.is_empty() { String::new() } else { self.list(&ty.axes) };
        format!("{}{axes}", dtype_name(ty.dtype))
    }

    fn presence(&self, presence: &Presence<Value>, numbers: &Numbers) -> String {
        let relations = presence.relations.iter().map(|relation| match relation {
            Relation::AtLeastZero(affine) => format!("{} >= 0", self.affine(affine, numbers)),
            Relation::Equal(axis, value) => format!("{} == {}", self.axis(*axis), name(numbers, *value)),
            Relation::Below { rank, bound } => format!("{} < {}", name(numbers, *rank), name(numbers, *bound)),
            Relation::Holds(value) => name(numbers, *value),
        });
        let relations = relations.collect::<Vec<_>>();
        if relations.is_empty() { String::new() } else { format!(" where {}", relations.join(" and ")) }
    }

    fn affine(&self, affine: &Affine<Value>, numbers: &Numbers) -> String {
        let mut text = String::new();
        for (term, factor) in &affine.terms {
            let sign = if *factor < 0 { "-" } else { "+" };
            let term = match term {
                Term::Axis(axis) => self.axis(*axis).to_string(),
                Term::Quotient(axis, by) => format!("{} div {by}", self.axis(*axis)),
                Term::Remainder(axis, by) => format!("{} mod {by}", self.axis(*axis)),
                Term::Value(value) => name(numbers, *value),
            };
            let times = if factor.abs() == 1 { String::new() } else { format!("{} * ", factor.abs()) };
            text += &if text.is_empty() && *factor > 0 {
                format!("{times}{term}")
            } else {
                format!(" {sign} {times}{term}")
            };
        }
        match affine.constant {
            constant if text.is_empty() => constant.to_string(),
            0 => text.trim_start().to_string(),
            constant if constant < 0 => format!("{} - {}", text.trim_start(), -constant),
            constant => format!("{} + {constant}", text.trim_start()),
        }
    }

    fn places(&self, places: &[(AxisId, Affine<Value>)], numbers: &Numbers) -> String {
        let places =
            places.iter().map(|(axis, place)| format!("{}: {}", self.axis(*axis), self.affine(place, numbers)));
        format!("[{}]", places.collect::<Vec<_>>().join(", "))
    }

    fn op(&self, node: &Node, numbers: &Numbers) -> String {
        let operands = node.operands.iter().map(|value| name(numbers, *value)).collect::<Vec<_>>();
        let all = operands.join(", ");
        match &node.op {
            Op::Input(name) => format!("input {name:?}"),
            Op::Parameter(path) => format!("parameter {path:?}"),
            Op::Length(axis) => format!("length {}", self.axis(*axis)),
            Op::Constant(values) => {
                format!("constant {}", values.iter().map(|value| format!("{value:?}")).collect::<Vec<_>>().join(", "))
            }
            Op::Setting(name) => format!("setting {name:?}"),
            Op::Coordinate(axis) => format!("coordinate {}", self.axis(*axis)),
            Op::Argument(place) => format!("argument {place}"),
            Op::Turn => "turn".into(),
            Op::Map(scalar) => self.map(scalar, &operands),
            Op::Else => format!("else {all}"),
            Op::Contract(axes) => format!("contract {} {all}", self.list(axes)),
            Op::Reduce(combine, axes) => format!("reduce {} {} {all}", combine_name(*combine), self.list(axes)),
            Op::Rank(axes) => format!("rank {} {all}", self.list(axes)),
            Op::Index(places) => format!("index {all} {}", self.places(places, numbers)),
            Op::Scatter(places) => format!("scatter {all} {}", self.places(places, numbers)),
            Op::Write(places) => format!("write {all} {}", self.places(places, numbers)),
            Op::Draw(law, path) => format!("draw {} {path:?} {all}", self.law(*law)).trim_end().to_string(),
            Op::Stop => format!("stop {all}"),
            Op::Peek => format!("peek {all}"),
            Op::For(region) => self.repeat(region, &operands),
        }
    }

    fn law(&self, law: Law) -> String {
        match law {
            Law::Uniform => "uniform".into(),
            Law::Normal => "normal".into(),
            Law::Bernoulli => "bernoulli".into(),
            Law::UniformIndex(axis) => format!("index {}", self.axis(axis)),
            Law::Categorical(axis) => format!("categorical {}", self.axis(axis)),
        }
    }

    fn repeat(&self, region: &For, operands: &[String]) -> String {
        let (carried, rest) = operands.split_at(region.carried);
        let (sliced, captured) = rest.split_at(region.sliced);
        let mut text = format!("for {:?} along {}", region.label, self.axis(region.axis));
        text += if region.reverse { " reverse" } else { "" };
        text += if region.until { " until" } else { "" };
        for (word, values) in [("carried", carried), ("sliced", sliced), ("captured", captured)] {
            if !values.is_empty() {
                let _ = write!(text, " {word} {}", values.join(", "));
            }
        }
        if let Some(turns) = &region.turns {
            let _ = write!(text, " turns {}", turns.iter().map(u32::to_string).collect::<Vec<_>>().join(", "));
        }
        for Track { axis, slices } in &region.tracks {
            let slices = slices.iter().map(|slice| slice.map_or(-1, i64::from).to_string()).collect::<Vec<_>>();
            let _ = write!(text, " track {} {}", self.axis(*axis), slices.join(", "));
        }
        if !region.stacks.is_empty() {
            let axes = region.stacks.iter().map(|axis| self.axis(*axis)).collect::<Vec<_>>();
            let _ = write!(text, " stacked {}", axes.join(", "));
        }
        text
    }

    /// Steps that are read more than once get a name; the others stand where they are read.
    fn map(&self, scalar: &Scalar, operands: &[String]) -> String {
        let mut reads = vec![0; scalar.steps.len()];
        let mut seen = vec![false; operands.len()];
        for step in &scalar.steps {
            match step {
                ScalarStep::Call(_, arguments) => arguments.iter().for_each(|&argument| reads[argument] += 1),
                ScalarStep::Operand(place) => seen[*place] = true,
                _ => {}
            }
        }
        let mut text = String::from("map ");
        let mut names: Vec<String> = Vec::new();
        for (at, step) in scalar.steps.iter().enumerate() {
            let expression = self.step(step, operands, &names);
            let shared = reads[at] > 1 && matches!(step, ScalarStep::Call(..));
            if shared {
                let _ = write!(text, "${at} = {expression}, ");
            }
            names.push(if shared { format!("${at}") } else { expression });
        }
        text += names.last().map_or("", String::as_str);
        let unread = operands.iter().zip(seen).filter(|(_, seen)| !seen).map(|(operand, _)| operand.as_str());
        let unread = unread.collect::<Vec<_>>();
        if unread.is_empty() { text } else { format!("{text} with {}", unread.join(", ")) }
    }

    fn step(&self, step: &ScalarStep, operands: &[String], names: &[String]) -> String {
        match step {
            ScalarStep::Operand(place) => operands[*place].clone(),
            ScalarStep::Coordinate(axis) => format!("coordinate {}", self.axis(*axis)),
            ScalarStep::Number(number, dtype) => format!("{} {number:?}", dtype_name(*dtype)),
            ScalarStep::Call(function, arguments) => {
                let arguments = arguments.iter().map(|&argument| names[argument].as_str()).collect::<Vec<_>>();
                format!("{}({})", function.name(), arguments.join(", "))
            }
        }
    }
}

fn name(numbers: &Numbers, value: Value) -> String {
    let number = numbers.get(&value.node).map_or("?".to_string(), usize::to_string);
    if value.result == 0 { format!("%{number}") } else { format!("%{number}.{}", value.result) }
}
