//! The random numbers of draws: Philox 4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).
//!
//! This is the bit-level definition for every target. A number depends on seed, path, row, turns and coordinates
//! alone, never on the extent of a batch, on padding or on the number of threads. All steps are whole-number
//! arithmetic that wraps, and a uniform number has 24 bits, so that f32 and f64 hold the same one.

/// How far apart elements are, along the last of their coordinates, that share four words: the four of a group are normal
/// numbers of one Philox counter, and a vector of lanes holds what so many groups begin with.
pub const APART: usize = 16;

/// What a draw's key and counter are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stream {
    key: [u32; 2],
    turn: u32,
}

impl Stream {
    /// The stream of a path under a seed, in the turns of the enclosing `for`s, outermost first.
    pub fn new(seed: u64, path: &str, turns: &[usize]) -> Stream {
        Stream::with_key(seed ^ hash(path), turns)
    }

    /// The stream of a seed that the hash of a path is already mixed into.
    pub fn with_key(key: u64, turns: &[usize]) -> Stream {
        let turn = turns.iter().fold(0u32, |sum, turn| mix_turn(sum, *turn as u32));
        Stream { key: [key as u32, (key >> 32) as u32], turn }
    }

    /// Four random words for an element of a row: its coordinates along all axes but batch, in order.
    pub fn words(&self, row: usize, coordinates: impl IntoIterator<Item = usize>) -> [u32; 4] {
        let element = coordinates.into_iter().fold(0u64, |sum, coordinate| mix_coordinate(sum, coordinate as u64));
        philox([row as u32, self.turn, element as u32, (element >> 32) as u32], self.key)
    }

    /// A standard normal number for an element of a row. In place of its last coordinate stands that of its group.
    pub fn normal(&self, row: usize, coordinates: impl IntoIterator<Item = usize>) -> f64 {
        let mut coordinates = coordinates.into_iter().collect::<Vec<_>>();
        let mut member = 0;
        if let Some(last) = coordinates.last_mut() {
            member = *last / APART % 4;
            *last = *last / (4 * APART) * APART + *last % APART;
        }
        normals(self.words(row, coordinates))[member]
    }
}

/// FNV-1a, 64 bits.
pub fn hash(path: &str) -> u64 {
    path.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

/// Adds the turn of one more enclosing `for`.
pub fn mix_turn(sum: u32, turn: u32) -> u32 {
    sum.wrapping_mul(0x9e37_79b1).wrapping_add(turn).wrapping_add(1)
}

/// Adds the coordinate along one more axis.
pub fn mix_coordinate(sum: u64, coordinate: u64) -> u64 {
    sum.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(coordinate).wrapping_add(1)
}

/// Ten rounds of Philox 4x32.
pub fn philox(counter: [u32; 4], key: [u32; 2]) -> [u32; 4] {
    let mut words = counter;
    let [mut low, mut high] = key;
    for _ in 0..10 {
        let first = u64::from(words[0]) * 0xd251_1f53;
        let second = u64::from(words[2]) * 0xcd9e_8d57;
        words = [
            (second >> 32) as u32 ^ words[1] ^ low,
            second as u32,
            (first >> 32) as u32 ^ words[3] ^ high,
            first as u32,
        ];
        low = low.wrapping_add(0x9e37_79b9);
        high = high.wrapping_add(0xbb67_ae85);
    }
    words
}

/// A number of [0, 1) with 24 bits.
pub fn unit(word: u32) -> f64 {
    f64::from(word >> 8) / f64::from(1u32 << 24)
}

/// Four standard normal numbers, by Box and Muller: each pair of words gives two.
pub fn normals(words: [u32; 4]) -> [f64; 4] {
    let pair = |first: u32, second: u32| {
        let radius = (-2.0 * (1.0 - unit(first)).ln()).sqrt();
        let (sine, cosine) = (std::f64::consts::TAU * unit(second)).sin_cos();
        [radius * cosine, radius * sine]
    };
    let [[a, b], [c, d]] = [pair(words[0], words[1]), pair(words[2], words[3])];
    [a, b, c, d]
}

/// A whole number below a count, all equally likely up to the count over 2^32.
pub fn below(word: u32, count: usize) -> usize {
    ((u64::from(word) * count as u64) >> 32) as usize
}
