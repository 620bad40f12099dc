//! Streamed attention on tensor cores: which kernels can have it, and how much of a matrix is in shared memory at once.
//!
//! A block has [`STREAM_ROWS`] queries, or keys where gradients are taken by them, a warp a quarter of them in registers.
//! What they are paired with, their partners, comes to shared memory some rows at a time, and is read there by all.

use super::alignment::Alignment;
use super::arch::Precision;
use super::fragments::is_wide;
use crate::kernel::{Amount, Attend, AttendGradient, Kernel, Matrix};
use archc_runtime::abi::Element;

/// Queries of a block, or keys.
pub const STREAM_ROWS: usize = 64;
/// Warps of a block.
pub const STREAM_WARPS: usize = 4;

/// Columns of all sums together that a warp has in registers.
const WIDEST: [usize; 2] = [128, 256];
/// Parts of wider sums, each a block's own: scores are computed again in each.
const PARTS: [usize; 3] = [1, 2, 4];
/// Bytes of partners in shared memory at most: what a kernel may have without asking is 48 KiB.
const ROOM: usize = 46 << 10;
/// Partners at once, as many as can be.
const MOST_PARTNERS: [usize; 3] = [64, 32, 16];
/// So many where sums are wide, or numbers have two parts or a word each: with more, registers would not suffice.
const FEWER_PARTNERS: usize = 32;

/// How a kernel's pairs are computed by fragments.
#[derive(Debug, Clone, PartialEq)]
pub struct Streamed {
    /// What factors are rounded to. 32-bit floats are two parts of tf32 each, whose products are added.
    pub precision: Precision,
    /// Partners in shared memory at once.
    pub partners: usize,
    /// Into how many parts the columns of sums are cut.
    pub parts: usize,
    /// For each matrix of partners, in order: whether it can be copied by 16 bytes.
    pub wide: Vec<bool>,
}

/// A matrix with its columns.
type Sided<'m> = (&'m Matrix, Amount);

/// What is asked of an entry.
struct Asked<'m> {
    /// Matrices that are read, beside partners.
    read: Vec<Sided<'m>>,
    partners: Vec<Sided<'m>>,
    sums: Vec<Amount>,
    /// Of the last matrix of partners only the columns of a part are in shared memory.
    last_is_cut: bool,
}

impl Streamed {
    /// For the forward pass, if it can be had: partners are keys, those of further products, and values.
    pub fn forward(kernel: &Kernel, form: &Attend, precision: Precision, known: &Alignment) -> Option<Streamed> {
        let further = form.further.iter();
        let mut partners = vec![(&form.key, form.width)];
        partners.extend(further.clone().map(|part| (&part.key, part.width)));
        partners.push((&form.value, form.value_width));
        let queries = further.map(|part| (&part.query, part.width));
        let read = [(&form.query, form.width)].into_iter().chain(queries).collect();
        let asked = Asked { read, partners, sums: vec![form.value_width], last_is_cut: true };
        Streamed::of(kernel, &asked, precision, known)
    }

    /// For the gradient by queries: partners are keys and values.
    pub fn by_queries(
        kernel: &Kernel,
        of: &AttendGradient,
        precision: Precision,
        known: &Alignment,
    ) -> Option<Streamed> {
        let form = &of.forward;
        let read = vec![(&form.query, form.width), (&of.output_gradient, form.value_width)];
        let partners = vec![(&form.key, form.width), (&form.value, form.value_width)];
        let asked = Asked { read, partners, sums: vec![form.width], last_is_cut: false };
        Streamed::of(kernel, &asked, precision, known)
    }

    /// For the gradients by keys and values: partners are queries and gradients of results.
    pub fn by_keys(kernel: &Kernel, of: &AttendGradient, precision: Precision, known: &Alignment) -> Option<Streamed> {
        let form = &of.forward;
        let read = vec![(&form.key, form.width), (&form.value, form.value_width)];
        let partners = vec![(&form.query, form.width), (&of.output_gradient, form.value_width)];
        let asked = Asked { read, partners, sums: vec![form.width, form.value_width], last_is_cut: false };
        Streamed::of(kernel, &asked, precision, known)
    }

    fn of(kernel: &Kernel, asked: &Asked<'_>, precision: Precision, known: &Alignment) -> Option<Streamed> {
        let mut matrices = asked.read.iter().chain(&asked.partners);
        matrices.all(|(matrix, _)| is_plain(kernel, matrix)).then_some(())?;
        let sums = asked.sums.iter().map(|width| constant(*width)).collect::<Option<Vec<_>>>()?;
        let parts = PARTS.into_iter().find(|parts| fit_in(&sums, *parts, precision))?;
        let mut row = 0;
        for (place, (_, width)) in asked.partners.iter().enumerate() {
            let is_cut = asked.last_is_cut && place + 1 == asked.partners.len();
            let columns = padded(constant(*width)?, precision) / if is_cut { parts } else { 1 };
            row += 4 * pitch(columns, precision);
        }
        let partners = MOST_PARTNERS.into_iter().find(|count| {
            let fits_registers =
                *count <= FEWER_PARTNERS || parts == 1 && narrow(&sums) && precision == Precision::Bf16;
            count * row <= ROOM && fits_registers
        })?;
        let wide = asked.partners.iter().map(|(matrix, _)| is_wide(matrix, known)).collect();
        Some(Streamed { precision, partners, parts, wide })
    }
}

/// Whether sums of these widths, cut into so many equal parts of whole fragments, fit a warp's registers.
fn fit_in(sums: &[usize], parts: usize, precision: Precision) -> bool {
    let columns = sums.iter().map(|width| padded(*width, precision));
    let even = columns.clone().all(|columns| padded(columns / parts, precision) * parts == columns);
    even && columns.sum::<usize>() / parts <= WIDEST[sums.len() - 1]
}

fn narrow(sums: &[usize]) -> bool {
    sums.iter().sum::<usize>() <= 64 * sums.len()
}

/// Elements of a row of partners with its zeros: columns are multiplied so many at once.
pub fn padded(width: usize, precision: Precision) -> usize {
    width.next_multiple_of(if precision == Precision::Bf16 { 16 } else { 8 })
}

/// Elements from row to row of partners: threads that read side by side use banks of their own.
pub fn pitch(width: usize, precision: Precision) -> usize {
    padded(width, precision) + 4
}

fn constant(width: Amount) -> Option<usize> {
    if let Amount::Constant(width) = width { usize::try_from(width).ok().filter(|width| *width > 0) } else { None }
}

/// Whether rows are runs of 32-bit floats.
fn is_plain(kernel: &Kernel, matrix: &Matrix) -> bool {
    kernel.buffers[matrix.buffer].element == Element::F32 && matrix.columns == Amount::Constant(1)
}
