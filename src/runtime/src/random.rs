//! Counter-based random numbers: a number depends on seed, path and index alone, never on what was drawn before.
//!
//! Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011): the seed is the key, the
//! path and the index are the counter. So batches, initial values and samples are the same on any number of threads,
//! in any order, and after a resume.

/// Ten rounds of Philox over one counter.
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let left = u64::from(counter[0]) * 0xD251_1F53;
        let right = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [
            (right >> 32) as u32 ^ counter[1] ^ key[0],
            right as u32,
            (left >> 32) as u32 ^ counter[3] ^ key[1],
            left as u32,
        ];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// A 64-bit hash of a text (FNV-1a), the same on every machine.
pub fn hash(text: &[u8]) -> u64 {
    text.iter().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01B3))
}

/// The numbers of one seed and path.
#[derive(Debug, Clone, Copy)]
pub struct Stream {
    key: [u32; 2],
    path: u64,
}

impl Stream {
    /// The stream of a seed and a path.
    pub fn new(seed: u64, path: &str) -> Stream {
        Stream { key: halves(seed), path: hash(path.as_bytes()) }
    }

    /// The stream below this one of a number: a row, a turn, …
    pub fn of(self, number: u64) -> Stream {
        let [low, high, ..] = self.bits(number);
        Stream { path: join(low, high) ^ self.path.rotate_left(1), ..self }
    }

    /// 128 random bits.
    pub fn bits(&self, index: u64) -> [u32; 4] {
        let ([a, b], [c, d]) = (halves(index), halves(self.path));
        philox([a, b, c, d], self.key)
    }

    /// A number in `0.0..1.0`, with 53 random bits.
    pub fn uniform(&self, index: u64) -> f64 {
        let [low, high, ..] = self.bits(index);
        unit(join(low, high))
    }

    /// A number from the normal distribution of mean 0 and deviation 1 (Box and Muller, 1958).
    pub fn normal(&self, index: u64) -> f64 {
        let [a, b, c, d] = self.bits(index);
        let radius = (-2.0 * (1.0 - unit(join(a, b))).ln()).sqrt();
        radius * (std::f64::consts::TAU * unit(join(c, d))).cos()
    }

    /// A whole number in `0..bound`, which must not be 0; the bias is below one in 2^64 / bound.
    pub fn below(&self, index: u64, bound: u64) -> u64 {
        let [low, high, ..] = self.bits(index);
        ((u128::from(join(low, high)) * u128::from(bound)) >> 64) as u64
    }
}

fn halves(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

fn join(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

/// The top 53 bits as a number in `0.0..1.0`.
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}
