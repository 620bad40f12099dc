//! Builds a backward program: adjoints of forward values, and the few ways to make new nodes that gradients need.
//!
//! An adjoint is absent where it is zero, so absence never has to be filled in: sums skip it, products keep it. It is
//! present at most where its value is, so what an absent element holds never leaks into a gradient.
//!
//! At the top, backward nodes stand beside the forward ones. In a body of a `for` they make up a region of their own,
//! and [`Tape::read`] brings forward values there (see `bring`).

use super::{TypeError, Typing, infer, union_of};
use crate::graph::{Node, NodeId, Op, Region, Typed, Value};
use crate::model::Combine;
use crate::tensor::{Axes, AxisId, DType, Function, Presence, Relation, Scalar, ScalarStep, TensorType};
use std::collections::{HashMap, HashSet};

/// What a backward body is handed for a forward value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Slot {
    /// The operand of that place of the forward `for`: sliced or captured.
    Operand(usize),
    /// The forward body's value, kept from the same turn.
    Saved(Value),
    /// The adjoint of the carried value of that place.
    Carried(usize),
    /// The adjoint of the yield of that place.
    Yield(usize),
    /// The sum so far of the adjoint of the captured operand of that place.
    Sum(usize),
}

/// One region's backward program while it is made.
pub struct Tape<'a> {
    /// The table of axes.
    pub axes: &'a Axes,
    /// The forward region.
    pub forward: Region,
    /// The backward region, if it is another than the forward one.
    pub(super) backward: Option<Region>,
    /// What the backward region is handed, and the value that stands for it.
    pub slots: Vec<(Slot, Value)>,
    /// How many leading operands of the forward `for` are carried.
    pub(super) carried: usize,
    /// Forward values that are known in the backward region.
    pub(super) known: HashMap<Value, Value>,
    adjoints: HashMap<Value, Vec<Value>>,
    active: HashSet<Value>,
    /// The forward node at hand.
    pub node: NodeId,
    /// The path that new nodes get.
    pub path: String,
}

