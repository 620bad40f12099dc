//! Regions: a `for` becomes a loop of steps with carried values in buffers and stacks that are written slice by slice.

use super::lowering::{Emitter, Scope};
use super::place::{Place, Places, View};
use super::program::{Argument, Step};
use super::renewed::Carried;
use super::scan::Ends;
use super::schedule::Planner;
use super::updates::{InPlace, changed_in_places};
use crate::graph::{For, NodeId, Op, Region, Value};
use crate::kernel::{Register, ScalarType};
use crate::ops::yields_of;
use crate::tensor::{AxisId, BATCH, DType, Extent, Function};
use archc_runtime::abi::{Role, Size};
use std::collections::HashMap;

/// A `for` on its way to steps.
struct Turns<'r> {
    region: &'r For,
    counter: Size,
    carried: Vec<View>,
    stacks: Vec<View>,
    running: Option<View>,
    /// How many rows still run, for loops that need not go on when none does.
    going: Option<View>,
    /// Whether a caller looks at every turn.
    watched: bool,
    /// Sliced operands whose memory is that of a stack.
    in_place: Vec<usize>,
    /// The slice that a turn has along the axis of each track.
    tracks: Vec<(AxisId, Size)>,
}

impl Turns<'_> {
    /// The slice that a turn has along an axis.
    fn at(&self, axis: AxisId) -> Size {
        let found = self.tracks.iter().find(|(track, _)| *track == axis);
        found.map_or_else(|| self.counter.clone(), |(_, at)| at.clone())
    }
}

impl<'p> Planner<'p> {
    /// The steps of a `for`.
    pub(super) fn repeat(
        &mut self,
        scope: &mut Scope<'p>,
        id: NodeId,
        region: &'p For,
        targets: &HashMap<Value, View>,
        steps: &mut Vec<Step>,
    ) {
        let operands = self.settle_operands(scope, id, steps);
        let in_place = self.stacks_in_place(scope, id, region);
        let carried = self.begin_carried(scope, id, region, targets, steps);
        let stacks = self.stacks(scope, id, region, (targets, &in_place));
        let ends = Ends { operands: &operands, carried: &carried, stacks: &stacks };
        if let Some(scan) = self.scan(scope, region, &ends) {
            steps.extend(scan);
            return place_results(scope, id, carried.into_iter().chain(stacks));
        }
        let counter = self.counter();
        let running = region.until.then(|| self.begin_running(scope, steps));
        let watched = self.is_watched(scope, region, &carried);
        let leaves = watched || self.is_pieces(region.axis);
        let going = running.as_ref().filter(|_| leaves).map(|_| self.begin_going(scope, steps));
        let in_place = in_place.into_iter().map(|(place, ..)| place).collect();
        let (tracks, looked_up) = self.tracks(region, counter);
        let turns = Turns {
            region,
            counter: Size::Symbol(counter),
            carried,
            stacks,
            running,
            going,
            watched,
            in_place,
            tracks,
        };
        let before = turns.going.as_ref().map(|_| self.tally.begin());
        let arms = self.arms(scope, &turns, &operands);
        let told = before.map(|before| self.tally.end(before));
        let asks =
            watched || self.carries_output(&turns.carried) && !scope.watched && !arms.iter().any(|arm| asks(arm));
        let body = match &region.turns {
            Some(table) if arms.len() > 1 => vec![Step::Switch { counter, table: table.clone(), arms }],
            _ => arms.into_iter().next().unwrap_or_default(),
        };
        let body = looked_up.into_iter().chain(body).chain(told).collect();
        let body = if asks { vec![Step::Ask { counter, body }] } else { body };
        let body = self.while_any(&turns, body);
        let extent = self.sizes.extent(region.axis);
        steps.push(Step::Loop { counter, turns: extent, reverse: region.reverse, body });
        place_results(scope, id, turns.carried.into_iter().chain(turns.stacks));
    }

    /// A counter for each track, and the steps that set them.
    fn tracks(&mut self, region: &For, of: usize) -> (Vec<(AxisId, Size)>, Vec<Step>) {
        let pairs = region.tracks.iter().map(|track| {
            let counter = self.counter();
            let table = track.slices.iter().map(|slice| slice.unwrap_or(0)).collect();
            ((track.axis, Size::Symbol(counter)), Step::Lookup { counter, of, table })
        });
        pairs.unzip()
    }

