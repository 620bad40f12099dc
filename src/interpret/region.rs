//! Evaluates the nodes of a region in order.

use super::{Data, Feed, repeat};
use crate::fault::{Bug, Environment, Fault};
use crate::graph::{Node, Op, Region, Typed};
use crate::ops::{Scene, World, eval, restrict};
use crate::tensor::{Array, walk};
use std::rc::Rc;

/// The results of all nodes of a region, by the node's index.
pub(super) type Values = Vec<Vec<Rc<Array>>>;

/// Where a region is evaluated.
#[derive(Clone, Copy)]
pub(super) struct Frame<'a> {
    pub(super) world: &'a World<'a>,
    pub(super) feed: &'a Feed,
    pub(super) turns: &'a [usize],
    pub(super) active: Option<&'a [bool]>,
}

pub(super) fn evaluate(frame: Frame, region: &Region, arguments: &[Rc<Array>]) -> Result<Values, Fault> {
    let order = region.order();
    let count = order.iter().map(|id| id.index() + 1).max().unwrap_or(0);
    let mut values: Values = vec![Vec::new(); count];
    for id in order {
        let node = region.node(id);
        let operands = node.operands.iter().map(|value| values[value.node.index()][value.result as usize].clone());
        let operands = operands.collect::<Vec<_>>();
        let Frame { world, turns, active, .. } = frame;
        let scene = Scene { world, values: &values, turns, active };
        let mut results = node_results(frame, &scene, node, &operands, arguments)?;
        for (array, typed) in results.iter_mut().zip(&node.results) {
            if frame.feed.check_presence {
                check(&scene, node, array, typed)?;
            }
            if !typed.presence.is_always() {
                restrict(&scene, Rc::make_mut(array), &typed.presence);
            }
        }
        values[id.index()] = results;
    }
    Ok(values)
}

fn node_results(
    frame: Frame,
    scene: &Scene,
    node: &Node,
    operands: &[Rc<Array>],
    arguments: &[Rc<Array>],
) -> Result<Vec<Rc<Array>>, Fault> {
    match &node.op {
        Op::For(region) => Ok(repeat::evaluate(frame, scene, node, region, operands)?),
        Op::Argument(place) => Ok(vec![arguments[*place].clone()]),
        Op::Input(name) => {
            let data = frame.feed.inputs.get(name);
            Ok(vec![Rc::new(from_outside(scene, node, data, "input", name)?)])
        }
        Op::Parameter(path) => {
            let data = frame.feed.parameters.get(path).map(Rc::as_ref);
            Ok(vec![Rc::new(from_outside(scene, node, data, "parameter", path)?)])
        }
        _ => {
            let operands = operands.iter().map(Rc::as_ref).collect::<Vec<_>>();
            let missing = || Environment::new(format!("nothing is known of what `{}` reads", node.path));
            Ok(vec![Rc::new(eval(scene, node, &operands).ok_or_else(missing)?)])
        }
    }
}

fn from_outside(scene: &Scene, node: &Node, data: Option<&Data>, kind: &str, name: &str) -> Result<Array, Environment> {
    let data = data.ok_or_else(|| Environment::new(format!("the {kind} `{name}` is missing")))?;
    let shape = scene.shape(&node.results[0].ty);
    if data.numbers.len() != shape.len() || data.extents != shape.extents {
        let text = format!("the {kind} `{name}` has the shape {:?}, wanted is {:?}", data.extents, shape.extents);
        return Err(Environment::new(text));
    }
    Ok(Array::new(shape, data.numbers.clone()))
}

/// Where the recorded presence says that a value is present, it must be.
fn check(scene: &Scene, node: &Node, array: &Array, typed: &Typed) -> Result<(), Bug> {
    let Some(present) = &array.present else { return Ok(()) };
    let mut promised = Array::filled(array.shape.clone(), 0.0);
    restrict(scene, &mut promised, &typed.presence);
    let existence = scene.existence(&array.shape.axes);
    let mut wrong = None;
    let mut at = 0;
    walk(&array.shape.extents, &[], |coordinates, _| {
        let exists = existence.as_ref().is_none_or(|existence| existence.holds(coordinates));
        if exists && promised.is_present(at) && !present[at] {
            wrong = wrong.take().or_else(|| Some(coordinates.to_vec()));
        }
        at += 1;
    });
    match wrong {
        None => Ok(()),
        Some(at) => {
            let text = format!("recorded presence promises nothing that is absent (`{}` at {at:?})", node.path);
            Err(Bug::new("graph", text).detail(format!("{node:?}")))
        }
    }
}
