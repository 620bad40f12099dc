//! A stable sort of rows by what they chose, and values in that order.
//!
//! It counts: `starts[e]` becomes where the rows of e begin, `place[r]` where row r is; a row that chose nothing has the
//! place after all.

use super::{GROUP, SORTED};
use crate::graph::Value;
use crate::kernel::{Amount, Bound, Register, ScalarType};
use crate::plan::fusion::Chosen;
use crate::plan::lowering::{Emitter, Scope};
use crate::plan::place::{Place, Places, View};
use crate::plan::program::Step;
use crate::plan::schedule::Planner;
use crate::tensor::{AxisId, DType, Function};
use archc_runtime::abi::{Element, Size};

/// Rows in the order of what they chose.
#[derive(Debug, Clone)]
pub struct Sorting {
    /// What was chosen.
    pub chosen: Chosen,
    /// Where the rows of each begin.
    pub starts: View,
    /// Where each row is.
    pub place: View,
}

impl<'p> Planner<'p> {
    /// Sorts the rows, once for all products with the same choice.
    pub fn sorted(&mut self, scope: &Scope<'p>, chosen: &Chosen, steps: &mut Vec<Step>) -> Sorting {
        let region = std::ptr::from_ref(scope.region) as usize;
        let known = self.sortings.iter().find(|(own, known)| *own == region && known.chosen == *chosen);
        if let Some((_, known)) = known {
            return known.clone();
        }
        let groups = self.sizes.elements(&chosen.who.iter().map(|(axis, _)| *axis).collect::<Vec<_>>());
        let count = groups.clone().plus(Size::Constant(2));
        let starts = self.apart("starts", Element::I32, &[(GROUP, count.clone())]);
        let place = self.temporary("place", &chosen.rows, DType::Int);
        let sorting = Sorting { chosen: chosen.clone(), starts, place };
        steps.push(self.sort(scope, &sorting, &groups));
        self.sortings.push((region, sorting.clone()));
        sorting
    }

    fn sort(&mut self, scope: &Scope<'p>, sorting: &Sorting, groups: &Size) -> Step {
        let mut emitter = Emitter::new(scope);
        let Sorting { chosen, starts, place } = sorting;
        emitter.nest.will_write(starts);
        emitter.nest.will_write(place);
        let (zero, one) = (emitter.nest.int(0), emitter.nest.int(1));
        let at = |place: Place| Places::from([(GROUP, place)]);
        let begin = Bound::Amount(Amount::Constant(0));
        let end = emitter.nest.amount(&groups.clone().plus(Size::Constant(2)));
        let group = emitter.nest.open_loop(begin, Bound::Amount(end), false, false);
        emitter.nest.store(starts, &at(Place::index(group)), zero);
        emitter.nest.close_loop(Vec::new());
        self.each_row(&mut emitter, chosen, place, groups, &mut |emitter, group, _| {
            let slot = Place::register(group).plus(&Place::number(2), 1);
            emitter.nest.add(starts, &at(slot), one);
        });
        let end = emitter.nest.amount(groups);
        let group = emitter.nest.open_loop(begin, Bound::Amount(end), false, false);
        let before = emitter.nest.load(starts, &at(Place::index(group).plus(&Place::number(1), 1)));
        let after = Place::index(group).plus(&Place::number(2), 1);
        emitter.nest.add(starts, &at(after), before);
        emitter.nest.close_loop(Vec::new());
        self.each_row(&mut emitter, chosen, place, groups, &mut |emitter, group, row| {
            let slot = at(Place::register(group).plus(&Place::number(1), 1));
            let next = emitter.nest.load(starts, &slot);
            emitter.nest.store(place, row, next);
            emitter.nest.add(starts, &slot, one);
        });
        let work = self.sizes.elements(&chosen.rows);
        self.launch(emitter.nest.finish("sort".into(), String::new(), work))
    }

    /// Runs statements for every row that chose something; the place of all others is past the end.
    fn each_row(
        &self,
        emitter: &mut Emitter<'_, 'p>,
        chosen: &Chosen,
        place: &View,
        groups: &Size,
        statements: &mut dyn FnMut(&mut Emitter<'_, 'p>, Register, &Places),
    ) {
        let mut places = Places::new();
        for axis in &chosen.rows {
            self.open(emitter, *axis, false, &mut places);
        }
        let nowhere = emitter.nest.size(&self.sizes.elements(&chosen.rows));
        emitter.nest.store(place, &places, nowhere);
        let sequences = chosen.rows.iter().copied().filter(|axis| self.sizes.axes().is_sequence(*axis)).collect();
        let mut holds = self.exists(emitter, sequences, &places);
        let mut group = emitter.nest.int(0);
        for (axis, who) in &chosen.who {
            let present = emitter.present(*who, &places);
            holds = emitter.both(holds, present);
            let extent = emitter.nest.size(&self.sizes.extent(*axis));
            let before = emitter.nest.call(Function::Multiply, &[group, extent]);
            let own = emitter.value(*who, &places);
            group = emitter.nest.call(Function::Add, &[before, own]);
        }
        let (zero, groups) = (emitter.nest.int(0), emitter.nest.size(groups));
        let low = emitter.nest.call(Function::LessEqual, &[zero, group]);
        let high = emitter.nest.call(Function::Less, &[group, groups]);
        let inside = emitter.nest.call(Function::And, &[low, high]);
        let holds = emitter.both(holds, Some(inside)).unwrap_or(inside);
        emitter.nest.open_if();
        statements(emitter, group, &places);
        emitter.nest.close_if(holds);
        chosen.rows.iter().for_each(|_| emitter.nest.close_loop(Vec::new()));
    }

    /// A value's rows at their places; 0 where it is absent.
    pub fn gathered(
        &mut self,
        scope: &Scope<'p>,
        sorting: &Sorting,
        value: Value,
        own: &[AxisId],
        steps: &mut Vec<Step>,
    ) -> View {
        let view = self.sorted_rows(&sorting.chosen, own);
        let mut emitter = Emitter::new(scope);
        emitter.nest.will_write(&view);
        let mut places = Places::new();
        for axis in &sorting.chosen.rows {
            self.parallel(&mut emitter, *axis, &mut places);
        }
        let (row, inside) = self.row_of(&mut emitter, sorting, &places);
        emitter.nest.open_if();
        for (number, axis) in own.iter().enumerate() {
            self.open(&mut emitter, *axis, number + 1 == own.len(), &mut places);
        }
        let present = emitter.present(value, &places);
        let element = emitter.value(value, &places);
        let nothing = emitter.nest.number(0.0, ScalarType::F32);
        let element = emitter.nest.convert(element, ScalarType::F32);
        let element = emitter.choose(present, element, nothing);
        let mut to = places.clone();
        to.insert(SORTED, Place::register(row));
        emitter.nest.store(&view, &to, element);
        own.iter().for_each(|_| emitter.nest.close_loop(Vec::new()));
        emitter.nest.close_if(inside);
        let work = self.sizes.elements(&sorting.chosen.rows).times(self.sizes.elements(own));
        steps.push(self.launch(emitter.nest.finish("gather".into(), String::new(), work)));
        view
    }

    /// The place of a row among the sorted, and whether it has one.
    pub fn row_of(&self, emitter: &mut Emitter<'_, 'p>, sorting: &Sorting, places: &Places) -> (Register, Register) {
        let row = emitter.nest.load(&sorting.place, places);
        let all = emitter.nest.size(&self.sizes.elements(&sorting.chosen.rows));
        let inside = emitter.nest.call(Function::Less, &[row, all]);
        (row, inside)
    }
}
