//! What a loop carries and a product renews element by element: `S = a S + contract[j](k, v)`. It is written over the
//! old, when all others have read that, so that nothing is copied at the end of a turn.
//!
//! In: what a body carries, and where. Out: the products that may be written there. A product keeps its sums to itself
//! until they are whole, and then reads and writes each element once.

use super::fusion::{Choice, Product};
use super::lowering::Scope;
use super::place::View;
use super::schedule::{Planner, element_of};
use crate::graph::{Op, Value};
use std::collections::{HashMap, HashSet};

/// What a body carries under one number, and where that lies in every turn.
#[derive(Debug, Clone)]
pub(super) struct Carried {
    pub(super) place: usize,
    pub(super) view: View,
}

impl Planner<'_> {
    /// The products that take the place of what they renew, and where that is.
    pub(super) fn renewed(&self, scope: &Scope, choice: &Choice) -> HashMap<Value, View> {
        let alone = |carried: &&Carried| self.rows.is_none() && renews(scope, choice, carried);
        let found = scope.carried.iter().filter(alone);
        found.filter_map(|carried| Some((scope.region.results[carried.place]?, carried.view.clone()))).collect()
    }
}

fn renews(scope: &Scope, choice: &Choice, carried: &Carried) -> bool {
    let region = scope.region;
    let Some(value) = region.results[carried.place] else { return false };
    let Some(product) = choice.products.get(&value) else { return false };
    let once = region.results.iter().flatten().filter(|result| **result == value).count() == 1;
    let alike = element_of(region.typed(value).ty.dtype) == carried.view.element;
    let chunked = choice.chunks.iter().any(|chunks| chunks.members.contains(&value.node));
    // What is nowhere in memory is made when the turn is over, of what is carried then.
    let mut others = region.results[..scope.carries].iter().flatten().filter(|result| **result != value);
    let needs_old = others.any(|result| is_made_of(scope, choice, *result, &|place| place == carried.place));
    let is_last = region.users(value.node).is_empty() && !needs_old && !chunked;
    once && alike && is_last && reads_its_own(scope, choice, product, carried)
}

/// Whether a product reads of all that is carried its own old elements alone, each for the new one.
fn reads_its_own(scope: &Scope, choice: &Choice, product: &Product, carried: &Carried) -> bool {
    let region = scope.region;
    let is_own = |leaf: &Value| matches!(region.node(leaf.node).op, Op::Argument(place) if place == carried.place);
    let alike = |leaf: &Value| region.typed(*leaf).ty.axes == region.typed(product.contract).ty.axes;
    let leaves = product.epilogue.leaves();
    let others = leaves.iter().filter(|leaf| **leaf != product.contract && !is_own(leaf)).copied();
    let factors = region.node(product.contract.node).operands.iter().copied();
    leaves.iter().filter(|leaf| is_own(leaf)).all(alike)
        && others.chain(factors).all(|read| !is_made_of(scope, choice, read, &|place| place < scope.carries))
}

/// Whether a value is read where something carried lies, or is made of that when it is read.
fn is_made_of(scope: &Scope, choice: &Choice, value: Value, carried: &dyn Fn(usize) -> bool) -> bool {
    let mut open = vec![value];
    let mut seen = HashSet::new();
    while let Some(value) = open.pop() {
        let node = scope.region.node(value.node);
        if matches!(node.op, Op::Argument(place) if carried(place)) {
            return true;
        }
        if seen.insert(value) && !choice.stored.contains(&value) {
            open.extend(node.reads());
        }
    }
    false
}
