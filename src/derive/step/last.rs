//! Outputs at the last new position alone: what stands between the layers and an output is computed for that position.
//!
//! `y = f(x); y[t: |t| - 1]`  →  `f(x[t: |t| - 1])`, as long as `f` works at each position by itself.

use super::rewrite::{Rewrite, equal};
use super::rows::by_row;
use crate::graph::{Node, Op, Typed, Value};
use crate::tensor::{Affine, BATCH, DType, Presence, Relation, ScalarStep, TensorType, Term};
use std::collections::HashMap;

impl Rewrite<'_> {
    /// The old value at the last new position of each row.
    pub(super) fn last(&mut self, value: Value) -> Value {
        let mut done = HashMap::new();
        self.last_of(self.own[&value], &mut done)
    }

    fn last_of(&mut self, value: Value, done: &mut HashMap<Value, Value>) -> Value {
        if !self.new.typed(value).ty.has(self.shared.chunk) {
            return value;
        }
        if let Some(&known) = done.get(&value) {
            return known;
        }
        let node = self.new.node(value.node).clone();
        let narrowed = if self.by_position(&node) { self.narrow(&node, done) } else { self.read_last(value, done) };
        done.insert(value, narrowed);
        narrowed
    }

    /// Whether the node works at each position by itself, and says nothing about positions.
    fn by_position(&self, node: &Node) -> bool {
        let chunk = self.shared.chunk;
        let reads_position = |relation: &Relation<Value>| match relation {
            Relation::AtLeastZero(affine) => affine.axes().any(|axis| axis == chunk),
            Relation::Equal(axis, _) => *axis == chunk,
            _ => false,
        };
        let plain = match &node.op {
            Op::Map(scalar) => !scalar.steps.contains(&ScalarStep::Coordinate(chunk)),
            Op::Contract(_) | Op::Reduce(..) | Op::Else | Op::Stop | Op::Peek => true,
            _ => false,
        };
        plain && !node.results[0].presence.relations.iter().any(reads_position)
    }

    fn narrow(&mut self, node: &Node, done: &mut HashMap<Value, Value>) -> Value {
        let operands = node.operands.iter().map(|&operand| self.last_of(operand, done)).collect::<Vec<_>>();
        let presence = node.results[0].presence.map_values(|value| self.last_of(*value, done));
        let ty = self.without_chunk(&node.results[0].ty);
        self.new.add_one(node.op.clone(), operands, Typed { ty, presence }, node.path.clone())
    }

    /// The type without the growing sequence; what had it belongs to a row.
    fn without_chunk(&self, ty: &TensorType) -> TensorType {
        by_row(ty.without(&[self.shared.chunk]))
    }

    /// The value itself, read at the last position.
    fn read_last(&mut self, value: Value, done: &mut HashMap<Value, Value>) -> Value {
        let chunk = self.shared.chunk;
        let length = Typed::always(TensorType::new([BATCH], DType::Int));
        let length = self.new.add_one(Op::Length(chunk), [], length, "last");
        let mut place = Affine::value(length);
        place.constant = -1;
        let source = self.new.node(value.node).clone();
        let typed = &source.results[value.result as usize];
        let ty = self.without_chunk(&typed.ty);
        let mut presence = Presence::always();
        for relation in &typed.presence.relations {
            self.at_last(relation, &place, done).into_iter().for_each(|relation| presence.require(relation));
        }
        self.new.add_one(Op::Index(vec![(chunk, place)]), [value], Typed { ty, presence }, source.path)
    }

    /// A relation over new positions as it is at the last of them.
    fn at_last(
        &mut self,
        relation: &Relation<Value>,
        last: &Affine<Value>,
        done: &mut HashMap<Value, Value>,
    ) -> Vec<Relation<Value>> {
        let chunk = self.shared.chunk;
        match relation {
            Relation::AtLeastZero(affine) => {
                let mut moved = Affine::number(affine.constant);
                for (term, factor) in &affine.terms {
                    let term = match term {
                        Term::Axis(axis) if *axis == chunk => last.clone(),
                        Term::Value(value) => Affine::value(self.last_of(*value, done)),
                        other => Affine::term(other.clone()),
                    };
                    moved = moved.plus(&term, *factor);
                }
                vec![Relation::AtLeastZero(moved)]
            }
            Relation::Equal(axis, value) if *axis == chunk => {
                let value = Affine::value(self.last_of(*value, done));
                equal(last, &value)
            }
            other => vec![other.map_values(|value| self.last_of(*value, done))],
        }
    }
}
