//! What the bodies of a `for` read of a value from outside at their turn alone, they are handed slice by slice.
//! `for i captured w { … w[i: turn] … }`  →  `for i sliced w { … w … }`
//! `for i sliced n captured w { … w[j: n] … }`  →  `for i sliced w along j by n { … w … }`, n a table of each turn's j
//!
//! Only then is a slice read where it is, and the gradient of w a slice of each turn too, and not a sum over all turns of
//! something as large as w. The second is what a kind of layers has that not all layers are of: each place of j is that
//! of one turn, and turns of other bodies have none.

mod change;

use super::Pass;
use super::regions::each_region;
use crate::graph::{For, Graph, NodeId, Op, Region, Track, Value};
use crate::tensor::{Affine, Axes, AxisId, Term};
use change::change;

pub(super) struct Slices;

impl Pass for Slices {
    fn name(&self) -> &'static str {
        "slices"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_region(graph, &mut |axes, region| {
            let repeats = region.ids().into_iter().filter(|id| matches!(region.node(*id).op, Op::For(_)));
            repeats.collect::<Vec<_>>().into_iter().fold(false, |changed, id| changed | rewrite(axes, region, id))
        })
    }
}

/// A captured operand that bodies read slice by slice.
pub(super) struct Found {
    /// Which operand.
    place: usize,
    /// Its axis that bodies read at one place.
    axis: AxisId,
    /// The slices, if they are not simply those of the turns.
    track: Option<Track>,
}

fn rewrite(axes: &Axes, region: &mut Region, id: NodeId) -> bool {
    let node = region.node(id);
    let Op::For(own) = &node.op else { return false };
    let first = own.carried + own.sliced;
    let found = (first..node.operands.len()).filter_map(|place| {
        let typed = region.typed(node.operands[place]);
        if !typed.presence.is_always() {
            return None;
        }
        let at_turns = || (typed.ty.has(own.axis) && is_read_at_turns(own, place)).then_some((own.axis, None));
        let by_table = || tracked(axes, region, id, place).map(|track| (track.axis, Some(track)));
        let (axis, track) = at_turns().or_else(by_table)?;
        Some(Found { place, axis, track })
    });
    let mut found = found.collect::<Vec<_>>();
    let mut tracks = own.tracks.clone();
    found.retain(|found| found.track.as_ref().is_none_or(|track| fits(&mut tracks, track)));
    if !found.is_empty() {
        change(region, id, &found);
    }
    !found.is_empty()
}

/// Whether an axis has these slices among all tracks of a `for`: one axis has one table.
fn fits(tracks: &mut Vec<Track>, track: &Track) -> bool {
    match tracks.iter().find(|known| known.axis == track.axis) {
        Some(known) => known == track,
        None => {
            tracks.push(track.clone());
            true
        }
    }
}

/// Whether bodies read an operand at all, and only at the turn.
fn is_read_at_turns(own: &For, place: usize) -> bool {
    let reads = own.bodies.iter().map(|body| reads_of(body, place, |at| at.0 == own.axis && is_turn(body, &at.1)));
    reads.collect::<Option<Vec<_>>>().is_some_and(|reads| reads.iter().sum::<usize>() > 0)
}

/// How often a body reads an operand; nothing if it does so in any other way than at such a place.
fn reads_of(body: &Region, place: usize, is_slice: impl Fn(&(AxisId, Affine<Value>)) -> bool) -> Option<usize> {
    let mut reads = 0;
    for id in arguments(body, place) {
        if body.results.iter().flatten().any(|result| result.node == id) {
            return None;
        }
        for user in body.users(id) {
            let places = index_of(body, user, Value::of(id))?;
            places.iter().any(&is_slice).then_some(())?;
            reads += 1;
        }
    }
    Some(reads)
}

fn arguments(body: &Region, place: usize) -> Vec<NodeId> {
    let is_it = |id: &NodeId| matches!(body.node(*id).op, Op::Argument(own) if own == place);
    body.ids().into_iter().filter(is_it).collect()
}

/// The places of a node that is an index of a value, and reads it in no other way.
fn index_of(body: &Region, user: NodeId, value: Value) -> Option<&[(AxisId, Affine<Value>)]> {
    let node = body.node(user);
    let Op::Index(places) = &node.op else { return None };
    let once = node.reads().into_iter().filter(|read| *read == value).count() == 1;
    (once && node.operands[0] == value).then_some(places)
}

fn is_turn(body: &Region, place: &Affine<Value>) -> bool {
    bare(place).is_some_and(|turn| matches!(body.node(turn.node).op, Op::Turn))
}

/// The value that a place is.
fn bare(place: &Affine<Value>) -> Option<Value> {
    match place.terms.as_slice() {
        [(Term::Value(value), 1)] if place.constant == 0 => Some(*value),
        _ => None,
    }
}

/// The track along which the bodies of a `for` read an operand: at the places that a table gives to their turns, each
/// place at one turn.
fn tracked(axes: &Axes, region: &Region, id: NodeId, place: usize) -> Option<Track> {
    let node = region.node(id);
    let Op::For(own) = &node.op else { return None };
    let turns = own.turns.as_ref()?;
    let ty = &region.typed(node.operands[place]).ty;
    if own.slice_axis(ty).is_some() {
        return None;
    }
    let axis =
        ty.axes.iter().copied().find(|axis| own.bodies.iter().any(|body| reads_by_table(own, body, place, *axis)))?;
    let mut slices = vec![None; turns.len()];
    for (number, body) in own.bodies.iter().enumerate() {
        let mut tables = Vec::new();
        let reads = reads_of(body, place, |(along, at)| *along == axis && table_of(own, body, at).is_some())?;
        if reads == 0 {
            continue;
        }
        for read in arguments(body, place) {
            for user in body.users(read) {
                let (_, at) = index_of(body, user, Value::of(read))?.iter().find(|(along, _)| *along == axis)?;
                tables.push(numbers(region, node.operands[table_of(own, body, at)?])?);
            }
        }
        tables.dedup();
        let [table] = tables.as_slice() else { return None };
        for turn in (0..turns.len()).filter(|turn| turns[*turn] as usize == number) {
            let slice = *table.get(turn)?;
            slices[turn] = Some((slice >= 0.0).then_some(slice as u32)?);
        }
    }
    let track = Track { axis, slices };
    let size = track.size().and_then(|size| i64::try_from(size).ok());
    (size.is_some() && size == axes.fixed(axis)).then_some(track)
}

fn reads_by_table(own: &For, body: &Region, place: usize, axis: AxisId) -> bool {
    let read = |(along, at): &(AxisId, Affine<Value>)| *along == axis && table_of(own, body, at).is_some();
    reads_of(body, place, read).is_some_and(|reads| reads > 0)
}

/// The sliced operand of which a place is this turn's number.
fn table_of(own: &For, body: &Region, place: &Affine<Value>) -> Option<usize> {
    let Op::Argument(table) = body.node(bare(place)?.node).op else { return None };
    (own.carried..own.carried + own.sliced).contains(&table).then_some(table)
}

/// The numbers of a constant.
fn numbers(region: &Region, value: Value) -> Option<&[f64]> {
    if let Op::Constant(numbers) = &region.node(value.node).op { Some(numbers) } else { None }
}
