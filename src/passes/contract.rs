//! Sums of products become contractions.
//! `p = multiply(a, b); y = sum[k](p)`  →  `y = contract[k](a, b)`, where p has more axes than a and b each, or a factor
//! is a matrix that is looked up.

use super::Pass;
use super::regions::each_region;
use crate::graph::{Graph, Op, Region, Value};
use crate::model::Combine;
use crate::tensor::{AxisId, Function, Scalar};

pub(super) struct Contractions;

impl Pass for Contractions {
    fn name(&self) -> &'static str {
        "contractions"
    }

    fn run(&self, graph: &mut Graph) -> bool {
        each_region(graph, &mut |_, region| rewrite(region))
    }
}

fn rewrite(region: &mut Region) -> bool {
    let mut changed = false;
    for id in region.order() {
        let Some((axes, operands)) = product_below(region, Value::of(id)) else { continue };
        region.edit(id, |node| {
            node.op = Op::Contract(axes);
            node.operands = operands;
        });
        changed = true;
    }
    changed
}

/// The axes and factors, if a value is a sum of a product that is wider than each factor.
fn product_below(region: &Region, value: Value) -> Option<(Vec<AxisId>, Vec<Value>)> {
    let node = region.node(value.node);
    let Op::Reduce(Combine::Sum, axes) = &node.op else { return None };
    let product = region.node(node.operands[0].node);
    let Op::Map(scalar) = &product.op else { return None };
    let typed = &product.results[0];
    let [left, right] = product.operands.as_slice() else { return None };
    let types = [left, right].map(|operand| &region.typed(*operand).ty);
    // A factor that is looked up at each position is not as wide as it seems: it is read where it is.
    let narrow =
        |operand: &Value| region.typed(*operand).ty.axes.len() < typed.ty.axes.len() || is_looked_up(region, *operand);
    let wider = narrow(left) && narrow(right) && types.iter().all(|ty| ty.dtype.is_real());
    let summed = axes.iter().all(|axis| types.iter().any(|ty| ty.has(*axis)));
    // What a factor lacks would be repeated: the sum counts that, and so must the contraction.
    let covered = typed.ty.axes.iter().all(|axis| types.iter().any(|ty| ty.has(*axis)));
    let known = presence_is_known(region, node.operands[0], &[*left, *right]);
    let fits = *scalar == Scalar::function(Function::Multiply) && wider && summed && covered && known;
    fits.then(|| (axes.clone(), vec![*left, *right]))
}

/// Whether each position reads a part of its own of a value with fewer axes.
fn is_looked_up(region: &Region, value: Value) -> bool {
    let node = region.node(value.node);
    let matrix = |places: &[(AxisId, _)]| region.typed(node.operands[0]).ty.axes.len() >= places.len() + 2;
    match &node.op {
        Op::Index(places) => {
            matrix(places)
                && places.iter().all(|(_, place)| place.axes().next().is_none() && place.values().count() == 1)
        }
        _ => false,
    }
}

/// Whether the product is absent only where a factor is.
fn presence_is_known(region: &Region, product: Value, factors: &[Value]) -> bool {
    let relations = &region.typed(product).presence.relations;
    relations
        .iter()
        .all(|relation| factors.iter().any(|factor| region.typed(*factor).presence.relations.contains(relation)))
}