    /// Every operand in memory.
    fn settle_operands(&mut self, scope: &mut Scope<'p>, id: NodeId, steps: &mut Vec<Step>) -> Vec<View> {
        let operands = scope.region.node(id).operands.clone();
        let mut views = Vec::with_capacity(operands.len());
        for operand in operands {
            if scope.stored(operand).is_none() {
                let view = self.home(scope, operand, &HashMap::new());
                steps.push(self.compute(scope, operand, &view));
                scope.store(operand, view);
            }
            views.extend(scope.stored(operand).cloned());
        }
        views
    }

    /// Buffers of carried values, filled with the initial ones.
    fn begin_carried(
        &mut self,
        scope: &Scope<'p>,
        id: NodeId,
        region: &For,
        targets: &HashMap<Value, View>,
        steps: &mut Vec<Step>,
    ) -> Vec<View> {
        let mut views = Vec::with_capacity(region.carried);
        for place in 0..region.carried {
            if let Some(view) = self.goes_on_in(scope, id, place) {
                views.push(view);
                continue;
            }
            let view = self.home(scope, Value { node: id, result: place as u32 }, targets);
            steps.push(self.compute(scope, scope.region.node(id).operands[place], &view));
            views.push(view);
        }
        views
    }

    /// Buffers of yielded values; those that stay inside are stored turn by turn.
    fn stacks(
        &mut self,
        scope: &Scope,
        id: NodeId,
        region: &For,
        (targets, in_place): (&HashMap<Value, View>, &[InPlace]),
    ) -> Vec<View> {
        let mut views = Vec::new();
        for place in 0..yields_of(region) {
            if let Some((.., view)) = in_place.iter().find(|(_, stack, _)| *stack == place) {
                views.push(view.clone());
                continue;
            }
            let value = Value { node: id, result: (region.carried + place) as u32 };
            let ty = &scope.typed(value).ty;
            let axis = region.stack_axis(place);
            let mut axes = ty.without(&[axis]).axes;
            axes.insert(0, axis);
            let view = targets.get(&value).cloned().unwrap_or_else(|| self.temporary("stack", &axes, ty.dtype));
            views.push(view);
        }
        views
    }

    /// Which rows still run: those that run in a loop around.
    fn begin_running(&mut self, scope: &Scope<'p>, steps: &mut Vec<Step>) -> View {
        let view = self.temporary("running", &[BATCH], DType::Bool);
        let mut emitter = Emitter::new(scope);
        self.fill(&mut emitter, &view, |emitter, places| match &scope.running {
            Some(running) => emitter.nest.load(running, places),
            None => emitter.nest.number(1.0, ScalarType::Bool),
        });
        steps.push(self.launch(emitter.nest.finish("start".into(), String::new(), Size::Symbol(0))));
        view
    }

    /// Whether any row still runs: it does.
    fn begin_going(&mut self, scope: &Scope<'p>, steps: &mut Vec<Step>) -> View {
        let view = self.temporary("going", &[], DType::Int);
        let mut emitter = Emitter::new(scope);
        let one = emitter.nest.int(1);
        emitter.nest.store(&view, &Places::new(), one);
        steps.push(self.launch(emitter.nest.finish("start".into(), String::new(), Size::Constant(1))));
        view
    }

    /// Steps of a turn, which are done only if some row still runs.
    fn while_any(&mut self, turns: &Turns, body: Vec<Step>) -> Vec<Step> {
        let Some(going) = &turns.going else { return body };
        let counter = self.counter();
        let from = Argument { buffer: going.buffer, offset: going.offset.clone() };
        let arms = vec![body, Vec::new()];
        vec![Step::Count { counter, from }, Step::Switch { counter, table: vec![1, 0], arms }]
    }

    /// Looks again whether any row runs.
    fn look_whether_any(&mut self, scope: &Scope<'p>, running: &View, going: &View) -> Step {
        let mut emitter = Emitter::new(scope);
        let rows = self.sizes.extent(BATCH);
        let turns = emitter.nest.amount(&rows);
        let count = emitter.sum_over(turns, false, ScalarType::Int, |emitter, row| {
            let runs = emitter.nest.load(running, &Places::from([(BATCH, Place::index(row))]));
            emitter.nest.convert(runs, ScalarType::Int)
        });
        let none = emitter.nest.int(0);
        let any = emitter.nest.call(Function::Less, &[none, count]);
        let any = emitter.nest.convert(any, ScalarType::Int);
        emitter.nest.store(going, &Places::new(), any);
        self.launch(emitter.nest.finish("any".into(), String::new(), rows))
    }

