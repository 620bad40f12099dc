//! Attention of one new position to many keys that all heads share: the keys in pieces, each by a turn of its own.
//!
//! A kernel has a turn for each set of keys. Where one set serves all heads, as latents do, a step of decoding had one
//! turn, whatever the number of threads. Pieces are of one length, whatever the machine, the batch and the room that
//! there is for keys, so a row has the same result everywhere. Their results are weighted by their share of the sum
//! (the split of flash decoding; Dao et al. 2023).

use super::matrices::Matrices;
use super::softmax::Attention;
use crate::kernel::{Amount, Attend, Bound, Index, ScalarType};
use crate::model::Combine;
use crate::plan::lowering::{Emitter, Scope};
use crate::plan::place::{Place, Places, View};
use crate::plan::program::Step;
use crate::plan::schedule::Planner;
use crate::tensor::{AxisId, BATCH, Function};
use archc_runtime::abi::{Element, Size};

/// Keys of a piece.
const KEYS: i64 = 512;
/// So many sets of keys are turns enough.
const MANY: i64 = 4;
/// More pieces than there can be.
const ALL: i64 = 1 << 40;
/// The axis of pieces, which is not one of the graph's.
const PIECE: AxisId = AxisId(u32::MAX - 2);

/// The pieces of keys.
pub(super) struct Pieces {
    count: Size,
    /// How many keys one has.
    size: Size,
}

impl<'p> Planner<'p> {
    /// The pieces that the keys of an attention come in, if that is how they are taken: many for one query, one for several,
    /// which are turns enough.
    pub(super) fn pieces(&self, scope: &Scope<'p>, found: &Attention, output: &View) -> Option<Pieces> {
        let queries = self.sizes.extent(scope.query_axis(found)?);
        let keys = self.sizes.extent(found.keys);
        let is_step = !self.interface.states.is_empty() && self.rows.is_none() && output.element == Element::F32;
        let plain = scope.ring_size(found).is_none() && scope.sight(found)?.ranks.is_empty();
        let few = self.sets_of_keys(scope, found).is_some_and(|sets| sets < MANY);
        if !is_step || !plain || !few || keys.constant().is_some() || queries.constant().is_some_and(|count| count > 1)
        {
            return None;
        }
        let [least, one] = [KEYS, 1].map(|number| Box::new(Size::Constant(number)));
        let unless_one = queries.plus((-1).into()).times(ALL.into());
        let all = Size::Min(Box::new(keys.clone()), Box::new(unless_one));
        let size = Size::Max(Box::new(all), least);
        let count = Size::CeilDivide(Box::new(keys), Box::new(size.clone()));
        Some(Pieces { count: Size::Max(Box::new(count), one), size })
    }

    /// How many sets of keys a row has; nothing if that is not known.
    fn sets_of_keys(&self, scope: &Scope, found: &Attention) -> Option<i64> {
        let axes = scope.typed(found.key).ty.axes.iter();
        let own = axes.filter(|axis| **axis != BATCH && **axis != found.keys && !found.width.contains(axis));
        own.map(|axis| self.sizes.axes().fixed(*axis)).product()
    }

    /// Each piece by itself, then their sum, each weighted by its share.
    pub(super) fn attend_in_pieces(
        &mut self,
        scope: &Scope<'p>,
        found: &Attention,
        output: &View,
        pieces: &Pieces,
    ) -> Option<Vec<Step>> {
        let count = &pieces.count;
        let queries = scope.query_axis(found)?;
        let axes = output.strides.iter().map(|(axis, _)| *axis).collect::<Vec<_>>();
        let of_rows = scope.typed(found.query).ty.axes.iter().filter(|axis| !found.width.contains(axis));
        let rows = axes.iter().copied().filter(|axis| *axis == queries || of_rows.clone().any(|own| own == axis));
        let rows = rows.collect::<Vec<_>>();
        let [results, sums] = [("pieces", &axes), ("sums", &rows)].map(|(name, axes)| {
            let shape = [(PIECE, count.clone())].into_iter().chain(self.sizes.shape(axes)).collect::<Vec<_>>();
            self.apart(name, Element::F32, &shape)
        });
        let mut matrices = Matrices::default();
        let attend = self.attend_form(scope, found, (&results, Some(&sums)), true, &mut matrices)?;
        let attend = Self::in_pieces(attend, pieces, [&results, &sums], &mut matrices);
        let path = scope.region.node(found.root.node).path.clone();
        let attended = self.launch_attend(scope, found, attend, matrices);
        let weighed = self.weigh_pieces(scope, &sums, (&rows, count), path.clone());
        Some(vec![attended, weighed, self.add_pieces(scope, [&results, &sums], (output, count), path)])
    }

