//! Copies that happen later, and the mbarriers that tell when: what a thread can ask for, and what is on
//! its way (PTX ISA, "Asynchronous Data Movement", "mbarrier").

use std::collections::VecDeque;

use crate::arithmetic::{Adjust, Binary};
use crate::instruction::{Place, Source};
use crate::syntax::Register;
use crate::tensor_map::TensorMap;

#[derive(Debug)]
pub(crate) enum Transfer {
    /// `cp.async`: bytes beyond `given` are zero; nothing is read where `ignored`.
    Copy {
        to: Place,
        from: Place,
        bytes: usize,
        given: Option<Source>,
        ignored: Option<(Source, bool)>,
    },
    CommitCopies,
    /// `cp.async.wait_group`; of all, also what is not committed.
    WaitCopies {
        left: usize,
        all: bool,
    },
    /// `cp.async.mbarrier.arrive`
    ArriveAfterCopies {
        at: Place,
        counts: bool,
    },
    Initialise {
        at: Place,
        count: Source,
    },
    Invalidate {
        at: Place,
    },
    Arrive {
        at: Place,
        to: Register,
        count: Option<Source>,
        bytes: Option<Source>,
        drops: bool,
    },
    /// `mbarrier.expect_tx`, or with a sign `mbarrier.complete_tx`
    Expect {
        at: Place,
        bytes: Source,
        sign: i64,
    },
    Wait {
        at: Place,
        to: Register,
        phase: Source,
        is_parity: bool,
        blocks: bool,
    },
    BulkLoad {
        to: Place,
        from: Place,
        bytes: Source,
        barrier: Place,
    },
    BulkStore {
        to: Place,
        from: Place,
        bytes: Source,
        reduce: Option<(Binary, Adjust)>,
    },
    TensorLoad {
        to: Place,
        map: Place,
        at: Box<[Source]>,
        barrier: Place,
    },
    TensorStore {
        map: Place,
        at: Box<[Source]>,
        from: Place,
    },
    CommitBulk,
    /// `cp.async.bulk.wait_group`; with `.read` only the reading is waited for.
    WaitBulk {
        left: usize,
        only_read: bool,
    },
}

/// A `cp.async` on its way.
#[derive(Clone, Debug)]
pub(crate) struct Copy {
    pub to: u64,
    pub from: u64,
    /// Bytes to read; the rest up to `bytes` is zero.
    pub given: usize,
    pub bytes: usize,
}

/// 16 bytes or fewer between a place in shared memory and one in global memory.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Piece {
    pub shared: u64,
    /// The address of the first byte inside the tensor.
    pub global: u64,
    /// Bytes before it that lie outside, and bytes inside.
    pub skipped: usize,
    pub inside: usize,
    pub bytes: usize,
}

/// A bulk store on its way: its bytes as they were at its issue.
#[derive(Clone, Debug)]
pub(crate) struct BulkStore {
    pub line: usize,
    pub pieces: Vec<(Piece, Vec<u8>)>,
    pub reduce: Option<(Binary, Adjust)>,
}

/// What a thread has on its way.
#[derive(Debug, Default)]
pub(crate) struct ThreadTransfers {
    pub copies: Vec<Copy>,
    pub copy_groups: VecDeque<Vec<Copy>>,
    pub stores: Vec<BulkStore>,
    pub store_groups: VecDeque<Vec<BulkStore>>,
    /// Stores that have read their bytes and not yet written them.
    pub read_stores: Vec<BulkStore>,
}

/// What arrives by itself: no thread has to wait for it.
#[derive(Debug)]
pub(crate) enum Job {
    /// A bulk load, and the mbarrier that its bytes count for.
    Load { pieces: Vec<Piece>, barrier: u64, bytes: i64 },
    /// Copies of a thread, and an arrival after them.
    Arrive { copies: Vec<Copy>, barrier: u64 },
}

#[derive(Debug)]
pub(crate) struct Queued {
    pub line: usize,
    pub thread: u32,
    pub job: Job,
}

/// The engine of a block.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    pub jobs: Vec<Queued>,
    /// Copies made so far: the engine's clock.
    pub time: u32,
    /// Stores of threads that have ended.
    pub stores: Vec<BulkStore>,
}

/// The pieces of consecutive bytes.
pub(crate) fn linear_pieces(shared: u64, global: u64, bytes: u64) -> Vec<Piece> {
    let piece = |at: u64| {
        let bytes = (bytes - at).min(16) as usize;
        Piece { shared: shared + at, global: global + at, skipped: 0, inside: bytes, bytes }
    };
    (0..bytes).step_by(16).map(piece).collect()
}

/// The pieces of a tile at these coordinates; what lies outside of the tensor is skipped.
pub(crate) fn tile_pieces(map: &TensorMap, at: &[i64], shared: u64) -> Vec<Piece> {
    let element = i64::from(map.element);
    let rows = map.tile[1..].iter().map(|count| u64::from(*count)).product::<u64>();
    let mut pieces = Vec::new();
    for row in 0..rows {
        let (base, is_inside) = row_start(map, at, row);
        let length = map.row() as i64;
        for start in (0..length).step_by(16) {
            let first = at[0] * element + start;
            let last = (map.sizes[0] as i64 * element).min(first + 16);
            let skipped = (-first).clamp(0, 16);
            let inside = if is_inside { (last - first - skipped).max(0) } else { 0 };
            pieces.push(Piece {
                shared: map.swizzle.apply(shared + row * map.row() + start as u64),
                global: base.wrapping_add_signed(first + skipped),
                skipped: skipped as usize,
                inside: inside as usize,
                bytes: 16,
            });
        }
    }
    pieces
}

/// The address of the first element of the tensor in a row of the tile, and whether the row is inside.
fn row_start(map: &TensorMap, at: &[i64], mut row: u64) -> (u64, bool) {
    let (mut base, mut is_inside) = (map.base, true);
    let outer = at[1..].iter().zip(&map.tile[1..]).zip(map.sizes[1..].iter().zip(&map.strides));
    for ((start, count), (size, stride)) in outer {
        let place = start + (row % u64::from(*count)) as i64;
        row /= u64::from(*count);
        is_inside &= (0..*size as i64).contains(&place);
        base = base.wrapping_add_signed(place.wrapping_mul(*stride as i64));
    }
    (base, is_inside)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor_map::Swizzle;

    #[test]
    fn a_tile_beyond_the_edges_has_only_the_pieces_inside() {
        let map = TensorMap::matrix(4096, 4, 10, 6, [2, 8], Swizzle::None);
        let pieces = tile_pieces(&map, &[-2, 9], 2048);
        let seen: Vec<_> = pieces.iter().map(|piece| (piece.shared, piece.skipped, piece.inside)).collect();
        assert_eq!(seen, [(2048, 8, 8), (2064, 0, 16), (2080, 8, 0), (2096, 0, 0)]);
        assert_eq!(pieces[0].global, 4096 + 9 * 24);
        assert_eq!(pieces[1].global, 4096 + 9 * 24 + 8);
    }

    #[test]
    fn rows_of_a_swizzled_tile_lie_where_the_mode_says() {
        let map = TensorMap::matrix(4096, 2, 64, 64, [8, 64], Swizzle::Bytes128);
        let pieces = tile_pieces(&map, &[0, 0], 1024);
        assert_eq!(pieces.len(), 64);
        assert_eq!(pieces[8].shared, 1024 + 128 + 16);
        assert_eq!(pieces[8].global, 4096 + 128);
    }
}
