//! Products of rows with the matrix that each row chose, and the transposes of such.
//!
//! `y[r, n] = sum[k](x[r, k] · w[e: who[r]][k, n])` and `dw[e, k, n] = sum of x[r, k] · dy[r, n] over r with who[r] = e`.
//! Found from an index, or a scatter, by whole numbers alone; the plan sorts the rows by what they chose.

use crate::graph::{NodeId, Op, Region, Value};
use crate::tensor::{Affine, AxisId, DType, Function, Precision, Scalar, Term};

/// What each row chose.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// The axes of the rows.
    pub rows: Vec<AxisId>,
    /// The axes that are chosen on, and where.
    pub who: Vec<(AxisId, Value)>,
}

/// A product of every row with its own matrix.
#[derive(Debug, Clone)]
pub struct Grouped {
    /// The choice.
    pub chosen: Chosen,
    /// The rows; those that lack an axis of the choice stand for all along it.
    pub left: Value,
    /// All matrices.
    pub matrices: Value,
    /// What each product is summed over.
    pub sum: Vec<AxisId>,
    /// Axes of the rows that results are added up along.
    pub added: Vec<AxisId>,
}

/// For every matrix the sum of the products of the rows that chose it.
#[derive(Debug, Clone)]
pub struct GroupedSum {
    /// The choice.
    pub chosen: Chosen,
    /// Two factors with the rows' axes and own ones.
    pub factors: [Value; 2],
    /// The product and what it is called on the way to the scatter; nothing else may read them.
    pub products: Vec<Value>,
}

/// Recognises a product with chosen matrices.
pub fn grouped(region: &Region, id: NodeId) -> Option<Grouped> {
    let node = region.node(id);
    let (Op::Contract(summed), [one, other]) = (&node.op, node.operands.as_slice()) else { return None };
    [(*one, *other), (*other, *one)].into_iter().find_map(|(left, indexed)| {
        let looked_up = region.node(indexed.node);
        let Op::Index(places) = &looked_up.op else { return None };
        let chosen = chosen(region, places)?;
        let matrices = looked_up.operands[0];
        let all = &region.typed(matrices).ty.axes;
        let own = all.iter().copied().filter(|axis| chosen.who.iter().all(|(on, _)| on != axis)).collect::<Vec<_>>();
        let left_axes = &region.typed(left).ty.axes;
        let (added, sum): (Vec<_>, Vec<_>) = summed.iter().copied().partition(|axis| chosen.rows.contains(axis));
        let columns = own.iter().filter(|axis| !sum.contains(axis)).count();
        let fits = own.iter().all(|axis| !chosen.rows.contains(axis))
            && left_axes.iter().all(|axis| chosen.rows.contains(axis) || sum.contains(axis))
            && sum.iter().all(|axis| own.contains(axis) && left_axes.contains(axis))
            && columns > 0
            && !sum.is_empty()
            && [left, matrices].iter().all(|value| is_plain(region, *value));
        fits.then_some(Grouped { chosen, left, matrices, sum, added })
    })
}

/// Recognises a sum for each matrix.
pub fn grouped_sum(region: &Region, id: NodeId) -> Option<GroupedSum> {
    let node = region.node(id);
    let Op::Scatter(places) = &node.op else { return None };
    let chosen = chosen(region, places)?;
    let products = products(region, node.operands[0])?;
    let made = region.node(products.last()?.node);
    let [left, right] = made.operands.as_slice() else { return None };
    let own = |value: Value| {
        let axes = region.typed(value).ty.axes.iter().copied();
        axes.filter(|axis| !chosen.rows.contains(axis)).collect::<Vec<_>>()
    };
    let (of_left, of_right) = (own(*left), own(*right));
    let target = &node.results[0].ty.axes;
    let whole = target.len() == chosen.who.len() + of_left.len() + of_right.len();
    let fits = !of_left.is_empty()
        && !of_right.is_empty()
        && whole
        && of_left.iter().all(|axis| !of_right.contains(axis))
        && of_left.iter().chain(&of_right).all(|axis| target.contains(axis))
        && [left, right].iter().all(|value| is_plain(region, **value));
    fits.then_some(GroupedSum { chosen, factors: [*left, *right], products })
}

/// A value that is a product of two, in the same axes in any order, and that product; each read once.
fn products(region: &Region, value: Value) -> Option<Vec<Value>> {
    let mut chain = vec![value];
    loop {
        let value = *chain.last()?;
        let node = region.node(value.node);
        let everywhere = node.results[0].presence.is_always();
        if !everywhere || region.users(value.node).len() != 1 || region.results.contains(&Some(value)) {
            return None;
        }
        let multiplies = match &node.op {
            Op::Contract(summed) => summed.is_empty(),
            Op::Map(scalar) => *scalar == Scalar::function(Function::Multiply),
            _ => false,
        };
        let [only] = node.operands.as_slice() else { return (multiplies && node.operands.len() == 2).then_some(chain) };
        let same = region.typed(*only).ty.axes.len() == node.results[0].ty.axes.len();
        if !matches!(&node.op, Op::Map(scalar) if *scalar == Scalar::identity()) || !same {
            return None;
        }
        chain.push(*only);
    }
}

fn is_plain(region: &Region, value: Value) -> bool {
    matches!(region.typed(value).ty.dtype, DType::Real(Precision::Recipe | Precision::F32))
}

/// Places that are whole numbers of the same rows.
fn chosen(region: &Region, places: &[(AxisId, Affine<Value>)]) -> Option<Chosen> {
    let mut who = Vec::new();
    for (axis, place) in places {
        match place.terms.as_slice() {
            [(Term::Value(value), 1)] if place.constant == 0 => who.push((*axis, *value)),
            _ => return None,
        }
    }
    let rows = region.typed(who.first()?.1).ty.axes.clone();
    let same = who.iter().all(|(_, value)| region.typed(*value).ty.axes == rows);
    (same && !rows.is_empty()).then_some(Chosen { rows, who })
}
