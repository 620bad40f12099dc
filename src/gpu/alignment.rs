//! What the places of a kernel's launches are multiples of, as far as their formulas tell.

use crate::kernel::Amount;
use crate::plan::Launch;
use archc_runtime::abi::Size;

/// Divisors of everything that a kernel is given, in all of its launches; 0 is a multiple of everything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Alignment {
    /// Of where each buffer starts, in elements.
    buffers: Vec<i64>,
    /// Of each size.
    sizes: Vec<i64>,
}

impl Alignment {
    /// Counts a further launch in.
    pub fn add(&mut self, launch: &Launch) {
        let starts = launch.arguments.iter().map(|argument| divisor(&argument.offset));
        join(&mut self.buffers, starts);
        join(&mut self.sizes, launch.sizes.iter().map(divisor));
    }

    /// Whether a buffer starts where an access of so many elements may, and so does every place that these strides lead
    /// to.
    pub fn starts_wide(&self, buffer: usize, strides: &[Amount], elements: i64) -> bool {
        multiple(&self.buffers, buffer, elements)
            && strides.iter().all(|stride| match stride {
                Amount::Constant(stride) => stride % elements == 0,
                Amount::Size(place) => multiple(&self.sizes, *place, elements),
            })
    }
}

fn multiple(divisors: &[i64], place: usize, of: i64) -> bool {
    divisors.get(place).is_some_and(|divisor| divisor % of == 0)
}

fn join(known: &mut Vec<i64>, more: impl Iterator<Item = i64>) {
    for (place, divisor) in more.enumerate() {
        match known.get_mut(place) {
            Some(known) => *known = common(*known, divisor),
            None => known.push(divisor),
        }
    }
}

/// A number that divides a size, whatever its symbols are.
fn divisor(size: &Size) -> i64 {
    match size {
        Size::Constant(value) => value.saturating_abs(),
        Size::Sum(terms) => terms.iter().map(divisor).fold(0, common),
        Size::Product(factors) => factors.iter().map(divisor).fold(1, i64::saturating_mul),
        Size::Max(left, right) | Size::Min(left, right) => common(divisor(left), divisor(right)),
        Size::Symbol(_) | Size::CeilDivide(..) => 1,
    }
}

/// The greatest common divisor.
fn common(left: i64, right: i64) -> i64 {
    if right == 0 { left } else { common(right, left % right) }
}
