//! Checks a whole graph: types are those that the operations infer, nothing reads in a circle, presence and places
//! read what they may.
//!
//! Only this can make a [`Verified`] graph, and only a verified graph is planned.

use super::{Typing, infer};
use crate::fault::Bug;
use crate::graph::{Graph, Node, NodeId, Op, Region, Typed, Value};
use crate::tensor::{Axes, AxisId, Relation, TensorType, Term};

/// Something that the verifier has seen; it can be read but not changed.
#[derive(Debug, Clone)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Gives the thing back for changes; the promise is gone.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> std::ops::Deref for Verified<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.0
    }
}

impl Graph {
    /// Checks the graph and all bodies in it.
    ///
    /// # Errors
    /// The first broken guarantee, with the path of the node.
    pub fn verify(&self) -> Result<(), Bug> {
        if self.outputs.len() != self.root.results.len() || self.root.results.iter().any(Option::is_none) {
            return Err(Bug::new("graph", "every output has a name and a value"));
        }
        let arguments = self.root.ids().into_iter().find(|&id| is_of_a_body(&self.root.node(id).op));
        match arguments {
            Some(id) => Err(broken(self.root.node(id), "an argument or a turn stands outside of any body")),
            None => verify_region(&self.axes, &self.root),
        }
    }

    /// The graph, with the promise that it was checked.
    ///
    /// # Errors
    /// As [`Graph::verify`].
    pub fn verified(self) -> Result<Verified<Graph>, Bug> {
        self.verify()?;
        Ok(Verified(self))
    }
}

fn is_of_a_body(op: &Op) -> bool {
    matches!(op, Op::Argument(_) | Op::Turn)
}

fn broken(node: &Node, guarantee: impl Into<String>) -> Bug {
    let guarantee = guarantee.into();
    Bug::new("graph", format!("{guarantee} (at `{}`)", node.path)).detail(format!("{node:?}"))
}

fn verify_region(axes: &Axes, region: &Region) -> Result<(), Bug> {
    let reads_known =
        |value: &Value| region.find(value.node).is_some_and(|node| (value.result as usize) < node.results.len());
    for id in region.ids() {
        let node = region.node(id);
        if node.reads().iter().any(|read| !reads_known(read)) {
            return Err(broken(node, "a node reads only values of its region"));
        }
    }
    if region.results.iter().flatten().any(|result| !reads_known(result)) {
        return Err(Bug::new("graph", "a region returns only its own values"));
    }
    if region.order().len() != region.len() {
        return Err(Bug::new("graph", "no nodes read each other in a circle"));
    }
    region.ids().into_iter().try_for_each(|id| verify_node(axes, region, id))
}

fn verify_node(axes: &Axes, region: &Region, id: NodeId) -> Result<(), Bug> {
    let node = region.node(id);
    let typing = Typing { axes, region };
    let wanted = node.results.first().map(|typed| &typed.ty);
    let inferred = infer(&typing, &node.op, &node.operands, wanted).map_err(|error| broken(node, error.0))?;
    let recorded = node.results.iter().map(|typed| &typed.ty).collect::<Vec<_>>();
    if recorded != inferred.iter().collect::<Vec<_>>() {
        let text = format!("recorded types are the inferred ones: {recorded:?} against {inferred:?}");
        return Err(broken(node, text));
    }
    node.results.iter().try_for_each(|typed| verify_result(&typing, node, typed))?;
    node.bodies().iter().try_for_each(|body| verify_region(axes, body))
}

fn verify_result(typing: &Typing, node: &Node, typed: &Typed) -> Result<(), Bug> {
    let TensorType { axes, .. } = &typed.ty;
    if axes.iter().enumerate().any(|(place, axis)| axes[..place].contains(axis)) {
        return Err(broken(node, "no value has an axis twice"));
    }
    for relation in &typed.presence.relations {
        if relation_axes(typing, relation).iter().any(|axis| !typed.ty.has(*axis)) {
            return Err(broken(node, "presence speaks of the value's own axes"));
        }
    }
    Ok(())
}

fn relation_axes(typing: &Typing, relation: &Relation<Value>) -> Vec<AxisId> {
    let mut axes = Vec::new();
    if let Relation::AtLeastZero(affine) = relation {
        axes.extend(affine.terms.iter().filter_map(|(term, _)| match term {
            Term::Axis(axis) | Term::Quotient(axis, _) | Term::Remainder(axis, _) => Some(*axis),
            Term::Value(_) => None,
        }));
    }
    if let Relation::Equal(axis, _) = relation {
        axes.push(*axis);
    }
    for value in relation.values() {
        axes.extend(&typing.of(*value).axes);
    }
    axes
}
