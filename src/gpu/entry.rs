//! What does a kernel's work on a GPU: one entry, or several that are launched in order.
//!
//! Every grid is a line of blocks: an entry finds its part by dividing the block's number.

use super::alignment::Alignment;
use super::arch::{Gpu, Precision};
use super::fragments::{FRAGMENT_ROWS, Fragments, Tile, fragments};
use super::limits::{self, Unsupported};
use super::streamed::{STREAM_ROWS, STREAM_WARPS, Streamed};
use super::turns::Turns;
use super::warpgroups::{GroupTile, Warpgroups, warpgroups};
use crate::kernel::{Amount, Attend, AttendGradient, Form, Gemm, Kernel, Pack};
use archc_runtime::abi::Size;

/// Rows and columns of a tile of a product.
pub const TILE: usize = 64;
/// How much of the sum of a product is in shared memory at once.
pub const DEPTH: usize = 16;
/// So much of the sum of a product is added up by itself, and then to the rest: the order of every product's sum.
pub const SEGMENT: usize = 128;
/// Columns of a panel of a packed matrix: those of a tile.
pub const PANEL: usize = TILE;
/// A product of so many rows at most reads B once.
pub const FEW: usize = 8;
/// Bytes of a wide access.
pub const WIDE_BYTES: i64 = 16;
/// Elements of a wide access, of 32 bits each.
pub const WIDE: i64 = WIDE_BYTES / 4;
/// Threads of a warp.
pub const WARP: usize = 32;
/// Threads of a block that works on one turn, or on one tile.
pub const BLOCK: usize = 256;

/// One function of a device's code.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// What it does of its kernel's work.
    pub part: Part,
    /// The threads of a block.
    pub threads: Threads,
}

/// How the threads of a block are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threads {
    /// How many there are.
    pub block: usize,
    /// So many work on one turn together: 1, a warp, or all of them.
    pub team: usize,
}

/// The parts.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// The turns of a nest's parallel loops.
    Turns(Turns),
    /// Tiles of a product, through shared memory: where there are more rows than [`FEW`].
    Tiles(Gemm),
    /// Columns of a product of few rows: from the first number to the second.
    Few(Gemm, usize, usize),
    /// Tiles of a product on tensor cores.
    Fragments(Box<Fragments>),
    /// The same by warpgroups.
    Warpgroups(Box<Warpgroups>),
    /// Elements of panels.
    Panels(Pack),
    /// Queries of streamed attention, a warp for each.
    Queries(Box<Attend>),
    /// The same by fragments, however many there are: a query's result does not depend on how many others there are.
    QueryTiles(Box<Attend>, Streamed),
    /// The gradient by queries, a warp for each.
    QueryGradient(Box<AttendGradient>),
    /// The same by fragments.
    QueryGradientTiles(Box<AttendGradient>, Streamed),
    /// The gradients by keys and values, a warp for each key.
    KeyGradient(Box<AttendGradient>),
    /// The same by fragments.
    KeyGradientTiles(Box<AttendGradient>, Streamed),
}

/// A warp for each turn.
const BY_WARP: Threads = Threads { block: 128, team: WARP };
/// A thread for each turn.
const BY_THREAD: Threads = Threads { block: 128, team: 1 };
/// A block for each tile of rows of streamed attention.
const BY_STREAM: Threads = Threads { block: STREAM_WARPS * WARP, team: STREAM_WARPS * WARP };
/// A block for each turn.
const BY_BLOCK: Threads = Threads { block: BLOCK, team: BLOCK };

