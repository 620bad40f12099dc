//! What is known about a region's values while kernels are made for it: where they are stored, where they are present.

use crate::graph::{Op, Region, Typed, Value};
use crate::model::Combine;
use crate::ops::weights_of;
use crate::plan::place::View;
use crate::plan::renewed::Carried;
use crate::plan::sizes::Sizes;
use crate::tensor::{Affine, AxisId, Extent, Relation, Term};
use archc_runtime::abi::Size;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

/// A copied value, the sequences past whose lengths it is 0, and where it is.
type Settled = (Value, Vec<AxisId>, View);

/// Places by their rank, and how many there are.
#[derive(Debug, Clone)]
pub struct Order {
    /// The places of what is present, in the first of as many elements as the axis has.
    pub places: View,
    /// How many are present.
    pub count: View,
}

/// One region on its way to kernels.
pub struct Scope<'g> {
    /// The region.
    pub region: &'g Region,
    /// Sizes of axes.
    pub sizes: &'g Sizes<'g>,
    /// The counters of the loops that the region is inside of, outermost first.
    pub turns: Vec<Size>,
    /// Each row's number of positions, by class of the sequence.
    pub lengths: HashMap<AxisId, View>,
    /// The seed of draws, and the number of the first row.
    pub seed: Option<View>,
    /// Which rows still run, in a loop that stops rows by themselves.
    pub running: Option<View>,
    /// Whether a caller looks at the turns of a loop around.
    pub watched: bool,
    /// How many of the arguments are carried, and those whose place the new ones may take in a turn.
    pub carries: usize,
    pub(in crate::plan) carried: Vec<Carried>,
    owned: HashSet<Value>,
    open: HashSet<Value>,
    stored: HashMap<Value, View>,
    settled: RefCell<Vec<Settled>>,
    orders: RefCell<HashMap<Value, Order>>,
    along: RefCell<Vec<(Value, AxisId, View)>>,
    always: HashMap<Value, bool>,
}

