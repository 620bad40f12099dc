//! One value of the program, one node of the graph.

use super::{Builder, Scope};
use crate::graph::{Op, Typed, Value};
use crate::model::{self, RegionId, ValueId, ValueKind};
use crate::tensor::{Affine, AxisId, Scalar};

/// Axes and where they are read.
type Places = Vec<(AxisId, Affine<Value>)>;

impl Builder<'_> {
    /// Makes the node of a value whose reads have nodes.
    pub fn value(&self, scope: &mut Scope, id: ValueId) -> Value {
        let value = &self.program.values[id.0 as usize];
        let (op, operands) = match &value.kind {
            ValueKind::Final(region, place) => {
                let result = self.result(scope, *region, *place);
                return self.flagged(scope, *region, value, result);
            }
            ValueKind::Yielded(region, place) => {
                let carried = self.program.regions[region.0 as usize].carried.len() as u32;
                let result = self.result(scope, *region, carried + place);
                return self.flagged(scope, *region, value, result);
            }
            ValueKind::Gradient(of, by) => {
                let (of, by) = (scope.values[of], scope.values[by]);
                let derivative = (self.derivative)(&self.model.axes, &mut scope.region, of, by);
                let typed = self.typed(scope, value);
                return scope.cast(derivative, typed, &self.path(value));
            }
            ValueKind::Index(operand, places) => match self.slice(scope, value) {
                Some((slice, rest)) if rest.is_empty() => return slice,
                Some((slice, rest)) => (Op::Index(rest), vec![slice]),
                None => (Op::Index(self.places(scope, places)), vec![scope.values[operand]]),
            },
            kind => self.plain(scope, kind),
        };
        let typed = self.typed(scope, value);
        scope.region.add_one(op, operands, typed, self.path(value))
    }

    /// A result of a `for` as the program has it: with its axes in the program's order, and, if another result of it says
    /// where it is present, a `where` after the `for`.
    fn flagged(&self, scope: &mut Scope, region: RegionId, value: &model::Value, result: Value) -> Value {
        if !self.is_flagged(region, value) && scope.region.typed(result).ty == value.ty {
            return result;
        }
        let typed = self.typed(scope, value);
        scope.cast(result, typed, &self.path(value))
    }

    /// Whether the presence of a result of a `for` reads another result of it.
    pub fn is_flagged(&self, region: RegionId, value: &model::Value) -> bool {
        let own = |kind: &ValueKind| match kind {
            ValueKind::Final(from, _) | ValueKind::Yielded(from, _) => *from == region,
            _ => false,
        };
        let mut read = value.presence.relations.iter().flat_map(|relation| relation.values());
        read.any(|flag| own(&self.program.values[flag.0 as usize].kind))
    }

    /// Values that are one operation on their operands.
    fn plain(&self, scope: &Scope, kind: &ValueKind) -> (Op, Vec<Value>) {
        let at = |id: &ValueId| scope.values[id];
        match kind {
            ValueKind::Input(place) => (Op::Input(self.model.input(*place).name.clone()), vec![]),
            ValueKind::Parameter(place) => (Op::Parameter(self.model.parameters[*place].path.clone()), vec![]),
            ValueKind::Number(number) => (Op::Constant(vec![*number]), vec![]),
            ValueKind::Table(numbers) => (Op::Constant(numbers.clone()), vec![]),
            ValueKind::Coordinate(axis) => (Op::Coordinate(*axis), vec![]),
            ValueKind::Length(axis) => (Op::Length(*axis), vec![]),
            ValueKind::Setting(name) => (Op::Setting(name.clone()), vec![]),
            ValueKind::Scalar(function, operands) => {
                (Op::Map(Scalar::function(*function)), operands.iter().map(at).collect())
            }
            ValueKind::Broadcast(operand) | ValueKind::Where(operand) => {
                (Op::Map(Scalar::identity()), vec![at(operand)])
            }
            ValueKind::Else(first, second) => (Op::Else, vec![at(first), at(second)]),
            ValueKind::Reduce(combine, axes, operand) => (Op::Reduce(*combine, axes.clone()), vec![at(operand)]),
            ValueKind::Rank(axes, operand) => (Op::Rank(axes.clone()), vec![at(operand)]),
            ValueKind::Draw { law, path, operands } => {
                (Op::Draw(*law, path.clone()), operands.iter().map(at).collect())
            }
            ValueKind::Stop(operand) => (Op::Stop, vec![at(operand)]),
            ValueKind::Peek(operand) => (Op::Peek, vec![at(operand)]),
            ValueKind::Carried(place) => (Op::Argument(*place as usize), vec![]),
            ValueKind::Turn => (Op::Turn, vec![]),
            other => unreachable!("{other:?} is made elsewhere"),
        }
    }

    /// The type and presence of a value, over the values of this region.
    pub fn typed(&self, scope: &Scope, value: &model::Value) -> Typed {
        Typed { ty: value.ty.clone(), presence: value.presence.map_values(|id| scope.values[id]) }
    }

    fn places(&self, scope: &Scope, places: &[(AxisId, Affine<ValueId>)]) -> Vec<(AxisId, Affine<Value>)> {
        places.iter().map(|(axis, place)| (*axis, place.map_values(|id| scope.values[id]))).collect()
    }

    /// The slice that an index at the turn reads, and the places that are left.
    fn slice(&self, scope: &Scope, value: &model::Value) -> Option<(Value, Places)> {
        let region = value.body?.region;
        let (operand, rest) = self.slice_of(value, region)?;
        let slice = *scope.slices.get(&operand)?;
        let rest: Vec<(AxisId, Affine<ValueId>)> = rest.into_iter().cloned().collect();
        Some((slice, self.places(scope, &rest)))
    }

    /// A result of a `for` of this region, which is made when it is first read.
    fn result(&self, scope: &mut Scope, region: RegionId, place: u32) -> Value {
        let node = match scope.regions.get(&region) {
            Some(node) => *node,
            None => {
                let node = self.region(scope, region);
                scope.regions.insert(region, node);
                node
            }
        };
        Value { node, result: place }
    }

    /// Where a value comes from, for reports: the path of a parameter, the labels of the `for`s around it.
    pub fn path(&self, value: &model::Value) -> String {
        if let ValueKind::Parameter(place) = value.kind {
            return self.model.parameters[place].path.clone();
        }
        let mut labels = Vec::new();
        let mut body = value.body;
        while let Some(own) = body {
            let region = &self.program.regions[own.region.0 as usize];
            labels.insert(0, region.label.clone());
            body = region.body;
        }
        labels.join(".")
    }
}
