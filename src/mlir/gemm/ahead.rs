//! The next panel of B, asked for while one is multiplied.
//!
//! Tiles of a panel read it again and again, but the first tile waits for memory. So each tile asks for a share of the
//! panel that comes next, and a CPU does both at once.

use super::Product;
use super::strip::{Extents, Panel, Part, Strip};
use crate::kernel::Right;
use crate::mlir::arithmetic::Order;
use crate::mlir::memory::{Cache, LINE};
use crate::mlir::text::{Kind, Value, Writer};

/// So many tiles of rows hide the time that a panel takes to come.
const LEAST_TILES: usize = 4;

/// What is asked for during the tiles of a panel.
pub(super) struct Ahead {
    /// Where the next panel starts.
    base: Value,
    /// Elements of it for each row of A; none if there is no next panel or if few rows are multiplied.
    share: Value,
    /// Rows of a tile.
    rows: usize,
}

impl Product<'_> {
    /// The next packed panel of the same part of k.
    pub(super) fn ahead(&mut self, extents: &Extents, strip: &Strip, part: &Part, panel: &Panel) -> Option<Ahead> {
        let Right::Packed { .. } = &self.form.b else { return None };
        let (zero, one) = (self.writer.int(0), self.writer.int(1));
        let width = self.writer.int(self.target.panel as i64);
        let least = self.writer.int((LEAST_TILES * self.target.rows) as i64);
        let whole = self.writer.multiply(extents.k, width);
        let base = self.writer.element_address(panel.address, whole, Kind::F32);
        let elements = self.writer.multiply(part.depth, width);
        let rows = self.writer.maximum(strip.rows.count, one);
        let share = self.writer.ceil_divide(elements, rows);
        let next = self.writer.add(panel.number, one);
        let is_there = self.writer.compare(Order::Less, next, strip.to);
        let share = self.writer.select(is_there, share, zero);
        let few = self.writer.compare(Order::Less, strip.rows.count, least);
        let share = self.writer.select(few, zero, share);
        Some(Ahead { base, share, rows: self.target.rows })
    }
}

impl Ahead {
    /// Asks for the share of the tile that starts with a row.
    pub(super) fn fetch(&self, writer: &mut Writer, row: Value) {
        let (zero, line) = (writer.int(0), writer.int(LINE as i64));
        let before = writer.multiply(row, self.share);
        let start = writer.element_address(self.base, before, Kind::F32);
        let rows = writer.int(self.rows as i64);
        let count = writer.multiply(rows, self.share);
        let (open, at, _) = writer.begin_for(zero, count, line, &[]);
        let address = writer.element_address(start, at, Kind::F32);
        writer.prefetch(address, Cache::Second);
        writer.end(open, &[]);
    }
}