/// The entries of a kernel, in the order in which they are launched.
///
/// # Errors
/// If no entry can do what the kernel does.
pub fn entries(kernel: &Kernel, alignment: &Alignment, gpu: Gpu) -> Result<Vec<Entry>, Unsupported> {
    limits::check(kernel)?;
    let precision = gpu.precision;
    Ok(match &kernel.form {
        Form::Nest(nest) => {
            let turns = Turns::of(nest);
            let threads = match turns.team {
                1 => BY_THREAD,
                WARP => BY_WARP,
                _ => BY_BLOCK,
            };
            vec![Entry { part: Part::Turns(turns), threads }]
        }
        Form::Gemm(form) if precision == Precision::F32 => products(form),
        Form::Gemm(form) => on_tensor_cores(kernel, form, gpu, alignment),
        Form::Pack(form) => vec![Entry { part: Part::Panels(form.clone()), threads: BY_THREAD }],
        Form::Attend(form) => vec![match Streamed::forward(kernel, form, precision, alignment) {
            Some(tiles) => Entry { part: Part::QueryTiles(form.clone(), tiles), threads: BY_STREAM },
            None => Entry { part: Part::Queries(form.clone()), threads: BY_WARP },
        }],
        Form::AttendGradient(form) => vec![
            match Streamed::by_queries(kernel, form, precision, alignment) {
                Some(tiles) => Entry { part: Part::QueryGradientTiles(form.clone(), tiles), threads: BY_STREAM },
                None => Entry { part: Part::QueryGradient(form.clone()), threads: BY_WARP },
            },
            match Streamed::by_keys(kernel, form, precision, alignment) {
                Some(tiles) => Entry { part: Part::KeyGradientTiles(form.clone(), tiles), threads: BY_STREAM },
                None => Entry { part: Part::KeyGradient(form.clone()), threads: BY_WARP },
            },
        ],
    })
}

/// The entries of a product, of which each launch takes the one that its rows ask for.
fn products(form: &Gemm) -> Vec<Entry> {
    let parts = [Part::Few(form.clone(), 1, 1), Part::Few(form.clone(), 2, FEW), Part::Tiles(form.clone())];
    let fits = |part: &Part| match (form.m, part) {
        (Amount::Constant(rows), Part::Few(_, from, to)) => (*from as i64..=*to as i64).contains(&rows),
        (Amount::Constant(rows), _) => rows > FEW as i64,
        (Amount::Size(_), _) => true,
    };
    parts.into_iter().filter(fits).map(|part| Entry { part, threads: BY_BLOCK }).collect()
}

/// The same on tensor cores.
fn on_tensor_cores(kernel: &Kernel, form: &Gemm, gpu: Gpu, alignment: &Alignment) -> Vec<Entry> {
    let entry = |threads: usize, part| Entry { threads: Threads { block: threads, team: threads }, part };
    if let Some(all) = warpgroups(kernel, form, gpu, alignment) {
        let of_tile = |one: Warpgroups| entry(one.tile.threads(), Part::Warpgroups(Box::new(one)));
        return all.into_iter().map(of_tile).collect();
    }
    let all = fragments(kernel, form, gpu.precision, alignment).into_iter();
    all.map(|one| entry(one.tile.threads(), Part::Fragments(Box::new(one)))).collect()
}