    fn arms(&mut self, scope: &Scope<'p>, turns: &Turns<'p>, operands: &[View]) -> Vec<Vec<Step>> {
        let times = self.times.clone();
        let outside = self.in_turns;
        self.in_turns |= self.has_turns(turns.region, &turns.carried);
        let mut arms = Vec::with_capacity(turns.region.bodies.len());
        for (number, body) in turns.region.bodies.iter().enumerate() {
            let count = match &turns.region.turns {
                Some(table) => (table.iter().filter(|arm| **arm == number as u32).count() as i64).into(),
                None => self.sizes.extent(turns.region.axis),
            };
            self.times = times.clone().times(count.clone());
            let around = self.tally.repeat(if turns.going.is_some() { Size::Constant(1) } else { count });
            arms.push(self.arm(scope, turns, operands, body));
            self.tally.leave(around);
        }
        (self.times, self.in_turns) = (times, outside);
        arms
    }

    /// One body: its values, then the new carried values take the place of the old.
    fn arm(&mut self, outer: &Scope<'p>, turns: &Turns<'p>, operands: &[View], body: &'p Region) -> Vec<Step> {
        let mut scope = outer.inside(body, turns.counter.clone());
        scope.watched |= turns.watched;
        scope.running = turns.running.clone().or(scope.running);
        scope.own(self.own_arguments(turns.region, body, |place| turns.in_place.contains(&place)));
        scope.leave_open(changed_in_places(turns.region, body));
        self.carry(&mut scope, turns);
        for id in body.ids() {
            if let Op::Argument(place) = body.node(id).op {
                scope.store(Value::of(id), self.argument_view(turns, operands, place));
            }
        }
        let region = turns.region;
        let yields = turns.stacks.iter().enumerate().filter_map(|(place, stack)| {
            let value = body.results[region.carried + place]?;
            let axis = region.stack_axis(place);
            Some((value, stack.slice(axis, turns.at(axis), self.sizes.extent(axis))))
        });
        let mut steps = self.region(&mut scope, yields.collect());
        self.hand_over(&mut scope, turns, &mut steps);
        steps
    }

    /// Says which carried values all rows hand on in every turn: the new may be written where the old are.
    fn carry(&self, scope: &mut Scope, turns: &Turns) {
        scope.carries = turns.region.carried;
        let always = |view: &View| turns.running.is_none() && !self.ends_by_row(turns.region.axis, view);
        let carried = turns.carried.iter().enumerate().filter(|(_, view)| always(view));
        scope.carried = carried.map(|(place, view)| Carried { place, view: view.clone() }).collect();
    }

    fn argument_view(&self, turns: &Turns, operands: &[View], place: usize) -> View {
        let sliced = turns.region.carried..turns.region.carried + turns.region.sliced;
        match turns.carried.get(place) {
            Some(carried) => carried.clone(),
            None if sliced.contains(&place) => {
                let axis = turns.region.slice_axis_where(|axis| operands[place].stride(axis).is_some());
                let axis = axis.unwrap_or(turns.region.axis);
                operands[place].slice(axis, turns.at(axis), self.sizes.extent(axis))
            }
            None => operands[place].clone(),
        }
    }

    /// Copies new carried values over the old ones, after all are computed.
    fn hand_over(&mut self, scope: &mut Scope<'p>, turns: &Turns<'p>, steps: &mut Vec<Step>) {
        let mut moves = Vec::new();
        for (place, view) in turns.carried.iter().enumerate() {
            let Some(value) = scope.region.results[place] else { continue };
            if scope.stored(value) == Some(view) {
                continue;
            }
            if !scope.is_open(value) && needs_copy(scope, value, &turns.carried) {
                let copy = self.home(scope, value, &HashMap::new());
                steps.push(self.compute(scope, value, &copy));
                scope.store(value, copy);
            }
            moves.push((value, view));
        }
        for (value, view) in moves {
            steps.push(self.replace(scope, turns, value, view));
        }
        if let (Some(running), Some(Some(value))) = (&turns.running, scope.region.results.last().copied()) {
            steps.push(self.replace_with(scope, running, |emitter, places, old| {
                let stops = emitter.value(value, places);
                let goes_on = emitter.nest.call(Function::Not, &[stops]);
                emitter.nest.call(Function::And, &[old, goes_on])
            }));
        }
        if let (Some(running), Some(going)) = (&turns.running, &turns.going) {
            steps.push(self.look_whether_any(scope, running, going));
        }
    }

