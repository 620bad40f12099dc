//! Brings forward values of a body into its backward body: computed again, handed in again, or saved.
//!
//! Saved is what is dear: contractions, reductions, ranks, draws, nested `for`s, look-ups in them. What is cheap (maps,
//! renamed and shifted values, look-ups in what is at hand, such as a parameter) is computed again, and so is anything
//! that lies along two sequences, however dear: neither a table of all pairs of positions nor a copy of the weights
//! for every token is kept from the forward pass.

use super::{Slot, Tape};
use crate::graph::{Node, Op, Typed, Value};
use crate::tensor::{Axes, AxisId, Presence, Term};

impl Tape<'_> {
    /// The backward region's value for a forward value.
    pub fn read(&mut self, value: Value) -> Value {
        if self.backward.is_none() {
            return value;
        }
        if let Some(known) = self.known.get(&value) {
            return *known;
        }
        let node = self.forward.node(value.node).clone();
        let brought = match &node.op {
            Op::Argument(place) if *place >= self.carried => {
                let typed = node.results[0].clone();
                self.hand_in(Slot::Operand(*place), typed)
            }
            _ if is_computed_again(self.axes, &node) || self.looks_up_at_hand(&node) => {
                let mut copy = node;
                copy.map_reads(|read| self.read(read));
                Value::of(self.region().insert(copy))
            }
            _ => {
                let typed = self.forward.typed(value).clone();
                self.hand_in(Slot::Saved(value), typed)
            }
        };
        self.known.insert(value, brought);
        brought
    }

    /// Whether a node looks up in an operand of the `for`, which the backward body is handed anyway.
    fn looks_up_at_hand(&self, node: &Node) -> bool {
        let mut node = node;
        while let Op::Index(_) = node.op {
            let Some(operand) = node.operands.first() else { return false };
            node = self.forward.node(operand.node);
        }
        matches!(node.op, Op::Argument(place) if place >= self.carried)
    }

    /// An argument of the backward body. Operands come as they are; of a saved value what is absent comes as a zero and
    /// is hidden again; adjoints are present everywhere.
    pub fn hand_in(&mut self, slot: Slot, typed: Typed) -> Value {
        let Typed { ty, presence } = typed;
        let presence = presence.map_values(|read| self.read(*read));
        let is_operand = matches!(slot, Slot::Operand(_));
        let (presence, hidden) =
            if is_operand { (presence, Presence::always()) } else { (Presence::always(), presence) };
        let place = self.slots.len();
        let argument = self.add(Op::Argument(place), vec![], Typed { ty, presence });
        self.slots.push((slot, argument));
        self.narrow(argument, &hidden)
    }
}

fn is_computed_again(axes: &Axes, node: &Node) -> bool {
    let pairs = |typed: &Typed| has_pairs(axes, &typed.ty.axes);
    match &node.op {
        Op::Constant(_) | Op::Coordinate(_) | Op::Length(_) | Op::Setting(_) | Op::Turn => true,
        Op::Map(_) | Op::Else | Op::Stop | Op::Peek => true,
        Op::Index(places) => {
            let reads_values = |term: &Term<Value>| matches!(term, Term::Value(_));
            let looks_up = places.iter().any(|(_, place)| place.terms.iter().any(|(term, _)| reads_values(term)));
            !looks_up || node.results.iter().any(pairs)
        }
        Op::Contract(_) | Op::Reduce(..) => node.results.iter().any(pairs),
        _ => false,
    }
}

/// Whether a value lies along two sequences, or twice along the positions of one axis.
fn has_pairs(axes: &Axes, own: &[AxisId]) -> bool {
    let alike = |place: usize| own[..place].iter().any(|other| axes.alike(*other, own[place]));
    own.iter().filter(|axis| axes.is_sequence(**axis)).count() >= 2 || (0..own.len()).any(alike)
}
