//! What is carried and changes element by element takes the place of what it is made from: nothing is copied at the end of
//! a turn.

use super::{Ends, Scan};
use crate::graph::{NodeId, Op, Value};
use crate::plan::fusion::Choice;
use crate::plan::lowering::Scope;
use crate::plan::place::View;
use crate::plan::schedule::element_of;

impl Scan<'_> {
    /// Where the carried value lies that a stored one may take the place of: it is handed on as that one, and made of its
    /// old elements one by one, and nobody else reads the old.
    pub(super) fn place_of_old(&self, scope: &Scope, choice: &Choice, value: Value, ends: &Ends) -> Option<View> {
        let place = self.body.results[..self.region.carried].iter().position(|result| *result == Some(value))?;
        let once = self.body.results.iter().flatten().filter(|result| **result == value).count() == 1;
        let view = &ends.carried[place];
        let alike = element_of(scope.typed(value).ty.dtype) == view.element;
        let is_old = |id: &NodeId| matches!(self.body.node(*id).op, Op::Argument(own) if own == place);
        let mut olds = self.body.ids().into_iter().filter(is_old);
        let alone = olds.all(|old| self.is_read_by(choice, Value::of(old), value));
        (once && alike && alone).then(|| view.clone())
    }

    /// Whether a value is read for the elements of another and for nothing else.
    fn is_read_by(&self, choice: &Choice, read: Value, reader: Value) -> bool {
        let handed_on = self.body.results.iter().flatten().any(|result| *result == read);
        !handed_on && self.readers(read).into_iter().all(|id| self.leads_to(choice, (id, read), reader))
    }

    fn readers(&self, read: Value) -> Vec<NodeId> {
        self.body.ids().into_iter().filter(|id| self.body.node(*id).reads().contains(&read)).collect()
    }

    /// Whether a node takes a value element by element and is part of the reader.
    fn leads_to(&self, choice: &Choice, (id, read): (NodeId, Value), reader: Value) -> bool {
        let node = self.body.node(id);
        let own = Value::of(id);
        let relations = node.results.iter().flat_map(|typed| &typed.presence.relations);
        let mut asked = relations.flat_map(|relation| relation.values());
        let alike = self.body.typed(own).ty.axes == self.body.typed(read).ty.axes;
        matches!(node.op, Op::Map(_) | Op::Else)
            && node.results.len() == 1
            && alike
            && !asked.any(|value| *value == read)
            && (own == reader || (!choice.stored.contains(&own) && self.is_read_by(choice, own, reader)))
    }
}
