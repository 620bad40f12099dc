//! Products take the maps on top of them as epilogues.
//! `p = x w; y = exp(a) * p + b`  →  the product of x and w, its elements times `exp(a)` plus `b` as they are stored
//!
//! What an epilogue would compute for each element though fewer numbers are meant is stored first.

use super::choice::{Chooser, Product};
use super::expression::Expression;
use super::price::is_elementary;
use crate::graph::{NodeId, Op, Value};
use crate::tensor::{AxisId, ScalarStep, TensorType};

/// Elements, and times that each would be computed, from which on a value is stored first.
const WORTH: i64 = 32;

impl Chooser<'_, '_> {
    /// Stored maps take the product below them as their own.
    pub(super) fn absorb(&mut self) {
        let order = self.region.order();
        for &id in order.iter().rev() {
            let value = Value::of(id);
            if self.contracts.contains(&value) && self.choice.stored.contains(&value) {
                let epilogue = Expression::Leaf(value);
                self.choice.products.entry(value).or_insert(Product { contract: value, epilogue });
            }
            if self.choice.stored.contains(&value) && matches!(self.region.node(id).op, Op::Map(_)) {
                self.absorb_into(value, &order);
            }
        }
    }

    fn absorb_into(&mut self, root: Value, order: &[NodeId]) {
        let stored = self.choice.stored.clone();
        let ty = &self.region.typed(root).ty;
        let apart = |value: Value| stored.contains(&value) || (value != root && self.is_dear_part(value, ty));
        let Some(expression) = Expression::of(self.region, root, &apart) else { return };
        let leaves = expression.leaves();
        let inside = |value: &Value| {
            let leaf = &self.region.typed(*value).ty;
            let readable = stored.contains(&self.scope.alias_base(*value)) || apart(*value);
            readable && leaf.dtype.is_real() && leaf.axes.iter().all(|axis| ty.has(*axis))
        };
        if !ty.dtype.is_real() || !leaves.iter().all(inside) {
            return;
        }
        let place = |value: &Value| order.iter().position(|id| *id == value.node);
        let fits = |value: &&Value| {
            let same = self.region.typed(**value).ty.axes.len() == ty.axes.len();
            same && self.contracts.contains(*value) && !self.required.contains(*value) && self.only_in(**value, root)
        };
        let Some(contract) = leaves.iter().filter(fits).max_by_key(|value| place(value)).copied() else { return };
        if expression.scalar(&leaves, &[]).is_none() {
            return;
        }
        let dear = leaves.iter().copied().filter(|leaf| self.is_dear_part(*leaf, ty)).collect::<Vec<_>>();
        self.choice.stored.extend(dear);
        self.choice.stored.remove(&contract);
        self.choice.products.insert(root, Product { contract, epilogue: expression });
    }

    /// Whether all readers of a value are maps inside of the expression of `root`.
    fn only_in(&self, value: Value, root: Value) -> bool {
        let users = self.users.get(&value).map_or(&[][..], Vec::as_slice);
        users.iter().all(|&user| {
            user == root.node
                || (matches!(self.region.node(user).op, Op::Map(_) | Op::Stop | Op::Peek)
                    && !self.choice.stored.contains(&Value::of(user))
                    && self.only_in(Value::of(user), root))
        })
    }

    /// Whether a value that lacks an axis of a product calls a function that is a polynomial and more, and is worth a
    /// kernel: an epilogue, which goes element by element, would call it that many times over.
    fn is_dear_part(&self, value: Value, product: &TensorType) -> bool {
        let typed = self.region.typed(value);
        let Op::Map(scalar) = &self.region.node(value.node).op else { return false };
        let called = scalar.steps.iter().any(|step| matches!(step, ScalarStep::Call(call, _) if is_elementary(*call)));
        let size = |axis: &AxisId| self.scope.sizes.axes().fixed(*axis).unwrap_or(1);
        let own = typed.ty.axes.iter().map(size).product::<i64>();
        let times = product.axes.iter().filter(|axis| !typed.ty.has(**axis)).map(size).product::<i64>();
        called && typed.presence.is_always() && typed.ty.dtype.is_real() && own.min(times) >= WORTH
    }
}