impl Entry {
    /// A word for its symbol.
    pub fn word(&self) -> &'static str {
        match self.part {
            Part::Turns(_) => "turns",
            Part::Tiles(_) => "tiles",
            Part::Few(_, 1, 1) => "row",
            Part::Few(..) => "rows",
            Part::Fragments(ref product) if product.tile == Tile::FEW => "few_fragments",
            Part::Fragments(_) => "fragments",
            Part::Warpgroups(ref product) if product.tile == GroupTile::FEW => "few_warpgroups",
            Part::Warpgroups(_) => "warpgroups",
            Part::Panels(_) => "panels",
            Part::Queries(_) => "queries",
            Part::QueryTiles(..) => "query_tiles",
            Part::QueryGradient(_) => "query_gradient",
            Part::QueryGradientTiles(..) => "query_gradient_tiles",
            Part::KeyGradient(_) => "key_gradient",
            Part::KeyGradientTiles(..) => "key_gradient_tiles",
        }
    }

    /// Registers that a thread may have. Where nothing is said the assembler aims at more threads: tiles keep their
    /// registers then, and others spill for them.
    pub fn registers(&self) -> Option<usize> {
        match &self.part {
            Part::Tiles(_) => None,
            Part::Warpgroups(product) => Some(product.tile.registers),
            _ => Some(255),
        }
    }

    /// Bytes of shared memory that a launch gives, beside what the code declares.
    pub fn shared(&self) -> usize {
        match &self.part {
            Part::Warpgroups(product) => product.tile.bytes(),
            _ => 0,
        }
    }

    /// How many blocks a launch with these sizes has.
    pub fn blocks(&self, sizes: &[Size]) -> Size {
        ceil_divide(self.turns(sizes), self.turns_of_block())
    }

    /// How many turns a block does.
    pub fn turns_of_block(&self) -> usize {
        self.threads.block / self.threads.team
    }

    /// What is counted by blocks: turns of loops, tiles, elements, rows.
    fn turns(&self, sizes: &[Size]) -> Size {
        let size = |amount: Amount| match amount {
            Amount::Constant(value) => Size::Constant(value),
            Amount::Size(place) => sizes[place].clone(),
        };
        let all = |amounts: &mut dyn Iterator<Item = Amount>| {
            amounts.fold(Size::Constant(1), |product, amount| product.times(at_least_none(size(amount))))
        };
        let streamed = |batch: &[Amount], rows: Amount, tiles: &Streamed| {
            let parts = Size::Constant(tiles.parts as i64);
            all(&mut batch.iter().copied()).times(ceil_divide(size(rows), STREAM_ROWS)).times(parts)
        };
        // Tiles of few rows are for products of so many, others for the rest.
        let tiled = |form: &Gemm, rows: usize, columns: usize| {
            let tiles = ceil_divide(size(form.m), rows).times(ceil_divide(size(form.n), columns));
            let few = FRAGMENT_ROWS as i64;
            let (from, to) = if rows == FRAGMENT_ROWS { (1, Some(few)) } else { (few + 1, None) };
            all(&mut form.batch.iter().copied()).times(tiles).times(within(size(form.m), from, to))
        };
        match &self.part {
            Part::Turns(turns) => all(&mut turns.nest.parallel.iter().map(|parallel| parallel.extent)),
            Part::Tiles(form) => {
                let tiles = |amount| ceil_divide(size(amount), TILE);
                let blocks = all(&mut form.batch.iter().copied()).times(tiles(form.m)).times(tiles(form.n));
                blocks.times(within(size(form.m), FEW as i64 + 1, None))
            }
            Part::Few(form, from, to) => {
                let tiles = ceil_divide(size(form.n), TILE);
                let blocks = all(&mut form.batch.iter().copied()).times(tiles);
                blocks.times(within(size(form.m), *from as i64, Some(*to as i64)))
            }
            Part::Fragments(product) => {
                let Tile { rows, columns, .. } = product.tile;
                tiled(&product.form, rows, columns)
            }
            Part::Warpgroups(product) => {
                let GroupTile { rows, columns, .. } = product.tile;
                tiled(&product.form, rows, columns)
            }
            Part::Panels(form) => {
                let columns = ceil_divide(size(form.n), PANEL).times(Size::Constant(PANEL as i64));
                all(&mut form.batch.iter().copied()).times(columns).times(size(form.k))
            }
            Part::Queries(form) => all(&mut form.batch.iter().copied()).times(size(form.queries)),
            Part::QueryTiles(form, tiles) => streamed(&form.batch, form.queries, tiles),
            Part::QueryGradient(form) => all(&mut form.forward.batch.iter().copied()).times(size(form.forward.queries)),
            Part::QueryGradientTiles(form, tiles) => streamed(&form.forward.batch, form.forward.queries, tiles),
            Part::KeyGradient(form) => {
                let own = form.forward.batch_extents(false);
                all(&mut own.into_iter()).times(size(form.forward.keys))
            }
            Part::KeyGradientTiles(form, tiles) => {
                streamed(&form.forward.batch_extents(false), form.forward.keys, tiles)
            }
        }
    }
}

/// 1 if a size is at least `from` and at most `to`, else 0.
fn within(size: Size, from: i64, to: Option<i64>) -> Size {
    let some = |size: Size| match size.constant() {
        Some(value) => Size::Constant(value.clamp(0, 1)),
        None => {
            Size::Min(Box::new(Size::Constant(1)), Box::new(Size::Max(Box::new(Size::Constant(0)), Box::new(size))))
        }
    };
    let above = some(size.clone().plus(Size::Constant(1 - from)));
    let Some(to) = to else { return above };
    let below = some(Size::Constant(to + 1).plus(Size::Constant(-1).times(size)));
    above.times(below)
}

/// Extents may be given as less than nothing where a loop has no turn.
fn at_least_none(size: Size) -> Size {
    match size {
        Size::Constant(value) => Size::Constant(value.max(0)),
        Size::Symbol(_) => size,
        _ => Size::Max(Box::new(size), Box::new(Size::Constant(0))),
    }
}

fn ceil_divide(over: Size, under: usize) -> Size {
    match over {
        Size::Constant(over) => Size::Constant((over + under as i64 - 1).div_euclid(under as i64)),
        over if under == 1 => over,
        over => Size::CeilDivide(Box::new(over), Box::new(Size::Constant(under as i64))),
    }
}
