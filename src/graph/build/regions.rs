//! A `for` of the program, a rolled region of the graph.

use super::layout::Outermost;
use super::outer::Outer;
use super::{Builder, Scope};
use crate::graph::{For, NodeId, Op, Typed, Value};
use crate::model::{self, BodyId, RegionId, ValueId, ValueKind};
use crate::tensor::{AxisId, BATCH, DType, Presence, TensorType};

impl Builder<'_> {
    /// Makes the node of a `for` in the region that it stands in.
    pub fn region(&self, scope: &mut Scope, id: RegionId) -> NodeId {
        let region = &self.program.regions[id.0 as usize];
        let outer = self.outer(id);
        let made: Vec<Scope> = (0..region.bodies.len()).map(|body| self.make_body(id, body as u32, &outer)).collect();
        let mut results = self.results_of(scope, id, region);
        let operands = region.carried.iter().chain(&outer.sliced).chain(&outer.whole);
        let mut operands: Vec<Value> = operands.map(|value| scope.values[value]).collect();
        let mut repeat = For {
            axis: region.axis,
            reverse: region.reverse,
            carried: region.carried.len(),
            sliced: outer.sliced.len(),
            bodies: made.into_iter().map(|scope| scope.region).collect(),
            turns: region.turns.clone(),
            tracks: Vec::new(),
            stacks: Vec::new(),
            until: region.bodies.iter().any(|body| body.until.is_some()),
            label: region.label.clone(),
        };
        self.lay_out(scope, &mut repeat, &mut operands, &mut results);
        scope.region.add(Op::For(repeat), operands, results, region.label.clone())
    }

    /// Orders the axes of what is carried, and with them those of what is handed in and of the results.
    fn lay_out(&self, scope: &mut Scope, repeat: &mut For, operands: &mut [Value], results: &mut [Typed]) {
        let types = operands.iter().map(|operand| &scope.region.typed(*operand).ty).collect::<Vec<_>>();
        let outermost = Outermost::of(&self.model.axes, repeat, &types);
        if outermost.is_empty() {
            return;
        }
        outermost.arrange(repeat);
        for operand in &mut operands[..repeat.carried] {
            let typed = scope.region.typed(*operand).clone();
            let ordered = Typed { ty: outermost.order(&typed.ty), ..typed };
            *operand = scope.cast(*operand, ordered, &repeat.label);
        }
        let (carried, yielded) = results.split_at_mut(repeat.carried);
        carried.iter_mut().for_each(|typed| typed.ty = outermost.order(&typed.ty));
        for typed in yielded {
            typed.ty = in_front(outermost.order(&typed.ty.without(&[repeat.axis])), repeat.axis);
        }
    }

    fn make_body(&self, id: RegionId, body: u32, outer: &Outer) -> Scope {
        let region = &self.program.regions[id.0 as usize];
        let mut scope = Scope::default();
        for (place, value) in outer.sliced.iter().enumerate() {
            let ty = self.program.values[value.0 as usize].ty.without(&[region.axis]);
            let op = Op::Argument(region.carried.len() + place);
            let slice = scope.region.add_one(op, [], Typed::always(ty), region.label.clone());
            scope.slices.insert(*value, slice);
        }
        // What presence reads comes before the value itself.
        for (place, id) in outer.whole.iter().enumerate() {
            let value = &self.program.values[id.0 as usize];
            let op = Op::Argument(region.carried.len() + outer.sliced.len() + place);
            let argument = scope.region.add_one(op, [], self.typed(&scope, value), region.label.clone());
            scope.values.insert(*id, argument);
        }
        let own = BodyId { region: id, body };
        self.fill(&mut scope, Some(own));
        let body = self.body(own);
        let carried = body.carried.iter().map(Some);
        let results = carried.chain(body.yields.iter().map(Option::as_ref)).chain(body.until.iter().map(Some));
        scope.region.results = results.map(|value| value.map(|value| scope.values[value])).collect();
        scope
    }

    /// The types of a region's results: as the program reads them, or as the bodies make them.
    fn results_of(&self, scope: &Scope, id: RegionId, region: &model::Region) -> Vec<Typed> {
        let read = |wanted: ValueKind| self.program.values.iter().find(|value| value.kind == wanted);
        let typed = |value: &model::Value| match self.is_flagged(id, value) {
            true => Typed::always(value.ty.clone()),
            false => self.typed(scope, value),
        };
        let carried = region.carried.iter().enumerate().map(|(place, initial)| {
            let found = read(ValueKind::Final(id, place as u32));
            typed(found.unwrap_or(&self.program.values[initial.0 as usize]))
        });
        let yields = region.bodies.first().map_or(0, |body| body.yields.len());
        let yielded = (0..yields).map(|place| match read(ValueKind::Yielded(id, place as u32)) {
            Some(found) => typed(found),
            None => self.stacked(region, place),
        });
        carried.chain(yielded).collect()
    }

    /// The type of a yield that nobody reads.
    fn stacked(&self, region: &model::Region, place: usize) -> Typed {
        let yields = region.bodies.iter().find_map(|body| body.yields[place]);
        let ty = yields.map(|value: ValueId| self.program.values[value.0 as usize].ty.clone());
        let ty = ty.unwrap_or_else(|| TensorType::scalar(DType::REAL));
        Typed { ty: in_front(ty, region.axis), presence: Presence::always() }
    }
}

/// The type of a stack of slices.
fn in_front(mut slice: TensorType, axis: AxisId) -> TensorType {
    let front = usize::from(slice.axes.first() == Some(&BATCH));
    slice.axes.insert(front, axis);
    slice
}
