//! Products of few queries with a block of keys that is read where it lies.
//!
//! Usually a block of keys is copied across, so that keys are the panel of the micro-kernels. Where rows are at most half
//! of what elements a key has (the heads of one new position that share latents) the copy costs a good part of the
//! products. There the queries are the panel, turned once for all keys, keys are the rows, and products are turned instead.
//! Each sum has the same factors in the same order as in the other form, so scores are the same to the bit.

use super::forward::Scratch;
use super::scores::Products;
use super::{Attention, BLOCK_KEYS, BLOCK_ROWS};
use crate::mlir::arithmetic::Order;
use crate::mlir::gemm::micro::{Call, Layout};
use crate::mlir::gemm::{Source, copy_turned};
use crate::mlir::text::{Kind, Type, Value};

/// Scratch memory of the form.
#[derive(Debug, Clone)]
pub(super) struct Upright {
    /// The queries of each product in panels, `[panels][width][panel]`; the first product's first.
    queries: Vec<Value>,
    /// Products of a block of keys, `[panels][BLOCK_KEYS][panel]`.
    products: Value,
    /// The same turned: `[BLOCK_KEYS / panel][room for rows][panel]`.
    turned: Value,
}

impl Attention<'_> {
    /// Room for the form, if keys are such that it can be used.
    pub(super) fn upright(&mut self) -> Option<Upright> {
        let form = self.form;
        let possible = !form.listed && form.all_keys().into_iter().all(|key| self.is_plain(key));
        if !possible {
            return None;
        }
        let mut widths = vec![self.width];
        for part in &form.further {
            widths.push(self.body.amount(self.writer, part.width));
        }
        let (rows, keys) = (self.writer.int(self.upright_room() as i64), self.writer.int(BLOCK_KEYS as i64));
        let queries = widths.into_iter().map(|width| self.room(&[rows, width])).collect();
        Some(Upright { queries, products: self.room(&[rows, keys]), turned: self.room(&[rows, keys]) })
    }

    /// Room for rows: whole panels.
    fn upright_room(&self) -> usize {
        BLOCK_ROWS.next_multiple_of(self.target.panel)
    }

    /// Whether so many rows are at most half of a key's elements, and fill three quarters of their panels.
    pub(super) fn is_upright(&mut self, rows: Value) -> Value {
        let two = self.writer.int(2);
        let twice = self.writer.multiply(rows, two);
        let few = self.writer.compare(Order::LessEqual, twice, self.width);
        let panels = self.panels(rows);
        let least = self.writer.int(3 * self.target.panel as i64);
        let least = self.writer.multiply(panels, least);
        let four = self.writer.int(4);
        let quarters = self.writer.multiply(rows, four);
        let full = self.writer.compare(Order::LessEqual, least, quarters);
        self.writer.both(few, full)
    }

    /// Turns the rows' queries, once for all keys.
    pub(super) fn turn_queries(&mut self, scratch: &Scratch, rows: Value) {
        let Some(form) = &scratch.upright else { return };
        let holds = self.is_upright(rows);
        let open = self.writer.begin_if(holds, &[]);
        for ((queries, _, width), &to) in scratch.parts(self.width).into_iter().zip(&form.queries) {
            self.each_panel(rows, |attention, first| {
                let [from, to] = [queries, to].map(|base| attention.at_product(base, first, width));
                let source = attention.gathered_rows(from, width);
                attention.turn(&source, to, width);
            });
        }
        self.writer.end(open, &[]);
    }

    /// A loop over panels of rows, by their first.
    fn each_panel(&mut self, rows: Value, turn: impl Fn(&mut Self, Value)) {
        let (zero, panel) = (self.writer.int(0), self.writer.int(self.target.panel as i64));
        let (open, first, _) = self.writer.begin_for(zero, rows, panel, &[]);
        turn(self, first);
        self.writer.end(open, &[]);
    }

    /// The rows of a source as the columns of a panel.
    fn turn(&mut self, source: &Source, to: Value, depth: Value) {
        copy_turned(self.writer, self.target.panel, &source.across(), to, depth);
    }

    /// All rows times the keys of a block, which starts at a row of the matrices.
    pub(super) fn upright_products(
        &mut self,
        (form, scratch): (&Upright, &Scratch),
        (indices, stored): (&[Value], Value),
        (rows, count): (Value, Value),
    ) {
        let mut keys = Vec::new();
        for matrix in self.form.all_keys() {
            let start = self.body.start_of(self.writer, indices, &matrix.batch);
            keys.push((self.row_of_keys(matrix, start, stored), self.body.amount(self.writer, matrix.rows)));
        }
        let (zero, height) = (self.writer.int(0), self.writer.int(self.target.rows as i64));
        let panel = self.writer.int(self.target.panel as i64);
        let (open, first, _) = self.writer.begin_for(zero, count, height, &[]);
        let left = self.writer.subtract(count, first);
        let tile_keys = self.writer.minimum(left, height);
        let parts = scratch.parts(self.width);
        self.each_panel(rows, |attention, row| {
            let block = attention.writer.int(BLOCK_KEYS as i64);
            let base = attention.at_product(form.products, row, block);
            let tile = attention.at_product(base, first, panel);
            for (place, (&(keys, a_stride), &queries)) in keys.iter().zip(&form.queries).enumerate() {
                let depth = parts[place].2;
                let a = attention.at_product(keys, first, a_stride);
                let b = attention.at_product(queries, row, depth);
                let first = attention.writer.number(f64::from(u8::from(place == 0)), Type::scalar(Kind::I1));
                let call = Call { a, a_stride, b, b_stride: panel, tile, depth, first };
                attention.call(Layout::Rows, tile_keys, call);
            }
        });
        self.writer.end(open, &[]);
        self.turn_products(form, rows);
    }

    fn turn_products(&mut self, form: &Upright, rows: Value) {
        let panel = self.target.panel;
        let room = self.upright_room();
        self.each_panel(rows, |attention, row| {
            let (zero, block) = (attention.writer.int(0), attention.writer.int(BLOCK_KEYS as i64));
            let step = attention.writer.int(panel as i64);
            let from = attention.at_product(form.products, row, block);
            let to = attention.at_product(form.turned, row, step);
            let (open, key, _) = attention.writer.begin_for(zero, block, step, &[]);
            let from = attention.at_product(from, key, step);
            let room = attention.writer.int(room as i64);
            let to = attention.at_product(to, key, room);
            let source = attention.gathered_rows(from, step);
            attention.turn(&source, to, step);
            attention.writer.end(open, &[]);
        });
    }

    /// Where the products of the rows from a number on are.
    pub(super) fn turned_products(&mut self, form: &Upright, first: Value) -> Products {
        let row = self.writer.int(self.target.panel as i64);
        let base = self.at_product(form.turned, first, row);
        Products { base, row, panel: self.writer.int((self.upright_room() * self.target.panel) as i64) }
    }
}
