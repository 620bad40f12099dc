//! Products of bf16 on Hopper: the tile of a block, who brings parts of A and B, who multiplies them, and the ring of
//! stages between them.
//!
//! A warpgroup of producers reads A and B where they lie as 32-bit floats, rounds them, and stores them as warpgroups'
//! products want them; what lies there as bf16 it only has copied. Other warpgroups each multiply 64 rows of a stage. Few rows and many take the same instruction in
//! the same order of k: a row's result is bit for bit the same alone and among others.

use super::alignment::Alignment;
use super::arch::{Arch, Gpu, Precision};
use super::fragments::{FRAGMENT_ROWS, by_rows, wide_factors};
use crate::kernel::{Amount, Gemm, Kernel};

/// Threads of a warpgroup.
pub const GROUP: usize = 128;
/// Rows that a warpgroup multiplies.
pub const GROUP_ROWS: usize = 64;
/// How much of the sum a stage has: 128 bytes of bf16, a line of the layout in which 16-byte pieces are exchanged.
pub const GROUP_DEPTH: usize = 64;
/// Bytes of 64 rows, or columns, of a stage.
pub const PANEL_BYTES: usize = GROUP_ROWS * GROUP_DEPTH * 2;

/// A product of warpgroups.
#[derive(Debug, Clone, PartialEq)]
pub struct Warpgroups {
    /// The product.
    pub form: Gemm,
    /// The tile.
    pub tile: GroupTile,
}

/// The part of a product that a block computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GroupTile {
    /// Rows of C.
    pub rows: usize,
    /// Columns of C.
    pub columns: usize,
    /// Stages of the ring.
    pub stages: usize,
    /// Registers of a thread at most.
    pub registers: usize,
}

impl GroupTile {
    /// For few rows: two blocks have room beside each other, with as many bytes on their way as that leaves.
    pub const FEW: GroupTile = GroupTile { rows: FRAGMENT_ROWS, columns: 64, stages: 6, registers: 128 };
    /// For more of them.
    pub const MANY: GroupTile = GroupTile { rows: 128, columns: 128, stages: 4, registers: 168 };
    /// For more of them where there are many columns: each row is read half as often.
    pub const WIDE: GroupTile = GroupTile { rows: 128, columns: 256, stages: 4, registers: 168 };

    /// Warpgroups that multiply.
    pub fn groups(self) -> usize {
        self.rows.div_ceil(GROUP_ROWS)
    }

    /// Threads of the block: one warpgroup more.
    pub fn threads(self) -> usize {
        (self.groups() + 1) * GROUP
    }

    /// Bytes of A in a stage; B follows.
    pub fn left_bytes(self) -> usize {
        self.groups() * PANEL_BYTES
    }

    /// Bytes of a stage.
    pub fn stage_bytes(self) -> usize {
        self.left_bytes() + self.columns / GROUP_ROWS * PANEL_BYTES
    }

    /// Bytes of shared memory: the ring, and two barriers for each of its stages.
    pub fn bytes(self) -> usize {
        self.stages * (self.stage_bytes() + 16)
    }
}

/// So many columns are worth wide tiles where only a launch knows the rows …
const MANY_COLUMNS: i64 = 2048;
/// … and so many tiles where all is known: as many as the machine has processors.
const MANY_TILES: i64 = 132;

/// The tile for more than few rows. With fewer wide tiles than processors some would have nothing to do.
fn many(form: &Gemm) -> GroupTile {
    let GroupTile { rows, columns, .. } = GroupTile::WIDE;
    let tiles = |size: i64, of_tile: usize| (size + of_tile as i64 - 1) / of_tile as i64;
    let is_wide = match (form.m, form.n) {
        (Amount::Constant(m), Amount::Constant(n)) => tiles(m, rows) * tiles(n, columns) >= MANY_TILES,
        (Amount::Size(_), Amount::Constant(n)) => n >= MANY_COLUMNS,
        _ => false,
    };
    if is_wide { GroupTile::WIDE } else { GroupTile::MANY }
}

/// The entries of a product, if it can be had: one for each tile that its rows may ask for.
pub fn warpgroups(kernel: &Kernel, form: &Gemm, gpu: Gpu, alignment: &Alignment) -> Option<Vec<Warpgroups>> {
    let known = gpu.arch == Arch::Sm90a && gpu.precision == Precision::Bf16;
    if !known || wide_factors(kernel, form, alignment) != [true; 2] {
        return None;
    }
    let of_tile = |tile| Warpgroups { form: form.clone(), tile };
    Some(by_rows(form, GroupTile::FEW, many(form)).into_iter().map(of_tile).collect())
}
