//! Values that are another value's memory seen otherwise: renames, slices, splits, values without gradient.

use crate::graph::{Op, Value};
use crate::plan::lowering::Scope;
use crate::plan::place::View;
use crate::tensor::{Affine, AxisId, Term};
use archc_runtime::abi::Size;

impl Scope<'_> {
    /// Whether a value is the memory of its operand, seen otherwise.
    pub fn is_alias(&self, value: Value) -> bool {
        let node = self.region.node(value.node);
        match &node.op {
            Op::Stop | Op::Peek => true,
            Op::Index(places) => self.is_always(value) && places.iter().all(|(_, place)| is_linear(place)),
            _ => false,
        }
    }

    /// The value whose memory it is; itself, if it has its own.
    pub fn alias_base(&self, value: Value) -> Value {
        if self.stored(value).is_none() && self.is_alias(value) {
            return self.alias_base(self.region.node(value.node).operands[0]);
        }
        value
    }

    /// Where a value is, if it is stored or is an alias of something stored.
    pub fn view(&self, value: Value) -> Option<View> {
        if let Some(view) = self.stored(value) {
            return Some(view.clone());
        }
        if !self.is_alias(value) {
            return None;
        }
        let node = self.region.node(value.node);
        let view = self.view(node.operands[0])?;
        match &node.op {
            Op::Index(places) => Some(moved(&view, places)),
            _ => Some(view),
        }
    }
}

fn is_linear(place: &Affine<Value>) -> bool {
    place.terms.iter().all(|(term, _)| matches!(term, Term::Axis(_)))
}

/// A view through linear places.
fn moved(view: &View, places: &[(AxisId, Affine<Value>)]) -> View {
    let mut moved = view.clone();
    moved.strides.clear();
    for (axis, stride) in &view.strides {
        let Some((_, place)) = places.iter().find(|(listed, _)| listed == axis) else {
            add(&mut moved, *axis, stride.clone());
            continue;
        };
        moved.offset = moved.offset.clone().plus(stride.clone().times(Size::Constant(place.constant)));
        for (term, coefficient) in &place.terms {
            if let Term::Axis(read) = term {
                add(&mut moved, *read, stride.clone().times(Size::Constant(*coefficient)));
            }
        }
    }
    moved
}

fn add(view: &mut View, axis: AxisId, stride: Size) {
    match view.strides.iter_mut().find(|(known, _)| *known == axis) {
        Some((_, known)) => *known = known.clone().plus(stride),
        None => view.strides.push((axis, stride)),
    }
}
