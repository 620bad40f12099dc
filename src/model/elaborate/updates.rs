//! `update`: the new value of a buffer. Inside a `for` every turn hands out its own, without a name.

use super::Elaborator;
use super::yields::Yield;
use crate::model::construct::Draft;
use crate::model::values::{ValueId, ValueKind};
use crate::syntax::ast;
use crate::tensor::{Affine, DType, Presence};

impl Yield {
    /// Whether two bodies hand out the same thing.
    pub fn is_same(&self, other: &Yield) -> bool {
        self.name.text == other.name.text && self.updates == other.updates
    }
}

impl Elaborator<'_> {
    /// Hands the new value of a buffer to the `for` around, or to the program.
    pub fn hand_out_update(&mut self, place: usize, name: &ast::Name, value: ValueId) {
        match self.state.regions.is_empty() {
            false => {
                let path = self.state.parameters[place].declared.path.clone();
                self.push_yield(Yield { name: name.clone(), path, value, updates: Some(place) });
            }
            true => {
                let value = self.as_stored(place, value);
                self.values().program.updates.push((place, value));
            }
        }
    }

    /// A value for all turns in the axes of a buffer: the turns that have the buffer, outermost first. Where it is absent,
    /// the buffer keeps what it holds.
    fn as_stored(&mut self, place: usize, mut value: ValueId) -> ValueId {
        let made = self.state.parameters[place].clone();
        let mut axes = Vec::new();
        for level in &made.levels {
            if let Some(compact) = level.compact {
                let turns = level.turns.iter().map(|turn| *turn as f64).collect();
                let table = Draft::new(ValueKind::Table(turns), vec![compact], DType::Int).index_of(Some(level.axis));
                let turn = self.values().emit(table);
                value = self.values().index(value, vec![(level.axis, Affine::value(turn))], &Presence::always());
            }
            axes.push(level.compact.unwrap_or(level.axis));
        }
        axes.extend(&made.declared.axes);
        if !self.values().presence(value).is_always() {
            let old = self.values().emit(Draft::new(ValueKind::Parameter(place), axes.clone(), DType::REAL));
            value = self.values().otherwise(value, old);
        }
        self.values().laid_out(value, &axes)
    }
}