    /// The form with a batch loop over pieces outside of all others.
    fn in_pieces(mut attend: Attend, pieces: &Pieces, [results, sums]: [&View; 2], matrices: &mut Matrices) -> Attend {
        attend.batch.insert(0, matrices.amount(&pieces.count));
        attend.matrices_mut().for_each(|matrix| matrix.batch.insert(0, Amount::Constant(0)));
        let step = |view: &View, matrices: &mut Matrices| {
            let stride = view.stride(PIECE).cloned();
            stride.map_or(Amount::Constant(0), |stride| matrices.amount(&stride))
        };
        attend.output.batch[0] = step(results, matrices);
        if let Some(logsum) = &mut attend.logsum {
            logsum.batch[0] = step(sums, matrices);
        }
        attend.piece = Some(matrices.amount(&pieces.size));
        attend
    }

    /// The weight of each piece of a row, in the place of its sum: `exp(L - max L)` over the sum of these.
    fn weigh_pieces(
        &mut self,
        scope: &Scope<'p>,
        sums: &View,
        (rows, count): (&[AxisId], &Size),
        path: String,
    ) -> Step {
        let mut emitter = Emitter::new(scope);
        emitter.nest.will_write(sums);
        let turns = emitter.nest.amount(count);
        let mut places = Places::new();
        rows.iter().for_each(|axis| self.parallel(&mut emitter, *axis, &mut places));
        let load = |emitter: &mut Emitter<'_, 'p>, piece: Index| emitter.nest.load(sums, &at(&places, piece));
        let most = emitter.combine_over(Combine::Maximum, turns, false, ScalarType::F32, load);
        let [least, none, one] =
            [f64::NEG_INFINITY, 0.0, 1.0].map(|number| emitter.nest.number(number, ScalarType::F32));
        let some = emitter.nest.call(Function::Less, &[least, most]);
        let level = emitter.nest.call(Function::Select, &[some, most, none]);
        let share = |emitter: &mut Emitter<'_, 'p>, piece: Index| {
            let above = load(emitter, piece);
            let above = emitter.nest.call(Function::Subtract, &[above, level]);
            emitter.nest.call(Function::Exp, &[above])
        };
        let total = emitter.sum_over(turns, false, ScalarType::F32, share);
        let total = emitter.nest.call(Function::Select, &[some, total, one]);
        let from = Bound::Amount(Amount::Constant(0));
        let piece = emitter.nest.open_loop(from, Bound::Amount(turns), false, false);
        let weight = share(&mut emitter, piece);
        let weight = emitter.nest.call(Function::Divide, &[weight, total]);
        emitter.nest.store(sums, &at(&places, piece), weight);
        emitter.nest.close_loop(Vec::new());
        let work = self.sizes.elements(rows).times(count.clone());
        self.launch(emitter.nest.finish("weights".into(), path, work))
    }

    fn add_pieces(
        &mut self,
        scope: &Scope<'p>,
        [results, weights]: [&View; 2],
        (output, count): (&View, &Size),
        path: String,
    ) -> Step {
        let mut emitter = Emitter::new(scope);
        emitter.nest.will_write(output);
        let turns = emitter.nest.amount(count);
        self.fill(&mut emitter, output, |emitter, places| {
            emitter.sum_over(turns, false, ScalarType::F32, |emitter, piece| {
                let [weight, result] = [weights, results].map(|view| emitter.nest.load(view, &at(places, piece)));
                emitter.nest.call(Function::Multiply, &[weight, result])
            })
        });
        let axes = output.strides.iter().map(|(axis, _)| *axis).collect::<Vec<_>>();
        let work = self.sizes.elements(&axes).times(count.clone());
        self.launch(emitter.nest.finish("pieces".into(), path, work))
    }
}

/// Places with one along the axis of pieces.
fn at(places: &Places, piece: Index) -> Places {
    let mut places = places.clone();
    places.insert(PIECE, Place::index(piece));
    places
}
