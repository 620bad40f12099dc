//! Relations between queries and keys as first and last keys of each query.

use super::softmax::Attention;
use crate::graph::{Op, Value};
use crate::plan::lowering::Scope;
use crate::plan::place::View;
use crate::tensor::{Affine, AxisId, BATCH, Extent, Relation, Term};
use archc_runtime::abi::Size;

/// One end of what a query sees: `slope · query + constant + table`.
#[derive(Debug, Clone, PartialEq)]
pub struct End {
    /// How it moves from query to query.
    pub slope: i64,
    /// A number.
    pub constant: i64,
    /// A whole number for each row.
    pub table: Option<Value>,
}

/// What queries see.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sight {
    /// First keys.
    pub from: Vec<End>,
    /// One past the last keys.
    pub to: Vec<End>,
    /// Truths that must hold as well.
    pub conditions: Vec<Value>,
    /// Ranks, and what each must be below: a chosen few are seen.
    pub ranks: Vec<(Value, i64)>,
}

/// The number of positions that each row has along an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct RowsEnd {
    /// A number for each row; without it all positions are there.
    pub lengths: Option<View>,
    /// What all rows have more than that.
    pub beyond: Size,
}

impl Scope<'_> {
    /// The axis of the queries.
    pub fn query_axis(&self, found: &Attention) -> Option<AxisId> {
        let key = &self.typed(found.key).ty;
        let own = || self.typed(found.query).ty.axes.iter().copied().filter(|axis| !key.has(*axis));
        let named = self.sight_relations(found).into_iter().find_map(|relation| match relation {
            Relation::AtLeastZero(affine) => own().find(|axis| affine.axes().any(|read| read == *axis)),
            _ => None,
        });
        let sequence = || own().find(|axis| self.sizes.axes().is_sequence(*axis));
        named.or_else(sequence).or_else(|| own().next())
    }

    /// Whether the attention can be streamed: what is seen has ends, and the score is a function of values in memory.
    pub fn can_stream(&self, found: &Attention) -> bool {
        let root = &self.typed(found.root).ty;
        let shaped = found.width.iter().all(|axis| self.typed(found.key).ty.has(*axis));
        let leaves = found.score.leaves();
        let Some(queries) = self.query_axis(found) else { return false };
        let product = &self.typed(found.product).ty;
        let placed = leaves.iter().all(|leaf| {
            let ty = &self.typed(*leaf).ty;
            ty.dtype.is_real() && ty.axes.iter().all(|axis| product.has(*axis))
        });
        let value = &self.typed(found.value).ty;
        let known = root.axes.iter().all(|axis| product.has(*axis) != value.has(*axis) || self.is_shared(found, *axis));
        shaped
            && self.has_parts(found, queries)
            && placed
            && known
            && !value.has(queries)
            && [found.query, found.key, found.value].iter().all(|one| self.is_always(*one))
            && found.score.scalar(&leaves, &[]).is_some()
            && [found.keys, queries].iter().all(|axis| self.rows_end(*axis).is_some())
            && self.sight(found).is_some()
    }

    /// Whether further products have queries and keys as the first one does.
    fn has_parts(&self, found: &Attention, queries: AxisId) -> bool {
        let product = &self.typed(found.product).ty;
        found.further.iter().all(|part| {
            let (query, key) = (&self.typed(part.query).ty, &self.typed(part.key).ty);
            let outer = |axes: &[AxisId]| axes.iter().all(|axis| part.width.contains(axis) || product.has(*axis));
            outer(&query.axes)
                && outer(&key.axes)
                && !key.has(queries)
                && part.width.iter().all(|axis| query.has(*axis) && key.has(*axis))
                && [part.query, part.key].iter().all(|one| self.is_always(*one))
        })
    }

    /// Whether an axis of both weights and values is a batch axis: the keys have it too.
    fn is_shared(&self, found: &Attention, axis: AxisId) -> bool {
        self.typed(found.key).ty.has(axis) && self.typed(found.query).ty.has(axis)
    }

    /// Values that presence reads and that must be in memory.
    pub fn conditions(&self, found: &Attention) -> Vec<Value> {
        let Some(sight) = self.sight(found) else { return Vec::new() };
        let tables = sight.from.iter().chain(&sight.to).filter_map(|end| end.table);
        let ranks = sight.ranks.iter().map(|(rank, _)| *rank);
        tables.chain(sight.conditions.iter().copied()).chain(ranks).collect()
    }

    /// Relations of the weights, and those under which the ranks that they read exist.
    fn sight_relations(&self, found: &Attention) -> Vec<Relation<Value>> {
        let mut open = self.relations(found.weights);
        let mut relations = Vec::new();
        while let Some(relation) = open.pop() {
            if relations.contains(&relation) {
                continue;
            }
            if let Relation::Below { rank, .. } = &relation {
                open.extend(self.relations(*rank));
            }
            relations.push(relation);
        }
        relations
    }

    /// What queries see, if every relation has such a form.
    pub fn sight(&self, found: &Attention) -> Option<Sight> {
        let queries = self.query_axis(found)?;
        let mut sight = Sight::default();
        for relation in self.sight_relations(found) {
            match &relation {
                Relation::AtLeastZero(affine) => self.add_end(&mut sight, affine, queries, found.keys)?,
                Relation::Holds(value) if self.is_always(*value) => sight.conditions.push(*value),
                Relation::Below { rank, bound } => sight.ranks.push((*rank, self.number(*bound)?)),
                _ => return None,
            }
        }
        Some(sight)
    }

    /// A number that is written down.
    fn number(&self, value: Value) -> Option<i64> {
        match &self.region.node(value.node).op {
            Op::Constant(numbers) => numbers.first().map(|number| *number as i64),
            _ => None,
        }
    }

    fn add_end(&self, sight: &mut Sight, affine: &Affine<Value>, queries: AxisId, keys: AxisId) -> Option<()> {
        let sign = affine.terms.iter().find(|(term, _)| *term == Term::Axis(keys))?.1;
        if sign.abs() != 1 {
            return None;
        }
        // `keys >= -rest` for a sign of 1, `keys < rest + 1` for -1.
        let rest = affine.plus(&Affine::axis(keys), -sign);
        let end = Affine::number(i64::from(sign < 0)).plus(&rest, -sign);
        let mut known = End { slope: 0, constant: end.constant, table: None };
        for (term, coefficient) in &end.terms {
            match term {
                Term::Axis(axis) if *axis == queries => known.slope = *coefficient,
                Term::Value(value)
                    if *coefficient == 1 && known.table.is_none() && self.is_per_row(*value, queries) =>
                {
                    known.table = Some(*value);
                }
                _ => return None,
            }
        }
        let list = if sign > 0 { &mut sight.from } else { &mut sight.to };
        list.push(known);
        Some(())
    }

    /// Where rows end along an axis; `None` if that is no row's own number plus one that all share.
    pub fn rows_end(&self, axis: AxisId) -> Option<RowsEnd> {
        match &self.sizes.axes()[axis].extent {
            Extent::Sequence => Some(RowsEnd { lengths: self.length(axis), beyond: Size::Constant(0) }),
            Extent::Computed { lengths, settings, constant } => {
                let own = match lengths.as_slice() {
                    [] => RowsEnd { lengths: None, beyond: Size::Constant(0) },
                    [(one, 1)] => self.rows_end(*one)?,
                    _ => return None,
                };
                let settings = settings.iter().map(|(name, factor)| self.sizes.setting(name).times((*factor).into()));
                let beyond = settings.fold(own.beyond.plus((*constant).into()), Size::plus);
                Some(RowsEnd { lengths: own.lengths, beyond })
            }
            _ => Some(RowsEnd { lengths: None, beyond: Size::Constant(0) }),
        }
    }

    fn is_per_row(&self, value: Value, queries: AxisId) -> bool {
        let axes = &self.typed(value).ty.axes;
        self.is_always(value) && axes.iter().all(|axis| *axis == BATCH || *axis == queries)
    }
}