    /// The new value in rows that this turn is for, else the old.
    fn replace(&mut self, scope: &Scope<'p>, turns: &Turns<'p>, value: Value, view: &View) -> Step {
        let by_length = self.ends_by_row(turns.region.axis, view);
        let running = turns.running.as_ref().filter(|_| view.stride(BATCH).is_some());
        self.replace_with(scope, view, |emitter, places, old| {
            let new = emitter.value(value, places);
            let mut runs = running.map(|view| emitter.nest.load(view, places));
            if by_length {
                let turn = emitter.nest.size(&turns.counter);
                let inside = emitter.has_turn(turns.region.axis, turn, places);
                runs = Some(runs.map_or(inside, |runs| emitter.nest.call(Function::And, &[runs, inside])));
            }
            emitter.choose(runs, new, old)
        })
    }

    /// Whether what is carried has rows that end before others: their turns are positions.
    pub(super) fn ends_by_row(&self, axis: AxisId, view: &View) -> bool {
        self.sizes.axes().is_sequence(axis) && view.stride(BATCH).is_some()
    }

    /// Whether an axis counts pieces of a sequence, of which a row may not need all.
    fn is_pieces(&self, axis: AxisId) -> bool {
        matches!(self.sizes.axes()[axis].extent, Extent::Pieces { .. })
    }

    /// Whether a caller looks at every turn of a loop in a region: nobody looks at a loop around, and its turns are those
    /// of a sampler. Pieces are left to the turns that each has.
    fn is_watched(&self, scope: &Scope, region: &For, carried: &[View]) -> bool {
        !scope.watched && self.has_turns(region, carried) && !self.is_pieces(region.axis)
    }

    /// Whether the turns of a loop are those of a sampler: somebody counts them out when the program starts, or what it
    /// gives goes through them.
    pub(super) fn has_turns(&self, region: &For, carried: &[View]) -> bool {
        let extent = &self.sizes.axes()[region.axis].extent;
        let counted_out = matches!(extent, Extent::Computed { settings, .. } if !settings.is_empty());
        counted_out || self.carries_output(carried)
    }

    /// Whether a loop of a sampler carries what the sampler gives.
    fn carries_output(&self, carried: &[View]) -> bool {
        self.interface.samples && carried.iter().any(|view| self.buffers[view.buffer].role == Role::Output)
    }

    fn replace_with(
        &mut self,
        scope: &Scope<'p>,
        view: &View,
        new: impl FnOnce(&mut Emitter<'_, 'p>, &Places, Register) -> Register,
    ) -> Step {
        let mut emitter = Emitter::new(scope);
        emitter.nest.will_write(view);
        self.fill(&mut emitter, view, |emitter, places| {
            let old = emitter.nest.load(view, places);
            new(emitter, places, old)
        });
        let axes = view.strides.iter().map(|(axis, _)| *axis).collect::<Vec<_>>();
        let work = self.sizes.elements(&axes);
        self.launch(emitter.nest.finish("replace".into(), String::new(), work))
    }
}

/// Whether a new carried value must be copied before the old ones are replaced: it is nowhere yet, or it is one of them.
pub(super) fn needs_copy(scope: &Scope, value: Value, carried: &[View]) -> bool {
    scope.stored(value).is_none_or(|known| carried.contains(known))
}

/// Whether a caller looks at turns inside.
fn asks(steps: &[Step]) -> bool {
    steps.iter().any(|step| match step {
        Step::Ask { .. } => true,
        Step::Loop { body, .. } => asks(body),
        Step::Switch { arms, .. } => arms.iter().any(|arm| asks(arm)),
        _ => false,
    })
}

/// Says where the results of a `for` are.
fn place_results(scope: &mut Scope, id: NodeId, views: impl Iterator<Item = View>) {
    for (result, view) in views.enumerate() {
        scope.store(Value { node: id, result: result as u32 }, view);
    }
}
