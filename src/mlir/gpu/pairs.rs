//! A row of one side of streamed attention against rows of the other: what its forward pass and both of its gradients do.
//!
//! A warp has one row. Each of its threads takes one partner of a run of 32 and computes the pair's numbers; then all of
//! them add the partners' rows, weighted, to sums of which each thread has every 32nd column.

use super::Frame;
use super::team::Team;
use crate::gpu::WARP;
use crate::kernel::{Amount, Attend, Kernel, Matrix};
use crate::mlir::arithmetic::Order;
use crate::mlir::attend::visible::{Visibility, row_start};
use crate::mlir::text::{Kind, Type, Value, Writer};
use crate::tensor::Scalar;

/// The state while one entry is written.
pub struct Pairs<'a> {
    pub writer: &'a mut Writer,
    pub kernel: &'a Kernel,
    pub form: &'a Attend,
    pub frame: &'a Frame<'a>,
    pub team: Team,
    /// All batch indices.
    pub indices: Vec<Value>,
    pub keys: Value,
    /// The first column of the part that is summed, where rows are summed in parts.
    pub part: Option<Value>,
}

/// Columns that a warp sums at once at most: a thread holds every 32nd in registers.
const WIDEST: i64 = 1024;
/// Columns of a part of wider rows, or of rows whose width is not known while compiling.
const PART: i64 = 256;

