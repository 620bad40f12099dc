//! Streamed attention, forward and backward: the matrix of scores exists a block at a time, never whole.

use super::{Amount, Matrix};
use crate::tensor::{Scalar, ScalarStep};

/// Keys are walked in blocks of so many, which start at its multiples.
pub const KEY_BLOCK: i64 = 64;

/// For every batch index and every query i, over the keys j that [`Visible`] lets it see:
///
/// `x[j] = score(sum over w of Q[i, w] · K[j, w] + further products, extras at (i, j))`, `m = max x`, `l = sum of exp(x[j] - m)`,
/// `O[i, v] = sum over j of exp(x[j] - m) / l · V[j, v]`, `L[i] = m + log l`.
///
/// A query that sees no key stores zeros in O and 0 in L. Blocks of keys that no query of a block sees are never
/// visited (Milakov and Gimelshein 2018, arXiv 1805.02867; Dao et al. 2022, arXiv 2205.14135).
#[derive(Debug, Clone, PartialEq)]
pub struct Attend {
    /// Extents of the batch loops, outermost first: rows, key heads, query heads of one key head. Where `key` and
    /// `value` have a batch stride of 0 several queries share them.
    pub batch: Vec<Amount>,
    /// How many queries.
    pub queries: Amount,
    /// How many keys are stored.
    pub keys: Amount,
    /// What scores are summed over.
    pub width: Amount,
    /// Columns of values and results.
    pub value_width: Amount,
    /// Q: rows are queries, columns the width.
    pub query: Matrix,
    /// K: rows are keys, columns the width.
    pub key: Matrix,
    /// Further products that are added to that of Q and K before the score is taken.
    pub further: Vec<Part>,
    /// V: rows are keys, columns the value width.
    pub value: Matrix,
    /// K and V hold the latest keys only: key j lies at row `j % ring`, a multiple of [`KEY_BLOCK`].
    pub ring: Option<i64>,
    /// Matrices that the score or the presence reads at (query, key); a stride of 0 repeats.
    pub extras: Vec<Matrix>,
    /// The score of a product: operand 0 is the sum, then the extras.
    pub score: Scalar,
    /// Which keys a query sees.
    pub visible: Visible,
    /// Few of the keys in range are expected to be present: each query's are listed before they are read, so that time
    /// goes with their number. Needs [`Attend::sees_alike`].
    pub listed: bool,
    /// Keys in pieces of so many, a multiple of [`KEY_BLOCK`] unless it is all of them: the outermost batch loop counts
    /// pieces, whatever the strides of keys along it, and sees the keys of its own alone. L is minus infinity then for a
    /// query that sees none.
    pub piece: Option<Amount>,
    /// O: rows are queries, columns the value width.
    pub output: Matrix,
    /// L: rows are queries, column stride 0; written by the forward kernel if it is there, read by the backward one.
    pub logsum: Option<Matrix>,
    /// Only where a test asks how much was skipped: a buffer of whole numbers (element I32), one for each turn of the
    /// body, to which the pairs of a query and a key are added that a product is computed for.
    pub visits: Option<usize>,
}

impl Attend {
    /// The keys of each product.
    pub fn all_keys(&self) -> Vec<&Matrix> {
        [&self.key].into_iter().chain(self.further.iter().map(|part| &part.key)).collect()
    }

    /// Whether a batch loop shares its keys and values.
    pub fn shares(&self, place: usize) -> bool {
        let mut keys = self.all_keys().into_iter().chain([&self.value]);
        let counts_pieces = self.piece.is_some() && place == 0;
        !counts_pieces && keys.all(|matrix| matrix.batch[place] == Amount::Constant(0))
    }

    /// Whether queries that share keys see the same of them, and scores read nothing but the product.
    pub fn sees_alike(&self) -> bool {
        let shared = (0..self.batch.len()).filter(|place| self.shares(*place)).collect::<Vec<_>>();
        let ends = self.visible.from.iter().chain(&self.visible.to).chain(&self.visible.queries);
        let tables = ends.filter_map(|edge| edge.table.as_ref());
        let alike = |matrix: &Matrix| shared.iter().all(|place| matrix.batch[*place] == Amount::Constant(0));
        let plain = self.score.steps.iter().all(|step| !matches!(step, ScalarStep::Operand(1..)));
        plain && self.ring.is_none() && self.extras.iter().chain(tables).all(alike)
    }

