//! Presence in an evaluation: relations become a mask.

use super::Scene;
use crate::graph::Value;
use crate::tensor::{Affine, Array, Presence, Relation, Term, walk};

/// Hides the elements at which a relation does not hold. An absent value in a relation makes it not hold.
pub fn restrict(scene: &Scene, array: &mut Array, presence: &Presence<Value>) {
    for relation in &presence.relations {
        match relation {
            Relation::AtLeastZero(affine) => hide(scene, array, affine, |number| number >= 0),
            Relation::Equal(axis, value) => {
                let gap = Affine::axis(*axis).plus(&Affine::value(*value), -1);
                hide(scene, array, &gap, |number| number == 0);
            }
            Relation::Below { rank, bound } => {
                let gap = Affine::term(Term::Value(*bound)).plus(&Affine::value(*rank), -1);
                hide(scene, array, &gap, |number| number > 0);
            }
            Relation::Holds(value) => hide(scene, array, &Affine::value(*value), |number| number != 0),
        }
    }
}

fn hide(scene: &Scene, array: &mut Array, affine: &Affine<Value>, holds: impl Fn(i64) -> bool) {
    let shape = array.shape.clone();
    let reader = scene.reader(affine, &shape.axes);
    let mask = array.mask();
    let mut at = 0;
    walk(&shape.extents, &[], |coordinates, _| {
        mask[at] &= reader.at(coordinates).is_some_and(&holds);
        at += 1;
    });
}