/// Writes what a warp does with its query.
pub fn each_query(
    writer: &mut Writer,
    kernel: &Kernel,
    form: &Attend,
    frame: &Frame<'_>,
    each: impl FnOnce(&mut Pairs<'_>, Value),
) {
    let mut extents = form.batch.clone();
    extents.push(form.queries);
    frame.each_turn(writer, &extents, |writer, turn, team| {
        let mut indices = frame.body.unravel(writer, turn, &extents);
        let query = indices.pop().unwrap_or(turn);
        let keys = frame.body.amount(writer, form.keys);
        each(&mut Pairs { writer, kernel, form, frame, team, indices, keys, part: None }, query);
    });
}

/// Sums of weighted rows: a column of every 32, from the thread's own on.
#[derive(Debug, Clone)]
pub struct Columns {
    /// The matrix that is summed.
    pub matrix: Matrix,
    /// How many columns it has.
    pub width: Amount,
    /// How many each thread sums at once.
    pub count: usize,
}

/// The columns of matrices that are summed together.
pub fn columns<const SIDES: usize>(sides: [(&Matrix, Amount); SIDES]) -> [Columns; SIDES] {
    let whole = sides.iter().all(|(_, width)| is_narrow(*width));
    sides.map(|(matrix, width)| {
        let at_once = if let (Amount::Constant(width), true) = (width, whole) { width } else { PART };
        Columns { matrix: matrix.clone(), width, count: usize::try_from(at_once).unwrap_or(0).div_ceil(WARP) }
    })
}

fn is_narrow(width: Amount) -> bool {
    matches!(width, Amount::Constant(width) if width <= WIDEST)
}

impl Pairs<'_> {
    /// Writes what is done for columns of these: once for all, or in a loop over parts of wide rows, in which the pairs'
    /// numbers are computed again.
    pub fn each_part(&mut self, columns: &[Columns], part: impl FnOnce(&mut Self)) {
        if columns.iter().all(|one| is_narrow(one.width)) {
            return part(self);
        }
        let (zero, step) = (self.writer.int(0), self.writer.int(PART));
        let end = columns.iter().fold(zero, |end, one| {
            let width = self.frame.body.amount(self.writer, one.width);
            self.writer.maximum(end, width)
        });
        let (open, first, _) = self.writer.begin_for(zero, end, step, &[]);
        self.part = Some(first);
        part(self);
        self.part = None;
        self.writer.end(open, &[]);
    }

    /// Where a row of a matrix starts.
    pub fn start(&mut self, matrix: &Matrix, row: Value) -> Value {
        row_start(self.writer, &self.frame.body, matrix, &self.indices, row)
    }

    /// Where a key's row is: of the latest keys only a ring is kept.
    pub fn key_row(&mut self, key: Value) -> Value {
        let Some(ring) = self.form.ring else { return key };
        let ring = self.writer.int(ring);
        self.writer.binary("arith.remui", key, ring)
    }

    /// The range of keys that a query sees.
    pub fn sees(&mut self, query: Value) -> (Value, Value) {
        let visibility = Visibility { kernel: self.kernel, form: self.form, body: &self.frame.body, keys: self.keys };
        visibility.sees(self.writer, &self.indices, query)
    }

    /// An element as a 32-bit float.
    pub fn read(&mut self, matrix: &Matrix, start: Value, column: Value) -> Value {
        let value = self.read_plain(matrix, start, column);
        self.writer.convert(value, Kind::F32)
    }

    fn read_plain(&mut self, matrix: &Matrix, start: Value, column: Value) -> Value {
        let at = self.at(matrix, start, column);
        self.frame.read(self.writer, self.kernel, matrix.buffer, at)
    }

    /// Writes an element.
    pub fn write(&mut self, matrix: &Matrix, start: Value, column: Value, value: Value) {
        let at = self.at(matrix, start, column);
        self.frame.write(self.writer, self.kernel, matrix.buffer, at, value);
    }

    fn at(&mut self, matrix: &Matrix, start: Value, column: Value) -> Value {
        let stride = self.frame.body.amount(self.writer, matrix.columns);
        let along = self.writer.multiply(column, stride);
        self.writer.add(start, along)
    }

    /// The inner product of two rows.
    pub fn inner_product(&mut self, left: (&Matrix, Value), right: (&Matrix, Value), width: Amount) -> Value {
        let width = self.frame.body.amount(self.writer, width);
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let none = self.writer.number(0.0, Type::scalar(Kind::F32));
        let (open, column, sums) = self.writer.begin_for(zero, width, one, &[none]);
        let (a, b) = (self.read(left.0, left.1, column), self.read(right.0, right.1, column));
        let sum = self.writer.multiply_add(a, b, sums[0]);
        self.writer.end(open, &[sum])[0]
    }

    /// The product of a query and a key, with the further ones, and the extras.
    pub fn operands(&mut self, query: Value, key: Value) -> Vec<Value> {
        let form = self.form;
        let row = self.key_row(key);
        let (left, right) = (self.start(&form.query, query), self.start(&form.key, row));
        let mut product = self.inner_product((&form.query, left), (&form.key, right), form.width);
        for part in &form.further {
            let (left, right) = (self.start(&part.query, query), self.start(&part.key, row));
            let further = self.inner_product((&part.query, left), (&part.key, right), part.width);
            product = self.writer.add(product, further);
        }
        self.with_extras(product, query, key)
    }

    /// A product of a query and a key, and the extras.
    pub fn with_extras(&mut self, product: Value, query: Value, key: Value) -> Vec<Value> {
        let form = self.form;
        let mut operands = vec![product];
        for extra in &form.extras {
            let start = self.start(extra, query);
            operands.push(self.read_plain(extra, start, key));
        }
        operands
    }

    /// Of the pairs in range, whether the presence holds for this one.
    pub fn holds(&mut self, in_range: Value, operands: &[Value]) -> Value {
        let Some(present) = &self.form.visible.present else { return in_range };
        let holds = self.writer.evaluate(present, operands);
        let holds = self.writer.convert(holds, Kind::I1);
        self.writer.both(in_range, holds)
    }

    /// An expression of a pair as a 32-bit float.
    pub fn number(&mut self, scalar: &Scalar, operands: &[Value]) -> Value {
        let value = self.writer.evaluate(scalar, operands);
        self.writer.convert(value, Kind::F32)
    }

    /// Sums before the first partner.
    pub fn nothing(&mut self, columns: &Columns) -> Vec<Value> {
        let zero = self.writer.number(0.0, Type::scalar(Kind::F32));
        vec![zero; columns.count]
    }

    /// Adds the rows of `count` partners from `first` on, each by the weight that its thread has.
    pub fn add_rows(
        &mut self,
        columns: &Columns,
        sums: &[Value],
        weight: Value,
        (first, count): (Value, Value),
        row_of: impl Fn(&mut Self, Value) -> Value,
    ) -> Vec<Value> {
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        // Past the last column a thread sums what nobody stores.
        let width = self.frame.body.amount(self.writer, columns.width);
        let last = self.writer.subtract(width, one);
        let (open, number, sums) = self.writer.begin_for(zero, count, one, sums);
        let weight = self.writer.from_thread(weight, number);
        let partner = self.writer.add(first, number);
        let row = row_of(self, partner);
        let start = self.start(&columns.matrix, row);
        let mut next = Vec::with_capacity(sums.len());
        for (place, &sum) in sums.iter().enumerate() {
            let column = self.column(place);
            let column = self.writer.minimum(column, last);
            let value = self.read(&columns.matrix, start, column);
            next.push(self.writer.multiply_add(weight, value, sum));
        }
        self.writer.end(open, &next)
    }

    /// Stores a row of sums.
    pub fn store_row(&mut self, matrix: &Matrix, row: Value, width: Amount, sums: &[Value]) {
        let start = self.start(matrix, row);
        let end = self.frame.body.amount(self.writer, width);
        for (place, &sum) in sums.iter().enumerate() {
            let column = self.column(place);
            let inside = self.writer.compare(Order::Less, column, end);
            let open = self.writer.begin_if(inside, &[]);
            self.write(matrix, start, column, sum);
            self.writer.end(open, &[]);
        }
    }

    /// The thread's column of so many.
    fn column(&mut self, place: usize) -> Value {
        let skipped = self.writer.int((place * WARP) as i64);
        let column = self.writer.add(self.team.member, skipped);
        self.part.map_or(column, |first| self.writer.add(first, column))
    }

    /// The partner of this thread in a run, whether there is one, and how many the run has. Where there is none, the last
    /// one stands in.
    pub fn partner(&mut self, first: Value, end: Value) -> (Value, Value, Value) {
        let (one, most) = (self.writer.int(1), self.writer.int(WARP as i64));
        let partner = self.writer.add(first, self.team.member);
        let exists = self.writer.compare(Order::Less, partner, end);
        let last = self.writer.subtract(end, one);
        let partner = self.writer.minimum(partner, last);
        let left = self.writer.subtract(end, first);
        (partner, exists, self.writer.minimum(left, most))
    }
}
