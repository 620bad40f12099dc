//! Keys that are listed before they are read: of many in range a query sees a few, and time goes with these.
//!
//! The range is walked in vectors; the places of what is present are appended to a list, and as soon as a block is full
//! its keys and values are gathered and attended to as if they stood side by side. All rows of a turn belong to one
//! query and share keys, so one list serves them. Sums are taken in the order of keys, as everywhere.

use super::forward::Scratch;
use super::rows::Slot;
use super::{Attention, BLOCK_KEYS};
use crate::kernel::Matrix;
use crate::mlir::arithmetic::Order;
use crate::mlir::memory::Lanes;
use crate::mlir::text::{Kind, Type, Value};

/// Scratch memory of a list.
pub(super) struct List {
    /// Places of keys: a block, and a vector more than that.
    places: Value,
    /// Gathered rows of a matrix, `[BLOCK_KEYS][width]`.
    rows: Value,
}

impl Attention<'_> {
    /// All rows against the keys between `low` and `high` that are present.
    pub(super) fn forward_listed(
        &mut self,
        scratch: &Scratch,
        list: &List,
        outer: &[Value],
        rows: Value,
        (low, high): (Value, Value),
    ) {
        let (zero, lanes) = (self.writer.int(0), self.writer.int(self.lanes() as i64));
        // One turn more than there are vectors: what is left then is a block as well.
        let end = self.writer.add(high, lanes);
        let some = self.writer.compare(Order::Less, low, high);
        let end = self.writer.select(some, end, low);
        let (open, key, count) = self.writer.begin_for(low, end, lanes, &[zero]);
        let count = self.append(list, key, high, count[0]);
        let size = self.writer.int(BLOCK_KEYS as i64);
        let full = self.writer.compare(Order::LessEqual, size, count);
        let past = self.writer.compare(Order::LessEqual, high, key);
        let some = self.writer.compare(Order::Less, zero, count);
        let last = self.writer.both(past, some);
        let now = self.writer.either(full, last);
        let inner = self.writer.begin_if(now, &[count.ty]);
        let taken = self.writer.minimum(count, size);
        self.listed_block(scratch, list, outer, rows, taken);
        self.keep_rest(list);
        let rest = self.writer.subtract(count, taken);
        self.writer.begin_else(&[rest]);
        let count = self.writer.end(inner, &[count]);
        self.writer.end(open, &[count[0]]);
    }

    /// Room for a list: once for all turns.
    pub(super) fn list(&mut self) -> List {
        let form = self.form;
        let places = self.writer.int((BLOCK_KEYS + self.lanes()) as i64);
        let places = self.body.room(self.writer, places, Kind::I64);
        let mut widest = self.writer.maximum(self.width, self.value_width);
        for part in &form.further {
            let width = self.body.amount(self.writer, part.width);
            widest = self.writer.maximum(widest, width);
        }
        let keys = self.writer.int(BLOCK_KEYS as i64);
        List { places, rows: self.room(&[keys, widest]) }
    }

    /// Appends the places of a vector of keys that are present; returns how many the list has then.
    fn append(&mut self, list: &List, key: Value, high: Value, count: Value) -> Value {
        let numbers = self.writer.lane_numbers(Kind::I64, self.lanes());
        let keys = self.writer.add(numbers, key);
        let inside = self.writer.compare(Order::Less, keys, high);
        let row = self.writer.int(0);
        let present = self.present_at(row, key, inside);
        let any = self.writer.fold_lanes(present, |writer, left, right| writer.either(left, right));
        let open = self.writer.begin_if(any, &[count.ty]);
        let mut next = count;
        for lane in 0..self.lanes() {
            let address = self.writer.element_address(list.places, next, Kind::I64);
            let place = self.writer.int(lane as i64);
            let place = self.writer.add(key, place);
            self.writer.store(address, place);
            let present = self.writer.lane(present, lane);
            let one = self.writer.convert(present, Kind::I64);
            next = self.writer.add(next, one);
        }
        self.writer.begin_else(&[next]);
        self.writer.end(open, &[count])[0]
    }

    /// Which of a vector of keys are present, of those inside.
    fn present_at(&mut self, row: Value, key: Value, inside: Value) -> Value {
        let form = self.form;
        let lanes = Lanes { count: self.lanes(), mask: Some(inside) };
        let mut operands = vec![self.writer.number(0.0, Type::scalar(Kind::F32))];
        for (place, extra) in form.extras.iter().enumerate() {
            operands.push(self.extra(extra, place, row, key, lanes));
        }
        let Some(present) = &form.visible.present else { return inside };
        let holds = self.writer.evaluate(present, &operands);
        let holds = self.writer.convert(holds, Kind::I1);
        let holds = self.writer.repeat(holds, self.lanes());
        self.writer.both(inside, holds)
    }

    /// All rows against the first keys of the list.
    fn listed_block(&mut self, scratch: &Scratch, list: &List, outer: &[Value], rows: Value, count: Value) {
        let form = self.form;
        for (part, &(_, keys, width)) in form.further.iter().zip(&scratch.further) {
            self.gather(list, &part.key, outer, width, count);
            let source = self.gathered_rows(list.rows, width);
            self.across_from(&source, count, width, keys);
        }
        self.gather(list, &form.key, outer, self.width, count);
        let source = self.gathered_rows(list.rows, self.width);
        self.across_from(&source, count, self.width, scratch.keys);
        if form.value != form.key {
            self.gather(list, &form.value, outer, self.value_width, count);
        }
        self.panels_of_rows(list.rows, count, self.value_width, BLOCK_KEYS, scratch.values);
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let (open, row, _) = self.writer.begin_for(zero, rows, one, &[]);
        self.set_mark(Slot::Low, row, zero);
        self.set_mark(Slot::High, row, count);
        self.writer.end(open, &[]);
        let values = self.packed_values(scratch);
        self.forward_tiles(scratch, &values, rows, (zero, count));
    }

    /// Copies the listed rows of a matrix side by side.
    fn gather(&mut self, list: &List, matrix: &Matrix, outer: &[Value], width: Value, count: Value) {
        let indices = self.outer_indices(outer);
        let start = self.body.start_of(self.writer, &indices, &matrix.batch);
        let stride = self.body.amount(self.writer, matrix.rows);
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let (open, number, _) = self.writer.begin_for(zero, count, one, &[]);
        let address = self.writer.element_address(list.places, number, Kind::I64);
        let key = self.writer.load(address, Type::scalar(Kind::I64));
        let down = self.writer.multiply(key, stride);
        let start = self.writer.add(start, down);
        self.copy_row(matrix, start, width, list.rows, number);
        self.writer.end(open, &[]);
    }

    /// What a block has not taken goes to the front.
    fn keep_rest(&mut self, list: &List) {
        let rest = self.writer.address_at(list.places, BLOCK_KEYS, Kind::I64);
        let values = self.writer.load(rest, Type::vector(Kind::I64, self.lanes()));
        self.writer.store(list.places, values);
    }
}