    /// Whether it touches a buffer for its results alone, each of which it stores once.
    pub fn only_stores(&self, buffer: usize) -> bool {
        let mut form = self.clone();
        let touched = form.matrices_mut().filter(|matrix| matrix.buffer == buffer).count();
        self.output.buffer == buffer && touched == 1 && self.visits != Some(buffer)
    }

    /// All matrices that it reads and writes.
    pub fn matrices_mut(&mut self) -> impl Iterator<Item = &mut Matrix> {
        let parts = self.further.iter_mut().flat_map(|part| [&mut part.query, &mut part.key]);
        let visible = &mut self.visible;
        let edges = visible.from.iter_mut().chain(&mut visible.to).chain(&mut visible.queries);
        let tables = edges.filter_map(|edge| edge.table.as_mut());
        let own = [&mut self.query, &mut self.key, &mut self.value, &mut self.output];
        own.into_iter().chain(&mut self.logsum).chain(&mut self.extras).chain(parts).chain(tables)
    }

    /// The extents of the batch loops that share keys, or of those that do not.
    pub fn batch_extents(&self, shared: bool) -> Vec<Amount> {
        let places = self.batch.iter().enumerate().filter(|(place, _)| self.shares(*place) == shared);
        places.map(|(_, &extent)| extent).collect()
    }

    /// All batch indices, from those of loops with their own keys and those of loops that share them.
    pub fn all_indices<T: Copy>(&self, own: &[T], shared: &[T]) -> Vec<T> {
        let (mut own, mut shared) = (own.iter(), shared.iter());
        let next = |place| if self.shares(place) { shared.next() } else { own.next() };
        (0..self.batch.len()).filter_map(next).copied().collect()
    }
}

/// One more product of queries and keys.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// What it is summed over.
    pub width: Amount,
    /// Rows are queries, columns the width.
    pub query: Matrix,
    /// Rows are keys, columns the width.
    pub key: Matrix,
}

/// Query i sees the keys from the largest of 0 and `from` up to the smallest of `keys` and `to` (exclusive).
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Visible {
    /// First keys.
    pub from: Vec<Edge>,
    /// One past the last keys.
    pub to: Vec<Edge>,
    /// Of these, the ones where it holds: a bool of the extras (numbered from 1 as in the score; operand 0 is not read).
    pub present: Option<Scalar>,
    /// Queries from this number on do not exist and see nothing.
    pub queries: Option<Edge>,
}

/// `slope · i + offset + constant + table[i]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Edge {
    /// How it moves from query to query: 0 or 1 as a rule.
    pub slope: i64,
    /// A number given at the launch.
    pub offset: Amount,
    /// A number.
    pub constant: i64,
    /// Whole numbers (element I32) at row i, column stride 0; a row stride of 0 is one number for each batch: a length.
    pub table: Option<Matrix>,
}

/// The gradient of [`Attend`] for a gradient G of O:
///
/// `p[i, j] = exp(x[i, j] - L[i])`, `D[i] = sum over v of G[i, v] · O[i, v]`,
/// `s[i, j] = p[i, j] · (sum over v of G[i, v] · V[j, v] - D[i]) · slope(product at (i, j), extras)`,
/// `dQ[i, w] = sum over j of s[i, j] · K[j, w]`, `dK[j, w] = sum over i of s[i, j] · Q[i, w]`,
/// `dV[j, v] = sum over i of p[i, j] · G[i, v]`.
///
/// dK and dV are also summed over the batch loops along which they have a stride of 0. All three are overwritten.
/// Rows that no pair touches become 0.
#[derive(Debug, Clone, PartialEq)]
pub struct AttendGradient {
    /// What was computed; `output` and `logsum` (which is there) are read.
    pub forward: Attend,
    /// The derivative of the score by the product: operand 0 is the product, then the extras.
    pub slope: Scalar,
    /// G, shaped as O.
    pub output_gradient: Matrix,
    /// dQ, shaped as Q.
    pub query_gradient: Matrix,
    /// dK, shaped as K.
    pub key_gradient: Matrix,
    /// dV, shaped as V.
    pub value_gradient: Matrix,
}
