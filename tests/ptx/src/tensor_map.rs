//! Descriptors of tensors for TMA: what the driver's `cuTensorMapEncodeTiled` makes of the same arguments.
//!
//! The driver's 128 bytes are not published, so these are our own: a mark, then the arguments in order.
//! A kernel only passes them on.

use crate::fault::{Outcome, Rule, broken};

/// How the 16-byte pieces of a tile are exchanged in shared memory (CUDA driver API, `CUtensorMapSwizzle`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Swizzle {
    /// As they come.
    None,
    /// Within 32 bytes.
    Bytes32,
    /// Within 64 bytes.
    Bytes64,
    /// Within 128 bytes.
    Bytes128,
}

impl Swizzle {
    /// Bytes of a row within which pieces are exchanged; nothing without exchange.
    pub(crate) fn span(self) -> Option<u64> {
        match self {
            Swizzle::None => None,
            Swizzle::Bytes32 => Some(32),
            Swizzle::Bytes64 => Some(64),
            Swizzle::Bytes128 => Some(128),
        }
    }

    /// Where a byte of shared memory really lies: bits 4 to 6 of the address change by bits 7 to 9
    /// (PTX ISA, "Swizzling modes").
    pub(crate) fn apply(self, address: u64) -> u64 {
        let mask = self.span().map_or(0, |span| span - 16);
        address ^ ((address >> 3) & mask)
    }
}

/// The arguments of one tensor: sizes and box from the innermost dimension outwards.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorMap {
    /// Device address of the first element.
    pub base: u64,
    /// Bytes of an element: 1, 2, 4 or 8.
    pub element: u32,
    /// Elements of each dimension, one to five of them.
    pub sizes: Vec<u64>,
    /// Bytes between neighbours of each dimension but the innermost.
    pub strides: Vec<u64>,
    /// Elements of a tile in each dimension.
    pub tile: Vec<u32>,
    /// The order of a tile's pieces in shared memory.
    pub swizzle: Swizzle,
}

const MARK: u32 = 0x7a5c_17e5;

impl TensorMap {
    /// A matrix of rows that follow each other without gaps.
    pub fn matrix(base: u64, element: u32, rows: u64, columns: u64, tile: [u32; 2], swizzle: Swizzle) -> TensorMap {
        TensorMap {
            base,
            element,
            sizes: vec![columns, rows],
            strides: vec![columns * u64::from(element)],
            tile: vec![tile[1], tile[0]],
            swizzle,
        }
    }

    /// The 128 bytes that a kernel takes as its parameter.
    pub fn bytes(&self) -> [u8; 128] {
        let mut words = vec![MARK, self.element | (self.swizzle as u32) << 8 | (self.sizes.len() as u32) << 16];
        let mut wide = |value: u64| words.extend([value as u32, (value >> 32) as u32]);
        wide(self.base);
        self.sizes.iter().chain(&self.strides).for_each(|value| wide(*value));
        words.extend(&self.tile);
        let mut bytes = [0; 128];
        for (place, word) in bytes.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_le_bytes());
        }
        bytes
    }

    /// Reads a descriptor back, and checks what the driver would have checked.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Outcome<TensorMap> {
        let word = |at: usize| u32::from_le_bytes(bytes[4 * at..4 * at + 4].try_into().unwrap_or_default());
        let wide = |at: usize| u64::from(word(at)) | u64::from(word(at + 1)) << 32;
        let rank = (word(1) >> 16) as usize;
        if word(0) != MARK || !(1..=5).contains(&rank) {
            return broken(Rule::Illegal, "the address points to no tensor map");
        }
        let modes = [Swizzle::None, Swizzle::Bytes32, Swizzle::Bytes64, Swizzle::Bytes128];
        let strides_at = 4 + 2 * rank;
        let tile_at = strides_at + 2 * (rank - 1);
        let map = TensorMap {
            base: wide(2),
            element: word(1) & 255,
            sizes: (0..rank).map(|at| wide(4 + 2 * at)).collect(),
            strides: (0..rank - 1).map(|at| wide(strides_at + 2 * at)).collect(),
            tile: (0..rank).map(|at| word(tile_at + at)).collect(),
            swizzle: modes[(word(1) >> 8 & 3) as usize],
        };
        map.check()?;
        Ok(map)
    }

    /// Bytes of the innermost row of a tile.
    pub(crate) fn row(&self) -> u64 {
        u64::from(self.tile[0]) * u64::from(self.element)
    }

    /// Bytes of a tile.
    pub(crate) fn tile_bytes(&self) -> u64 {
        self.tile.iter().map(|count| u64::from(*count)).product::<u64>() * u64::from(self.element)
    }

    fn check(&self) -> Outcome<()> {
        let fault = |message: String| broken(Rule::Illegal, format!("tensor map: {message}"));
        if !self.base.is_multiple_of(16) || self.strides.iter().any(|stride| !stride.is_multiple_of(16)) {
            return fault(format!("base {:#x} and strides {:?} are multiples of 16", self.base, self.strides));
        }
        if self.tile.iter().any(|count| !(1..=256).contains(count)) || !self.row().is_multiple_of(16) {
            return fault(format!("a tile of {:?}: 1 to 256 elements, rows of a multiple of 16 bytes", self.tile));
        }
        match self.swizzle.span() {
            Some(span) if self.row() > span => fault(format!("rows of {} bytes exchange within {span}", self.row())),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_is_read_back_as_it_was_written() {
        let map = TensorMap {
            base: 0x1_0000_0100,
            element: 2,
            sizes: vec![64, 3, 5, 7, 9],
            strides: vec![128, 384, 1920, 13440],
            tile: vec![64, 1, 2, 3, 4],
            swizzle: Swizzle::Bytes128,
        };
        assert_eq!(TensorMap::from_bytes(&map.bytes()).expect("a map"), map);
        assert!(TensorMap::from_bytes(&[0; 128]).is_err());
    }

    #[test]
    fn rows_longer_than_the_exchange_are_refused() {
        let map = TensorMap::matrix(256, 2, 64, 64, [8, 64], Swizzle::Bytes64);
        assert!(TensorMap::from_bytes(&map.bytes()).is_err());
    }

    #[test]
    fn pieces_are_exchanged_by_the_row_they_stand_in() {
        assert_eq!(Swizzle::Bytes128.apply(1024 + 3 * 128 + 16), 1024 + 3 * 128 + 32);
        assert_eq!(Swizzle::Bytes64.apply(1024 + 128), 1024 + 128 + 16);
        assert_eq!(Swizzle::Bytes32.apply(1024 + 256), 1024 + 256);
        assert_eq!(Swizzle::None.apply(1024 + 128), 1024 + 128);
    }
}
