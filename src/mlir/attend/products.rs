//! Products of queries with a block of keys: the keys copied across, or where they lie ([`super::upright`]).

use super::forward::Scratch;
use super::scores::Products;
use super::{Attention, BLOCK_KEYS};
use crate::mlir::gemm::micro::{Call, Layout};
use crate::mlir::text::{Kind, Type, Value};

impl Scratch {
    /// The queries, the keys and the width of each product.
    pub(super) fn parts(&self, width: Value) -> Vec<(Value, Value, Value)> {
        [(self.queries, self.keys, width)].into_iter().chain(self.further.iter().copied()).collect()
    }
}

impl Attention<'_> {
    /// Copies a block of keys across, or multiplies it with all rows where it lies.
    pub(super) fn bring_keys(&mut self, scratch: &Scratch, at: (&[Value], Value), (rows, count): (Value, Value)) {
        let Some(form) = &scratch.upright else { return self.pack_all_keys(scratch, at, count) };
        let upright = self.is_upright(rows);
        let open = self.writer.begin_if(upright, &[]);
        self.upright_products((form, scratch), at, (rows, count));
        self.writer.begin_else(&[]);
        self.pack_all_keys(scratch, at, count);
        self.writer.end(open, &[]);
    }

    /// A block of each product's keys, across.
    fn pack_all_keys(&mut self, scratch: &Scratch, (indices, stored): (&[Value], Value), count: Value) {
        let keys = self.form.all_keys().into_iter().zip(scratch.parts(self.width));
        for (matrix, (_, to, width)) in keys {
            let start = self.body.start_of(self.writer, indices, &matrix.batch);
            self.pack_across(matrix, start, stored, count, width, to);
        }
    }

    /// The products of a tile's rows with a block of keys, which are there already where that was multiplied upright.
    pub(super) fn products_of(&mut self, scratch: &Scratch, first: Value, rows: Value, all_rows: Value) -> Products {
        let Some(form) = &scratch.upright else { return self.tile_products(scratch, first, rows) };
        let upright = self.is_upright(all_rows);
        let types = [Kind::Pointer, Kind::I64, Kind::I64].map(Type::scalar);
        let open = self.writer.begin_if(upright, &types);
        let Products { base, row, panel } = self.turned_products(form, first);
        self.writer.begin_else(&[base, row, panel]);
        let Products { base, row, panel } = self.tile_products(scratch, first, rows);
        let found = self.writer.end(open, &[base, row, panel]);
        Products { base: found[0], row: found[1], panel: found[2] }
    }

    fn tile_products(&mut self, scratch: &Scratch, first: Value, rows: Value) -> Products {
        for (place, (queries, keys, width)) in scratch.parts(self.width).into_iter().enumerate() {
            let queries = self.at_product(queries, first, width);
            self.multiply_keys(queries, width, keys, (scratch.products, place == 0), rows);
        }
        self.in_tiles(scratch.products)
    }

    /// Products of a tile's rows with a block of keys that lies across.
    pub(super) fn products(&mut self, a: Value, depth: Value, keys: Value, products: Value, rows: Value) {
        self.multiply_keys(a, depth, keys, (products, true), rows);
    }

    /// The same, added to what is there unless they are the first.
    fn multiply_keys(&mut self, a: Value, depth: Value, keys: Value, (products, first): (Value, bool), rows: Value) {
        let width = self.writer.int(self.target.panel as i64);
        for panel in 0..BLOCK_KEYS / self.target.panel {
            let column = self.writer.int((panel * self.target.panel) as i64);
            let b = self.at_product(keys, column, depth);
            let tile = self.writer.address_at(products, panel * self.target.rows * self.target.panel, Kind::F32);
            let first = self.writer.number(f64::from(u8::from(first)), Type::scalar(Kind::I1));
            self.call(Layout::Rows, rows, Call { a, a_stride: depth, b, b_stride: width, tile, depth, first });
        }
    }
}
