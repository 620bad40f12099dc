//! In which order a product of several factors is summed with the fewest multiply-adds.
//!
//! `sum[n](q · sum[c](x · w))` is one product of q, x and w, summed over n and c; its value does not depend on the order,
//! its cost does. All orders are tried: a chain has a handful of factors.

use super::add_axes;
use crate::tensor::{Axes, AxisId};
use archc_runtime::abi::names;

/// Chains of more factors are left as they are.
pub const MOST_FACTORS: usize = 6;
/// How many positions a sequence is taken to have when costs are compared; a step has one new one.
pub const POSITIONS: f64 = 1024.0;

/// A factor: its axes, and sets of axes of which one must be summed as soon as the factor is used, because the factor
/// is absent along them.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    /// All axes.
    pub axes: Vec<AxisId>,
    /// What its presence speaks of, relation by relation.
    pub absent: Vec<Vec<AxisId>>,
}

/// An order: two products at a time.
#[derive(Debug, Clone, PartialEq)]
pub enum Order {
    /// The factor of that place.
    Factor(usize),
    /// The product of both, summed along what nobody else reads.
    Product(Box<Order>, Box<Order>),
}

/// Which factors of a list are meant: a bit for each.
type Set = usize;

/// A product that is to be ordered.
#[derive(Debug)]
pub struct Chain<'a> {
    /// Its factors.
    pub factors: &'a [Factor],
    /// The axes that are not summed.
    pub result: &'a [AxisId],
    /// Sizes.
    pub axes: &'a Axes,
}

impl Chain<'_> {
    /// The order with the fewest multiply-adds, and their number; nothing if no order sums something at every step.
    pub fn cheapest(&self) -> Option<(f64, Order)> {
        let count = self.factors.len();
        let all: Set = (1 << count) - 1;
        let mut best: Vec<Option<(f64, Order)>> = vec![None; all + 1];
        for set in 1..=all {
            best[set] = match set.count_ones() {
                1 => Some((0.0, Order::Factor(set.trailing_zeros() as usize))),
                _ => self.best_split(set, &best),
            };
        }
        best.pop().flatten()
    }

    /// The multiply-adds of an order.
    pub fn cost(&self, order: &Order) -> f64 {
        match order {
            Order::Factor(_) => 0.0,
            Order::Product(left, right) => {
                self.cost(left) + self.cost(right) + self.work(self.set_of(left), self.set_of(right))
            }
        }
    }

    /// The axes of the product of some factors: those that others or the result read.
    pub fn axes_of(&self, order: &Order) -> Vec<AxisId> {
        self.open(self.set_of(order))
    }

    fn best_split(&self, set: Set, best: &[Option<(f64, Order)>]) -> Option<(f64, Order)> {
        let mut found: Option<(f64, Order)> = None;
        let mut left = (set - 1) & set;
        while left > 0 {
            let right = set ^ left;
            // Each pair once: the first factor stands on the left.
            if left & set & set.wrapping_neg() != 0
                && self.fits(left, right)
                && let (Some((one, first)), Some((other, second))) = (&best[left], &best[right])
            {
                let cost = one + other + self.work(left, right);
                if found.as_ref().is_none_or(|(known, _)| cost < *known) {
                    found = Some((cost, Order::Product(Box::new(first.clone()), Box::new(second.clone()))));
                }
            }
            left = (left - 1) & set;
        }
        found
    }

    /// Whether a product sums something, and hides no absence of a factor.
    fn fits(&self, left: Set, right: Set) -> bool {
        let open = self.open(left | right);
        let sums = self.union(left, right).iter().any(|axis| !open.contains(axis));
        let whole = (left | right).count_ones() as usize == self.factors.len();
        let hides = |set: Set| {
            set.count_ones() == 1
                && self.factors[set.trailing_zeros() as usize]
                    .absent
                    .iter()
                    .any(|axes| axes.iter().all(|axis| open.contains(axis)))
        };
        sums && (whole || !(hides(left) || hides(right)))
    }

    fn work(&self, left: Set, right: Set) -> f64 {
        self.union(left, right).iter().map(|axis| nominal(self.axes, *axis)).product()
    }

    fn union(&self, left: Set, right: Set) -> Vec<AxisId> {
        let mut union = self.open(left);
        add_axes(&mut union, &self.open(right));
        union
    }

    /// The axes of the product of a set; a factor alone keeps all of its own.
    fn open(&self, set: Set) -> Vec<AxisId> {
        let mut axes = Vec::new();
        let member = |place: usize| set & (1 << place) != 0;
        (0..self.factors.len()).filter(|place| member(*place)).for_each(|place| {
            add_axes(&mut axes, &self.factors[place].axes);
        });
        if set.count_ones() > 1 {
            let read = |axis: &AxisId| {
                self.result.contains(axis)
                    || (0..self.factors.len()).any(|place| !member(place) && self.factors[place].axes.contains(axis))
            };
            axes.retain(read);
        }
        axes
    }

    fn set_of(&self, order: &Order) -> Set {
        match order {
            Order::Factor(place) => 1 << place,
            Order::Product(left, right) => self.set_of(left) | self.set_of(right),
        }
    }
}

/// The size that costs are compared at.
pub fn nominal(axes: &Axes, axis: AxisId) -> f64 {
    match axes.fixed(axis) {
        Some(size) => size as f64,
        None if !axes.is_sequence(axis) || axes[axis].name == names::CHUNK => 1.0,
        None => POSITIONS,
    }
}
