//! The text form of a [`Model`], for `emit --stage model` and snapshots: one line for each value.

use super::declarations::{Model, Parameter, Start};
use super::values::{BodyId, Combine, Law, Program, RegionId, Value, ValueId, ValueKind};
use crate::tensor::{Affine, Axes, AxisId, DType, Extent, Precision, Presence, Relation, Term};
use std::fmt::Write;

/// The whole model.
pub fn text(model: &Model) -> String {
    let mut out = format!("model {}\n", model.name);
    let writer = Writer { axes: &model.axes };
    for (axis, declared) in model.axes.iter().skip(1) {
        let like =
            if declared.class == axis { String::new() } else { format!(" like {}", writer.axis(declared.class)) };
        let _ = writeln!(out, "axis {} = {}{like}", writer.axis(axis), writer.extent(&declared.extent));
    }
    for (name, setting) in &model.settings {
        let _ = writeln!(out, "set {name} = {}", setting.text());
    }
    for (place, input) in model.inputs.iter().enumerate() {
        let index = input.index_of.map_or(String::new(), |axis| format!(" of {}", writer.axis(axis)));
        let _ = writeln!(out, "input {place} {}{} {}{index}", input.name, writer.list(&input.axes), dtype(input.dtype));
    }
    for (place, parameter) in model.parameters.iter().enumerate() {
        let _ = writeln!(out, "{}", writer.parameter(place, parameter));
    }
    writer.program(&mut out, "forward", &model.forward);
    if let Some(train) = &model.train {
        writer.program(&mut out, "train", train);
    }
    if let Some(generate) = &model.generate {
        let settings = generate.settings.iter().map(|(name, setting)| format!("{name} = {}", setting.text()));
        let _ = writeln!(out, "generate {}({})", generate.block, settings.collect::<Vec<_>>().join(", "));
        writer.program(&mut out, "generate", &generate.program);
    }
    out
}

/// An element type as text forms write it.
pub fn dtype(dtype: DType) -> &'static str {
    match dtype {
        DType::Real(Precision::Recipe) => "real",
        DType::Real(Precision::F32) => "f32",
        DType::Real(Precision::F64) => "f64",
        DType::Int => "int",
        DType::Bool => "bool",
    }
}

struct Writer<'m> {
    axes: &'m Axes,
}

