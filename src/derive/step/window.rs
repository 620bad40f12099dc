//! New positions that are a block: always as many, and computed again and again until the block is done.
//!
//! `t // n == index`  →  `t = n · index + place`, for the n places of the block
//!
//! In a block, the position over a divisor of n is exact, so that what a position sees up to the end of its block stays
//! a linear relation. What is read of whole sequences is read at the block's positions, or the row's last where
//! the block is longer; what is combined over the block stops at the row's end.

use super::rewrite::Rewrite;
use super::rows::by_row;
use super::{NotIncremental, Shared};
use crate::graph::{NodeId, Op, Typed, Value};
use crate::tensor::{Affine, AxisId, BATCH, DType, Function, Relation, Scalar, ScalarStep, TensorType, Term};
use std::collections::HashSet;

/// The block in the terms of one region.
#[derive(Debug, Clone)]
pub(super) struct Window {
    /// Which block it is.
    pub index: Affine<Value>,
    /// Values that are present in the block alone.
    pub within: HashSet<Value>,
}

impl Shared {
    /// Whether a relation keeps `axis` to the positions up to the end of the block that a position is in.
    pub(super) fn ends_with_block(&self, relation: &Relation<Value>, axis: AxisId) -> bool {
        let (Some(block), Relation::AtLeastZero(affine)) = (self.block, relation) else { return false };
        let fits = |by: i64| by > 0 && block % by == 0;
        match affine.terms.as_slice() {
            [left, right] => [(left, right), (right, left)].into_iter().any(|pair| match pair {
                ((Term::Quotient(own, by), factor), (Term::Axis(other), -1)) => {
                    *own == self.chunk && *other == axis && fits(*by) && factor == by && affine.constant < *by
                }
                ((Term::Quotient(own, by), 1), (Term::Quotient(other, other_by), -1)) => {
                    *own == self.chunk && *other == axis && fits(*by) && by == other_by && affine.constant <= 0
                }
                _ => false,
            }),
            _ => false,
        }
    }
}

impl Rewrite<'_> {
    /// Whether an old value is present in the block alone.
    pub(super) fn is_in_block(&self, value: Value) -> bool {
        self.window.as_ref().is_some_and(|window| window.within.contains(&value))
    }

    /// Whether a form is never negative, or never positive, because new positions are in the block.
    pub(super) fn is_block(&self, form: &Affine<Value>) -> bool {
        let (Some(window), Some(block)) = (&self.window, self.shared.block) else { return false };
        let own = Affine::term(Term::Quotient(self.shared.chunk, block)).plus(&window.index, -1);
        [1, -1].into_iter().any(|factor| form.plus(&own, factor) == Affine::number(0))
    }

    /// Whether a node combines all new positions, and these are a block.
    pub(super) fn combines_block(&self, id: NodeId) -> bool {
        let chunk = self.shared.chunk;
        let axes = match &self.old.node(id).op {
            Op::Contract(axes) | Op::Reduce(_, axes) | Op::Rank(axes) => axes.as_slice(),
            _ => &[],
        };
        self.shared.block.is_some() && axes.contains(&chunk)
    }

    /// The operands, the first that has the new positions at those of them that the row has.
    pub(super) fn of_the_row(&mut self, mut operands: Vec<Value>) -> Vec<Value> {
        let chunk = self.shared.chunk;
        let Some(first) = operands.iter_mut().find(|operand| self.new.typed(**operand).ty.has(chunk)) else {
            return operands;
        };
        let length = Typed::always(TensorType::new([BATCH], DType::Int));
        let length = self.new.add_one(Op::Length(self.shared.context), [], length, "length");
        let position = Affine::axis(chunk).plus(&Affine::value(self.start), 1);
        let mut left = Affine::value(length).plus(&position, -1);
        left.constant -= 1;
        let mut typed = self.new.typed(*first).clone();
        typed.ty = by_row(typed.ty);
        typed.presence.require(Relation::AtLeastZero(left));
        let path = self.new.node(first.node).path.clone();
        *first = self.new.add_one(Op::Map(Scalar::identity()), [*first], typed, path);
        operands
    }

    /// A term of the position, where that is linear in the block.
    pub(super) fn place_in_block(&self, term: &Term<Value>, factor: i64) -> Option<Affine<Value>> {
        let block = self.shared.block?;
        let inside = Affine::term(term.clone());
        match term {
            Term::Quotient(axis, by) if *axis == self.shared.chunk && block % by == 0 && factor % by == 0 => {
                let rest = if *by == block { Affine::number(0) } else { inside };
                Some(Affine::number(0).plus(&Affine::value(self.start), factor / by).plus(&rest, factor))
            }
            Term::Remainder(axis, by) if *axis == self.shared.chunk && block % by == 0 => {
                Some(Affine::number(0).plus(&inside, factor))
            }
            _ => None,
        }
    }

    /// What a value over whole sequences, in the place of an old one, is at the positions of the block.
    pub(super) fn in_block(&mut self, whole: Value, old: NodeId) -> Value {
        let node = self.old.node(old);
        let mut typed = node.results[0].clone();
        typed.ty = by_row(typed.ty);
        let inside = self.inside();
        self.new.add_one(Op::Index(vec![(self.shared.context, inside)]), [whole], typed, node.path.clone())
    }

    /// The position of each place, or the row's last.
    fn inside(&mut self) -> Affine<Value> {
        let chunk = self.shared.chunk;
        let position = self.position();
        let ty = Typed::always(TensorType::new([BATCH], DType::Int));
        let length = self.new.add_one(Op::Length(self.shared.context), [], ty, "length");
        let mut scalar = Scalar::default();
        let [own, length_step] = [0, 1].map(|place| scalar.push(ScalarStep::Operand(place)));
        let one = scalar.push(ScalarStep::Number(1.0, DType::Int));
        let last = scalar.push(ScalarStep::Call(Function::Subtract, vec![length_step, one]));
        scalar.push(ScalarStep::Call(Function::Minimum, vec![own, last]));
        let ty = Typed::always(TensorType::new([BATCH, chunk], DType::Int));
        Affine::value(self.new.add_one(Op::Map(scalar), [position, length], ty, "position"))
    }

    /// A draw for each position is that of the position, not of its place in the block.
    pub(super) fn draw_in_block(&mut self, id: NodeId) -> Result<(), NotIncremental> {
        let node = self.old.node(id);
        let (chunk, context) = (self.shared.chunk, self.shared.context);
        if node.operands.iter().any(|operand| self.old.typed(*operand).ty.has(chunk)) {
            let reason = "what is drawn has parameters of each position".to_string();
            return Err(NotIncremental { path: node.path.clone(), reason });
        }
        let operands = self.operands(id);
        let moved = |axis: &AxisId| if *axis == chunk { context } else { *axis };
        let ty =
            TensorType::new(node.results[0].ty.axes.iter().map(moved).collect::<Vec<_>>(), node.results[0].ty.dtype);
        let whole = self.new.add_one(node.op.clone(), operands, Typed::always(ty), node.path.clone());
        let drawn = self.in_block(whole, id);
        self.own.insert(Value::of(id), drawn);
        Ok(())
    }
}
