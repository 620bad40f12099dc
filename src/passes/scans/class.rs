//! What kind of recurrence each carried value is, decided from the algebra of its update.
//!
//! `S' = D · S + Σ corrections · reads of S + pushes`. The shape of D and the number of corrections make the class; the
//! way in which the update is written does not.

use super::body::Body;
use super::form::{Base, Form, Read, Term};
use crate::graph::Value;
use crate::tensor::{AxisId, BATCH};
use std::fmt;

/// The update of one carried value.
#[derive(Debug, Clone, Default)]
pub(super) struct Update {
    /// What the state itself is multiplied by: a sum of products.
    pub decay: Vec<Term>,
    /// What is added.
    pub pushes: Vec<Term>,
    /// What is added in proportion to sums over the state.
    pub corrections: Vec<Term>,
}

/// The class of an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Class {
    /// The linear part is zero: what is carried is what the turn gives.
    Zero,
    /// Sums up; nothing fades.
    Identity,
    /// Everything that belongs to one head fades alike.
    Scalar,
    /// Every row (or column) of the state fades by itself.
    PerChannel,
    /// Every element fades by itself.
    Diagonal,
    /// The state minus what is stored along one direction.
    IdentityMinusRankOne,
    /// The same, and all that is left fades alike.
    ScalarTimesIdentityMinusRankOne,
    /// One direction is read and changed, and all fades alike.
    ScalarMinusRankOne,
    /// One direction is read and changed, and every row or element fades by itself.
    DiagonalMinusRankOne,
    /// Linear, of no shape that helps: why.
    General(String),
    /// Not affine: why.
    Nonlinear(String),
}

impl fmt::Display for Class {
    fn fmt(&self, text: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Class::Zero => text.write_str("zero"),
            Class::Identity => text.write_str("identity"),
            Class::Scalar => text.write_str("scalar"),
            Class::PerChannel => text.write_str("per channel"),
            Class::Diagonal => text.write_str("diagonal"),
            Class::IdentityMinusRankOne => text.write_str("identity minus rank one"),
            Class::ScalarTimesIdentityMinusRankOne => text.write_str("scalar times (identity minus rank one)"),
            Class::ScalarMinusRankOne => text.write_str("scalar minus rank one"),
            Class::DiagonalMinusRankOne => text.write_str("diagonal minus rank one"),
            Class::General(why) => write!(text, "general ({why})"),
            Class::Nonlinear(why) => write!(text, "nonlinear ({why})"),
        }
    }
}

/// The class of the carried value of a place, and its update if that has a shape.
pub(super) fn classify(body: &mut Body, place: usize) -> (Class, Option<Update>) {
    let Some(Some(result)) = body.region().results.get(place).copied() else {
        return (Class::Nonlinear("nothing is carried on".into()), None);
    };
    let form = body.forms[&result].clone();
    let terms = match form {
        Form::Later(why) => return (Class::Nonlinear(why), None),
        form => body.terms(&form).unwrap_or_default(),
    };
    let mut update = Update::default();
    for term in terms {
        match term.base {
            Base::One => update.pushes.push(term),
            Base::State(state) if state == place => update.decay.push(Term { base: Base::One, ..term }),
            Base::Read(read) if body.reads[read].state == place => update.corrections.push(term),
            _ => return (Class::General("it reads another carried value".into()), None),
        }
    }
    let class = class_of(body, place, &update);
    let known = !matches!(class, Class::General(_));
    (class, known.then_some(update))
}

fn class_of(body: &Body, place: usize, update: &Update) -> Class {
    let reads = update.corrections.iter().filter_map(|term| match term.base {
        Base::Read(read) => Some(read),
        _ => None,
    });
    let mut reads = reads.collect::<Vec<_>>();
    reads.dedup();
    let decay = shape_of(body, place, update);
    match reads.as_slice() {
        [] => decay,
        [read] if update.corrections.len() == 1 => {
            let Read { factors, .. } = &body.reads[*read];
            let correction = &update.corrections[0];
            match decay {
                Class::Zero | Class::General(_) => Class::General("a sum over the state takes its place".into()),
                Class::Identity => Class::IdentityMinusRankOne,
                Class::Scalar if shares(&update.decay, factors, &correction.factors) => {
                    Class::ScalarTimesIdentityMinusRankOne
                }
                Class::Scalar => Class::ScalarMinusRankOne,
                _ => Class::DiagonalMinusRankOne,
            }
        }
        several => Class::General(format!("{} sums over the state in its update", several.len().max(2))),
    }
}

/// Whether the correction fades with the state.
fn shares(decay: &[Term], read: &[Value], correction: &[Value]) -> bool {
    matches!(decay, [only] if only.factors.iter().all(|factor| read.contains(factor) || correction.contains(factor)))
}

/// The class of the decay alone.
fn shape_of(body: &Body, place: usize, update: &Update) -> Class {
    match update.decay.as_slice() {
        [] => return Class::Zero,
        [only] if only.factors.is_empty() && only.scale == 1.0 => return Class::Identity,
        _ => {}
    }
    let own = own_axes(body, place, update);
    let values = update.decay.iter().flat_map(|term| &term.factors);
    let mut axes = values.flat_map(|value| body.tape.ty(*value).axes).collect::<Vec<_>>();
    axes.retain(|axis| own.contains(axis));
    match own.iter().filter(|axis| axes.contains(axis)).count() {
        0 => Class::Scalar,
        some if some < own.len() => Class::PerChannel,
        _ => Class::Diagonal,
    }
}

/// The axes of a state that are not heads: a read sums over them, or they neither fade by themselves nor are in all
/// that is pushed. All of them, if there are none.
pub(super) fn own_axes(body: &Body, place: usize, update: &Update) -> Vec<AxisId> {
    let all = body.state(place).axes.into_iter().filter(|axis| *axis != BATCH).collect::<Vec<_>>();
    let summed = body.reads.iter().filter(|read| read.state == place).flat_map(|read| &read.summed);
    let mut own = summed.copied().collect::<Vec<_>>();
    let fades = |axis: &AxisId| {
        let mut factors = update.decay.iter().flat_map(|term| &term.factors);
        factors.any(|factor| body.tape.ty(*factor).has(*axis))
    };
    for factor in update.pushes.iter().flat_map(|push| &push.factors) {
        let ty = body.tape.ty(*factor);
        // A factor without any axis of the state says nothing about its heads.
        if all.iter().any(|axis| ty.has(*axis)) {
            own.extend(all.iter().copied().filter(|axis| !ty.has(*axis) && !fades(axis)));
        }
    }
    let own = all.iter().copied().filter(|axis| own.contains(axis)).collect::<Vec<_>>();
    if own.is_empty() { all } else { own }
}
