//! The transpose of reading a window: `y[t, j] = x[t: t + j - 3]` gives `dx[t] = Σ_j dy[t: t - j + 3]`, which reads and
//! scatters nothing.

use super::inverse::in_range;
use super::{Tape, TypeError};
use crate::graph::{Op, Typed, Value};
use crate::tensor::{Affine, Axes, AxisId, TensorType, Term};

type Places = Vec<(AxisId, Affine<Value>)>;

/// A place that goes along an axis by steps of a window.
struct Window {
    /// Which of the places.
    number: usize,
    /// The coordinate that it goes along.
    along: AxisId,
    /// The coordinates within the window.
    within: Vec<AxisId>,
}

/// The places without one that reads a window, and what comes from above summed over that window.
pub(super) fn windowed(
    tape: &mut Tape,
    places: &[(AxisId, Affine<Value>)],
    ty: &TensorType,
    upstream: Value,
) -> Result<Option<(Places, Value)>, TypeError> {
    let Some(window) = (0..places.len()).find_map(|number| window(tape.axes, places, ty, number)) else {
        return Ok(None);
    };
    let upstream = tape.total(upstream);
    let (axis, place) = &places[window.number];
    let rest = place.plus(&Affine::axis(window.along), -1);
    let back = Affine::axis(*axis).plus(&rest, -1);
    let mut spread = tape.ty(upstream);
    spread.axes.iter_mut().filter(|own| **own == window.along).for_each(|own| *own = *axis);
    let Some(presence) = in_range(tape, &spread, window.along, &back) else { return Ok(None) };
    let typed = Typed { ty: spread.clone(), presence };
    let read = tape.add(Op::Index(vec![(window.along, back)]), vec![upstream], typed);
    let sum = tape.contract(&[read], &spread.without(&window.within));
    let others = places.iter().enumerate().filter(|(number, _)| *number != window.number);
    Ok(Some((others.map(|(_, place)| place.clone()).collect(), sum)))
}

fn window(axes: &Axes, places: &[(AxisId, Affine<Value>)], ty: &TensorType, number: usize) -> Option<Window> {
    let (axis, place) = &places[number];
    let others = || places.iter().enumerate().filter(|(other, _)| *other != number).map(|(_, one)| one);
    let is_own = |read: AxisId| {
        let kept = read != *axis && ty.has(read);
        !kept && others().all(|(_, place)| !place.axes().any(|own| own == read))
    };
    let along = place.terms.iter().find_map(|(term, factor)| match term {
        Term::Axis(read) if *factor == 1 && axes.alike(*read, *axis) && is_own(*read) => Some(*read),
        _ => None,
    })?;
    let steps = place.terms.iter().filter(|(term, _)| *term != Term::Axis(along));
    let within = steps.map(|(term, _)| match term {
        Term::Axis(read) if axes.fixed(*read).is_some() && is_own(*read) => Some(*read),
        _ => None,
    });
    let within = within.collect::<Option<Vec<_>>>()?;
    (!within.is_empty() && axes.is_sequence(along)).then_some(Window { number, along, within })
}
