//! What is cheap to have again is not kept for the way back.
//! `for … { x = …; m = max[s](x); yield m }; for … sliced m { … m … }`  →  `… { x = …; m = max[s](x); … m … }`
//!
//! A body that gets, turn by turn, a value which another `for` yielded computes it itself, if it is reduced along a
//! sequence from something that has two, like a row's largest score: the scores would have to exist otherwise.

use super::Pass;
use crate::graph::{For, Graph, NodeId, Op, Region, Value};
use crate::tensor::Axes;
use std::collections::HashMap;

pub(super) struct Recompute;

impl Pass for Recompute {
    fn name(&self) -> &'static str {
        "recompute"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        let Graph { axes, root, .. } = graph;
        root.order().into_iter().fold(false, |changed, id| changed | bring_in(axes, root, id))
    }
}

/// Computes in the bodies of one `for` what it is handed from another.
fn bring_in(axes: &Axes, region: &mut Region, id: NodeId) -> bool {
    let Op::For(reader) = &region.node(id).op else { return false };
    if reader.bodies.len() != 1 {
        return false;
    }
    let mut reader = reader.clone();
    let operands = region.node(id).operands.clone();
    let mut changed = false;
    let sums = (reader.carried..reader.carried + reader.sliced).filter_map(|place| {
        let operand = operands[place];
        let Op::For(writer) = &region.node(operand.node).op else { return None };
        let made = (*writer.bodies[0].results.get(operand.result as usize)?)?;
        let alike = writer.axis == reader.axis && writer.bodies.len() == 1;
        (alike && is_row_sum(axes, &writer.bodies[0], made)).then_some((place, operand, made))
    });
    let sums = sums.collect::<Vec<_>>();
    let gone = sums.iter().map(|(place, ..)| *place).collect::<Vec<_>>();
    for (place, operand, made) in sums {
        let Op::For(writer) = &region.node(operand.node).op else { continue };
        let handed = Handed {
            writer,
            writer_id: operand.node,
            writer_operands: &region.node(operand.node).operands,
            operands: &operands,
        };
        changed |= handed.recompute(&mut reader, place, made, &gone);
    }
    if changed {
        region.edit(id, |node| node.op = Op::For(reader));
    }
    changed
}

/// Whether a value is reduced along a sequence from something with two sequences.
fn is_row_sum(axes: &Axes, body: &Region, value: Value) -> bool {
    let node = body.node(value.node);
    let Op::Reduce(_, summed) = &node.op else { return false };
    let wide = &body.typed(node.operands[0]).ty.axes;
    summed.iter().all(|axis| axes.is_sequence(*axis)) && wide.iter().filter(|axis| axes.is_sequence(**axis)).count() > 1
}

/// Two `for`s of which one reads what the other yields.
struct Handed<'h> {
    writer: &'h For,
    writer_id: NodeId,
    writer_operands: &'h [Value],
    operands: &'h [Value],
}

impl Handed<'_> {
    fn recompute(&self, reader: &mut For, place: usize, made: Value, gone: &[usize]) -> bool {
        let mut body = reader.bodies[0].clone();
        let target = body.ids().into_iter().find(|&id| matches!(body.node(id).op, Op::Argument(own) if own == place));
        let Some(target) = target else { return false };
        let mut known = HashMap::new();
        let Some(copy) = self.copy(reader, &mut body, made, gone, &mut known) else { return false };
        body.replace(Value::of(target), copy);
        reader.bodies[0] = body;
        true
    }

    /// A value of the writer's body in the reader's body: as an argument if it is handed in, else computed again.
    fn copy(
        &self,
        reader: &For,
        body: &mut Region,
        value: Value,
        gone: &[usize],
        known: &mut HashMap<Value, Value>,
    ) -> Option<Value> {
        if let Some(copy) = known.get(&value) {
            return Some(*copy);
        }
        let from = &self.writer.bodies[0];
        let node = from.node(value.node);
        let copy = match self.argument_of(reader, value).filter(|place| !gone.contains(place)) {
            Some(place) => argument(body, place, from, value),
            None => match &node.op {
                Op::For(_) | Op::Argument(_) | Op::Draw(..) | Op::Write(_) => return None,
                _ => {
                    let reads = node.reads();
                    for read in reads {
                        self.copy(reader, body, read, gone, known)?;
                    }
                    let mut node = node.clone();
                    node.map_reads(|read| known.get(&read).copied().unwrap_or(read));
                    Value { node: body.insert(node), result: value.result }
                }
            },
        };
        known.insert(value, copy);
        Some(copy)
    }

    /// The place at which the reader is handed a value of the writer's body.
    fn argument_of(&self, reader: &For, value: Value) -> Option<usize> {
        let sliced = reader.carried..reader.carried + reader.sliced;
        let results = &self.writer.bodies[0].results;
        let yielded = |place: &usize| {
            let operand = self.operands[*place];
            operand.node == self.writer_id
                && operand.result as usize >= self.writer.carried
                && results[operand.result as usize] == Some(value)
        };
        let handed = || match self.writer.bodies[0].node(value.node).op {
            Op::Argument(place) if place >= self.writer.carried => {
                let is_sliced = place < self.writer.carried + self.writer.sliced;
                let same = |own: &usize| self.operands[*own] == self.writer_operands[place] && *own >= reader.carried;
                (0..self.operands.len()).filter(same).find(|own| sliced.contains(own) == is_sliced)
            }
            _ => None,
        };
        sliced.clone().find(yielded).or_else(handed)
    }
}

/// The argument of a place in a body; it is made if no one read it so far.
fn argument(body: &mut Region, place: usize, from: &Region, value: Value) -> Value {
    let own = body.ids().into_iter().find(|&id| matches!(body.node(id).op, Op::Argument(known) if known == place));
    let typed = || from.typed(value).clone();
    own.map_or_else(|| body.add_one(Op::Argument(place), [], typed(), ""), Value::of)
}