impl<'g> Scope<'g> {
    /// A region of which nothing is stored yet.
    pub fn new(region: &'g Region, sizes: &'g Sizes<'g>) -> Scope<'g> {
        let mut scope = Scope {
            region,
            sizes,
            turns: Vec::new(),
            lengths: HashMap::new(),
            seed: None,
            running: None,
            watched: false,
            carries: 0,
            carried: Vec::new(),
            owned: HashSet::new(),
            open: HashSet::new(),
            stored: HashMap::new(),
            settled: RefCell::default(),
            orders: RefCell::default(),
            along: RefCell::default(),
            always: HashMap::new(),
        };
        for id in region.order() {
            for result in 0..region.node(id).results.len() {
                let value = Value { node: id, result: result as u32 };
                let always = scope.decide_always(value);
                scope.always.insert(value, always);
            }
        }
        scope
    }

    /// The body of a `for` in this region, of which the present turn is given; nothing is stored yet.
    pub fn inside(&self, body: &'g Region, turn: Size) -> Scope<'g> {
        let mut scope = Scope::new(body, self.sizes);
        scope.turns.clone_from(&self.turns);
        scope.turns.push(turn);
        scope.lengths.clone_from(&self.lengths);
        scope.seed.clone_from(&self.seed);
        scope.running.clone_from(&self.running);
        scope.watched = self.watched;
        scope
    }

    /// Says which arguments may be changed where they are.
    pub fn own(&mut self, arguments: Vec<Value>) {
        self.owned.extend(arguments);
    }

    /// Whether an argument may be changed where it is.
    pub fn owns(&self, argument: Value) -> bool {
        self.owned.contains(&argument)
    }

    /// Says which results are nowhere before they are handed over.
    pub fn leave_open(&mut self, results: Vec<Value>) {
        self.open.extend(results);
    }

    /// Whether a result is nowhere before it is handed over.
    pub fn is_open(&self, result: Value) -> bool {
        self.open.contains(&result)
    }

    /// The type and presence of a value.
    pub fn typed(&self, value: Value) -> &'g Typed {
        self.region.typed(value)
    }

    /// Where the value is stored, if it is.
    pub fn stored(&self, value: Value) -> Option<&View> {
        self.stored.get(&value)
    }

    /// Says where a value is stored from now on.
    pub fn store(&mut self, value: Value, view: View) {
        self.stored.insert(value, view);
    }

    /// A copy of a value that is 0 where it is absent and past rows' lengths along some sequences.
    pub fn settled(&self, value: Value, sequences: &[AxisId]) -> Option<View> {
        let known = self.settled.borrow();
        let found =
            known.iter().find(|(own, along, _)| *own == value && sequences.iter().all(|axis| along.contains(axis)));
        found.map(|(.., view)| view.clone())
    }

    /// Remembers such a copy.
    pub fn settle(&self, value: Value, sequences: Vec<AxisId>, view: View) {
        self.settled.borrow_mut().push((value, sequences, view));
    }

    /// What a rank has put into order, if the list was kept.
    pub fn order(&self, rank: Value) -> Option<Order> {
        self.orders.borrow().get(&rank).cloned()
    }

    /// Remembers the list that a rank was made by.
    pub fn keep_order(&self, rank: Value, order: Order) {
        self.orders.borrow_mut().insert(rank, order);
    }

    /// A copy of a value in which an axis is the innermost.
    pub fn along(&self, value: Value, axis: AxisId) -> Option<View> {
        let known = self.along.borrow();
        known.iter().find(|(own, along, _)| (*own, *along) == (value, axis)).map(|(.., view)| view.clone())
    }

    /// Remembers such a copy.
    pub fn lay_along(&self, value: Value, axis: AxisId, view: View) {
        self.along.borrow_mut().push((value, axis, view));
    }

    /// Makes steps, if it can be done; if not, copies that were remembered on the way are forgotten: they are not made.
    pub fn attempt<T>(&self, make: impl FnOnce() -> Option<T>) -> Option<T> {
        let (settled, along) = (self.settled.borrow().len(), self.along.borrow().len());
        let made = make();
        if made.is_none() {
            self.settled.borrow_mut().truncate(settled);
            self.along.borrow_mut().truncate(along);
        }
        made
    }

    /// Whether the value is present at every position.
    pub fn is_always(&self, value: Value) -> bool {
        self.always[&value]
    }

    /// Where the lengths of a sequence are; absent for other axes.
    pub fn length(&self, axis: AxisId) -> Option<View> {
        match self.sizes.axes()[axis].extent {
            Extent::Sequence | Extent::Computed { .. } => self.lengths.get(&self.sizes.axes()[axis].class).cloned(),
            _ => None,
        }
    }

    /// Relations that hold wherever the value is present, over its own axes.
    pub fn relations(&self, value: Value) -> Vec<Relation<Value>> {
        let mut relations = self.typed(value).presence.relations.clone();
        let node = self.region.node(value.node);
        match &node.op {
            Op::Map(_) | Op::Stop | Op::Peek | Op::Rank(_) => {
                for &operand in node.operands.iter().filter(|operand| !self.is_always(**operand)) {
                    relations.extend(self.relations(operand));
                }
            }
            Op::Index(places) if !self.is_always(node.operands[0]) => {
                let inner = self.relations(node.operands[0]);
                relations.extend(inner.iter().filter_map(|relation| moved(relation, places)));
            }
            _ => {}
        }
        relations
    }

    fn decide_always(&self, value: Value) -> bool {
        let node = self.region.node(value.node);
        let operands = || node.operands.iter().all(|operand| self.always[operand]);
        self.typed(value).presence.is_always()
            && match &node.op {
                Op::Map(_) | Op::Stop | Op::Peek | Op::Rank(_) => operands(),
                Op::Draw(law, _) => node.operands[weights_of(*law)..].iter().all(|operand| self.always[operand]),
                Op::Else => node.operands.iter().any(|operand| self.always[operand]),
                Op::Reduce(Combine::Sum | Combine::Any | Combine::All, _) => true,
                Op::Reduce(_, axes) => operands() && axes.iter().all(|axis| self.sizes.axes().fixed(*axis).is_some()),
                Op::Index(places) => operands() && self.stays_inside(places),
                _ => true,
            }
    }

    /// Whether places are inside of their axes whatever happens.
    fn stays_inside(&self, places: &[(AxisId, Affine<Value>)]) -> bool {
        let axes = self.sizes.axes();
        places.iter().all(|(axis, place)| match place.as_axis() {
            Some(read) if axes.alike(*axis, read) => true,
            _ => match (self.interval(place), axes.fixed(*axis)) {
                (Some((low, high)), Some(size)) => low >= 0 && high < size,
                _ => false,
            },
        })
    }

    /// The smallest and largest number that a linear form of coordinates can be.
    pub fn interval(&self, place: &Affine<Value>) -> Option<(i64, i64)> {
        let (mut low, mut high) = (place.constant, place.constant);
        for (term, coefficient) in &place.terms {
            let fixed = |axis: &AxisId| self.sizes.axes().fixed(*axis);
            let last = match term {
                Term::Axis(axis) => fixed(axis)? - 1,
                Term::Quotient(axis, by) => (fixed(axis)? - 1) / by,
                Term::Remainder(axis, by) => fixed(axis).map_or(*by, |size| size.min(*by)) - 1,
                Term::Value(_) => return None,
            };
            low += (coefficient * last).min(0);
            high += (coefficient * last).max(0);
        }
        Some((low, high))
    }
}

/// A relation of an operand as one of its `Index`, if every place that it speaks of is linear.
fn moved(relation: &Relation<Value>, places: &[(AxisId, Affine<Value>)]) -> Option<Relation<Value>> {
    let Relation::AtLeastZero(affine) = relation else { return None };
    let mut sum = Affine::number(affine.constant);
    for (term, coefficient) in &affine.terms {
        let of = |axis: &AxisId| places.iter().find(|(indexed, _)| indexed == axis).map(|(_, place)| place);
        let part = match term {
            Term::Axis(axis) => of(axis).cloned().unwrap_or_else(|| Affine::axis(*axis)),
            Term::Quotient(axis, _) | Term::Remainder(axis, _) if of(axis).is_some() => return None,
            Term::Value(_) => return None,
            term => Affine::term(term.clone()),
        };
        sum = sum.plus(&part, *coefficient);
    }
    Some(Relation::AtLeastZero(sum))
}