impl Writer<'_> {
    /// An axis's name, with its number where others have the same name.
    fn axis(&self, axis: AxisId) -> String {
        let name = &self.axes[axis].name;
        let shared = self.axes.iter().any(|(other, declared)| other != axis && declared.name == *name);
        if shared { format!("{name}.{}", axis.0) } else { name.clone() }
    }

    fn list(&self, axes: &[AxisId]) -> String {
        format!("[{}]", axes.iter().map(|axis| self.axis(*axis)).collect::<Vec<_>>().join(", "))
    }

    fn extent(&self, extent: &Extent) -> String {
        match extent {
            Extent::Fixed(size) => size.to_string(),
            Extent::Batch => "rows".into(),
            Extent::Sequence => "sequence".into(),
            Extent::Computed { lengths, settings, constant } => {
                let lengths = lengths.iter().map(|(axis, factor)| format!("{factor}*|{}|", self.axis(*axis)));
                let settings = settings.iter().map(|(name, factor)| format!("{factor}*{name}"));
                let terms = lengths.chain(settings).chain([constant.to_string()]);
                format!("sequence {}", terms.collect::<Vec<_>>().join(" + "))
            }
            Extent::Pieces { of, size } => format!("pieces of {size} * {}", self.axis(*of)),
        }
    }

    fn parameter(&self, place: usize, parameter: &Parameter) -> String {
        let word = if parameter.trained { "param" } else { "buffer" };
        let start = match &parameter.start {
            Start::Constant(number) => format!("{number}"),
            Start::Normal(mean, deviation) => format!("normal({mean}, {deviation})"),
            Start::Uniform(low, high) => format!("uniform({low}, {high})"),
            Start::Values(numbers) => format!("{} numbers", numbers.len()),
            Start::Formula(formula) => format!("a formula of {} steps", formula.0.len()),
        };
        let turns = parameter.turns.as_ref().map_or(String::new(), |turns| format!(" in turns {turns:?}"));
        format!("{word} {place} {}{} = {start}{turns}", parameter.path, self.list(&parameter.axes))
    }

    fn program(&self, out: &mut String, name: &str, program: &Program) {
        let _ = writeln!(out, "\nprogram {name}");
        self.values_of(out, program, None, 1);
        for (name, value) in &program.outputs {
            let _ = writeln!(out, "  output {name} = {}", id(*value));
        }
        for (value, weight) in &program.losses {
            let _ = writeln!(out, "  loss {weight} * {}", id(*value));
        }
        for (place, value) in &program.updates {
            let _ = writeln!(out, "  update {place} = {}", id(*value));
        }
        for (value, text) in &program.requirements {
            let _ = writeln!(out, "  require {} {text:?}", id(*value));
        }
        for (left, right, _) in &program.blind {
            let _ = writeln!(out, "  blind {}, {}", id(*left), id(*right));
        }
        for (name, value) in &program.named {
            let _ = writeln!(out, "  named {name} = {}", id(*value));
        }
    }

    fn values_of(&self, out: &mut String, program: &Program, body: Option<BodyId>, depth: usize) {
        let mut shown: Vec<RegionId> = Vec::new();
        for (place, value) in program.values.iter().enumerate().filter(|(_, value)| value.body == body) {
            if let ValueKind::Final(region, _) | ValueKind::Yielded(region, _) = value.kind
                && !shown.contains(&region)
            {
                shown.push(region);
                self.region(out, program, region, depth);
            }
            let _ = writeln!(out, "{}{}", "  ".repeat(depth), self.value(ValueId(place as u32), value));
        }
    }

    fn region(&self, out: &mut String, program: &Program, region: RegionId, depth: usize) {
        let own = &program.regions[region.0 as usize];
        let indent = "  ".repeat(depth);
        let (axis, reverse) = (self.axis(own.axis), if own.reverse { " reverse" } else { "" });
        let _ = writeln!(out, "{indent}for {axis}{reverse} {:?} carries {}", own.label, ids(&own.carried));
        if let Some(turns) = &own.turns {
            let _ = writeln!(out, "{indent}  turns {turns:?}");
        }
        for (place, body) in own.bodies.iter().enumerate() {
            let _ = writeln!(out, "{indent}body {place}");
            self.values_of(out, program, Some(BodyId { region, body: place as u32 }), depth + 1);
            let yields = body.yields.iter().map(|value| value.map_or("-".into(), id)).collect::<Vec<_>>().join(", ");
            let until = body.until.map_or(String::new(), |until| format!(" until {}", id(until)));
            let _ = writeln!(out, "{indent}  carry {} yield {yields}{until}", ids(&body.carried));
        }
    }

    fn value(&self, name: ValueId, value: &Value) -> String {
        let index = value.index_of.map_or(String::new(), |axis| format!(" of {}", self.axis(axis)));
        let presence = self.presence(&value.presence);
        let ty = format!("{} {}", self.list(&value.ty.axes), dtype(value.ty.dtype));
        format!("{} = {} : {ty}{index}{presence}", id(name), self.kind(&value.kind))
    }

    fn presence(&self, presence: &Presence<ValueId>) -> String {
        if presence.is_always() {
            return String::new();
        }
        let relations = presence.relations.iter().map(|relation| match relation {
            Relation::AtLeastZero(affine) => format!("{} >= 0", self.affine(affine)),
            Relation::Equal(axis, value) => format!("{} == {}", self.axis(*axis), id(*value)),
            Relation::Below { rank, bound } => format!("rank {} < {}", id(*rank), id(*bound)),
            Relation::Holds(value) => id(*value),
        });
        format!(" where {}", relations.collect::<Vec<_>>().join(" and "))
    }

    fn affine(&self, affine: &Affine<ValueId>) -> String {
        let mut terms = affine.terms.iter().map(|(term, factor)| self.term(term, *factor)).collect::<Vec<_>>();
        if affine.constant != 0 || terms.is_empty() {
            terms.push(affine.constant.to_string());
        }
        terms.join(" + ")
    }

    fn term(&self, term: &Term<ValueId>, factor: i64) -> String {
        let name = match term {
            Term::Axis(axis) => self.axis(*axis),
            Term::Quotient(axis, by) => format!("{} // {by}", self.axis(*axis)),
            Term::Remainder(axis, by) => format!("{} % {by}", self.axis(*axis)),
            Term::Value(value) => id(*value),
        };
        if factor == 1 { name } else { format!("{factor}*{name}") }
    }

    fn kind(&self, kind: &ValueKind) -> String {
        match kind {
            ValueKind::Input(place) => format!("input {place}"),
            ValueKind::Parameter(place) => format!("parameter {place}"),
            ValueKind::Number(number) => format!("{number}"),
            ValueKind::Table(numbers) => format!("table {numbers:?}"),
            ValueKind::Coordinate(axis) => format!("coordinate {}", self.axis(*axis)),
            ValueKind::Length(axis) => format!("length {}", self.axis(*axis)),
            ValueKind::Setting(name) => format!("setting {name}"),
            ValueKind::Scalar(function, operands) => format!("{} {}", function.name(), ids(operands)),
            ValueKind::Broadcast(x) => format!("broadcast {}", id(*x)),
            ValueKind::Where(x) => format!("where {}", id(*x)),
            ValueKind::Else(x, y) => format!("else {}, {}", id(*x), id(*y)),
            ValueKind::Reduce(combine, axes, x) => format!("{}{} {}", combined(*combine), self.list(axes), id(*x)),
            ValueKind::Rank(axes, x) => format!("rank{} {}", self.list(axes), id(*x)),
            ValueKind::Index(x, places) => {
                let places = places.iter().map(|(axis, at)| format!("{}: {}", self.axis(*axis), self.affine(at)));
                format!("index {}[{}]", id(*x), places.collect::<Vec<_>>().join(", "))
            }
            ValueKind::Draw { law, path, operands } => format!("draw {} {path:?} {}", self.law(*law), ids(operands)),
            ValueKind::Stop(x) => format!("stop {}", id(*x)),
            ValueKind::Peek(x) => format!("peek {}", id(*x)),
            ValueKind::Gradient(y, x) => format!("gradient of {} by {}", id(*y), id(*x)),
            ValueKind::Carried(place) => format!("carried {place}"),
            ValueKind::Turn => "turn".into(),
            ValueKind::Final(region, place) => format!("final {}.{place}", region.0),
            ValueKind::Yielded(region, place) => format!("yielded {}.{place}", region.0),
        }
    }

    fn law(&self, law: Law) -> String {
        match law {
            Law::Uniform => "uniform".into(),
            Law::Normal => "normal".into(),
            Law::Bernoulli => "bernoulli".into(),
            Law::UniformIndex(axis) => format!("uniform[{}]", self.axis(axis)),
            Law::Categorical(axis) => format!("categorical[{}]", self.axis(axis)),
        }
    }
}

fn combined(combine: Combine) -> &'static str {
    match combine {
        Combine::Sum => "sum",
        Combine::Product => "prod",
        Combine::Maximum => "max",
        Combine::Minimum => "min",
        Combine::Any => "any",
        Combine::All => "all",
        Combine::First => "first",
    }
}

fn id(value: ValueId) -> String {
    format!("%{}", value.0)
}

fn ids(values: &[ValueId]) -> String {
    values.iter().map(|value| id(*value)).collect::<Vec<_>>().join(", ")
}