impl<'a> Tape<'a> {
    /// A tape whose backward nodes stand beside the forward ones. Only active values get adjoints.
    pub fn beside(axes: &'a Axes, forward: Region, active: HashSet<Value>) -> Tape<'a> {
        Tape {
            axes,
            forward,
            backward: None,
            slots: Vec::new(),
            carried: 0,
            known: HashMap::new(),
            adjoints: HashMap::new(),
            active,
            node: NodeId::end(),
            path: String::new(),
        }
    }

    /// A tape for a body of a `for` that carries so many values; its backward nodes are a region of their own.
    pub fn apart(axes: &'a Axes, forward: Region, active: HashSet<Value>, carried: usize) -> Tape<'a> {
        let mut tape = Tape::beside(axes, forward, active);
        tape.backward = Some(Region::default());
        tape.carried = carried;
        tape
    }

    /// The region that backward nodes are added to.
    pub fn region(&mut self) -> &mut Region {
        self.backward.as_mut().unwrap_or(&mut self.forward)
    }

    /// The forward and the backward region, once all is built.
    pub fn into_regions(self) -> (Region, Option<Region>) {
        (self.forward, self.backward)
    }

    /// Whether a forward value gets an adjoint.
    pub fn is_active(&self, value: Value) -> bool {
        self.active.contains(&value)
    }

    /// The type and presence of a backward value.
    pub fn typed(&self, value: Value) -> &Typed {
        self.backward.as_ref().unwrap_or(&self.forward).typed(value)
    }

    /// The type of a backward value.
    pub fn ty(&self, value: Value) -> TensorType {
        self.typed(value).ty.clone()
    }

    /// Adds to the adjoint of a forward value.
    pub fn give(&mut self, value: Value, part: Value) {
        if self.is_active(value) {
            self.adjoints.entry(value).or_default().push(part);
        }
    }

    /// The adjoint of a forward value, if anything was given to it: present at most where the value is.
    pub fn take(&mut self, value: Value) -> Option<Value> {
        let parts = self.adjoints.remove(&value)?;
        let presence = self.forward.typed(value).presence.clone();
        let presence = presence.map_values(|read| self.read(*read));
        // Parts that are present alike add up without filling in zeros.
        let parts = parts.into_iter().map(|part| self.narrow(part, &presence)).collect::<Vec<_>>();
        let sum = parts.into_iter().reduce(|sum, part| self.plus(sum, part))?;
        Some(self.narrow(sum, &presence))
    }

    /// The sum of two adjoints, in which what is absent is zero.
    pub fn plus(&mut self, left: Value, right: Value) -> Value {
        let same = self.typed(left).presence == self.typed(right).presence;
        let (left, right) = if same { (left, right) } else { (self.total(left), self.total(right)) };
        self.call(Function::Add, &[left, right])
    }

    /// The same value, zero where it is absent.
    pub fn total(&mut self, value: Value) -> Value {
        if self.typed(value).presence.is_always() {
            return value;
        }
        let ty = self.ty(value);
        let zero = self.number(0.0, ty.dtype);
        self.add(Op::Else, vec![value, zero], Typed::always(ty))
    }

    /// The same value, present only where the relations hold too.
    pub fn narrow(&mut self, value: Value, presence: &Presence<Value>) -> Value {
        let typed = self.typed(value).clone();
        let narrower = typed.presence.and(presence);
        if narrower == typed.presence {
            return value;
        }
        self.add(Op::Map(Scalar::identity()), vec![value], Typed { ty: typed.ty, presence: narrower })
    }

    /// A number without axes.
    pub fn number(&mut self, number: f64, dtype: DType) -> Value {
        self.add(Op::Constant(vec![number]), vec![], Typed::always(TensorType::scalar(dtype)))
    }

    /// A number at every position of a type.
    pub fn filled(&mut self, number: f64, ty: &TensorType) -> Value {
        let scalar = Scalar { steps: vec![ScalarStep::Number(number, ty.dtype)] };
        self.add(Op::Map(scalar), vec![], Typed::always(ty.clone()))
    }

    /// A function of values that are aligned.
    pub fn call(&mut self, function: Function, operands: &[Value]) -> Value {
        self.map(Scalar::function(function), operands)
    }

    /// A scalar expression of values that are aligned; absent where one of them is.
    pub fn map(&mut self, scalar: Scalar, operands: &[Value]) -> Value {
        let types = operands.iter().map(|operand| self.ty(*operand)).collect::<Vec<_>>();
        let mut axes = union_of(&types.iter().collect::<Vec<_>>());
        super::add_axes(&mut axes, &scalar.coordinates());
        let dtypes = types.iter().map(|ty| ty.dtype).collect::<Vec<_>>();
        let dtype = scalar.types(&dtypes).last().copied().unwrap_or(DType::REAL);
        let presence = self.presence_of(operands);
        self.add(Op::Map(scalar), operands.to_vec(), Typed { ty: TensorType { axes, dtype }, presence })
    }

    /// The same value, zero where it is absent, stored exactly as a type says.
    pub fn shaped(&mut self, value: Value, ty: &TensorType) -> Value {
        let total = self.total(value);
        if self.ty(total) == *ty {
            return total;
        }
        self.add(Op::Map(Scalar::identity()), vec![total], Typed::always(ty.clone()))
    }

    /// The value repeated along the axes of a type.
    pub fn spread(&mut self, value: Value, ty: &TensorType) -> Value {
        let own = self.typed(value).clone();
        if own.ty.axes == ty.axes {
            return value;
        }
        let ty = TensorType { axes: ty.axes.clone(), dtype: own.ty.dtype };
        self.add(Op::Map(Scalar::identity()), vec![value], Typed { ty, presence: own.presence })
    }

    /// The product of the operands, summed along all axes but those of `kept`.
    pub fn contract(&mut self, operands: &[Value], kept: &TensorType) -> Value {
        let types = operands.iter().map(|operand| self.ty(*operand)).collect::<Vec<_>>();
        let all = union_of(&types.iter().collect::<Vec<_>>());
        let summed = all.iter().copied().filter(|axis| !kept.has(*axis)).collect::<Vec<_>>();
        let kept = kept.axes.iter().copied().filter(|axis| all.contains(axis)).collect();
        let dtype = types.iter().map(|ty| ty.dtype).reduce(DType::join).unwrap_or(DType::REAL);
        let typed = Typed::always(TensorType { axes: kept, dtype });
        match (operands, summed.is_empty()) {
            ([only], true) => *only,
            ([only], false) => self.add(Op::Reduce(Combine::Sum, summed), vec![*only], typed),
            (_, false) => self.add(Op::Contract(summed), operands.to_vec(), typed),
            (_, true) => {
                let product = |left, right| self.call(Function::Multiply, &[left, right]);
                operands.iter().copied().reduce(product).unwrap_or(operands[0])
            }
        }
    }

    /// The value combined along axes.
    pub fn reduce(&mut self, combine: Combine, axes: &[AxisId], value: Value) -> Result<Value, TypeError> {
        self.infer(Op::Reduce(combine, axes.to_vec()), vec![value], None)
    }

    /// A node of the natural type, present everywhere.
    pub fn infer(&mut self, op: Op, operands: Vec<Value>, wanted: Option<&TensorType>) -> Result<Value, TypeError> {
        let axes = self.axes;
        let typing = Typing { axes, region: self.region() };
        let ty = infer(&typing, &op, &operands, wanted)?.remove(0);
        Ok(self.add(op, operands, Typed::always(ty)))
    }

    /// Records where a new value, that nobody reads yet, is present.
    pub(super) fn with_presence(&mut self, value: Value, presence: Presence<Value>) -> Value {
        let result = value.result as usize;
        self.region().edit(value.node, |node| node.results[result].presence = presence);
        value
    }

    /// A node of this type.
    pub fn add(&mut self, op: Op, operands: Vec<Value>, typed: Typed) -> Value {
        let path = self.path.clone();
        self.region().add_one(op, operands, typed, path)
    }

    /// Where all of some values are present.
    pub fn presence_of(&self, values: &[Value]) -> Presence<Value> {
        values.iter().fold(Presence::always(), |sum, value| sum.and(&self.typed(*value).presence))
    }

    /// Where a value is absent.
    pub fn absence_of(&mut self, value: Value, dtype: DType) -> Presence<Value> {
        let presence = self.typed(value).presence.clone();
        if let [Relation::AtLeastZero(affine)] = presence.relations.as_slice()
            && affine.values().all(|read| self.typed(*read).presence.is_always())
        {
            let below = crate::tensor::Affine::number(-1).plus(affine, -1);
            return Presence { relations: vec![Relation::AtLeastZero(below)] };
        }
        let truth = |number: f64| Scalar { steps: vec![ScalarStep::Number(number, dtype)] };
        let ty = TensorType { axes: self.ty(value).axes, dtype };
        let here = self.add(Op::Map(truth(1.0)), vec![], Typed { ty: ty.clone(), presence });
        let nowhere = self.number(0.0, dtype);
        let everywhere = self.add(Op::Else, vec![here, nowhere], Typed::always(ty));
        let absent = self.call(Function::Not, &[everywhere]);
        Presence { relations: vec![Relation::Holds(absent)] }
    }

    /// The node's forward operands and its first result, brought to the backward region.
    pub fn read_all(&mut self, node: &Node) -> Vec<Value> {
        node.operands.iter().map(|operand| self.read(*operand)).collect()
    }
}
