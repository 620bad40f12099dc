//! The machine's limits, by hand-written loops that do nothing else.
#![expect(unsafe_code, reason = "vector instructions that the CPU is asked for first")]

use crate::threads::Pool;
use std::hint::black_box;
use std::time::Instant;

/// Turns of the inner loop in one chunk: some microseconds.
const TURNS: usize = 20_000;
/// Chunks for each thread: enough that the threads end together.
const CHUNKS: usize = 64;
/// Bytes of a chunk of reading.
const READ_CHUNK: usize = 1 << 20;
/// Places of a chunk that are read by turns.
const STREAMS: usize = 4;

/// The rate of f32 multiply-adds in registers, in floating-point operations per second (two for each).
pub fn fma_rate(pool: &Pool) -> f64 {
    let (kernel, operations) = fma_kernel();
    let chunks = CHUNKS * pool.threads();
    let start = Instant::now();
    pool.run(chunks as i64, 1, |_, _| {
        black_box(kernel(black_box(0.999_9), black_box(1e-4)));
    });
    (chunks * TURNS * operations) as f64 / start.elapsed().as_secs_f64()
}

/// The rate of reading some memory once, in bytes per second.
pub fn read_rate(pool: &Pool, memory: &[u8]) -> f64 {
    let words: &[u64] = bytemuck::cast_slice(&memory[..memory.len() / 8 * 8]);
    let grain = READ_CHUNK / 8;
    let sum = read_kernel();
    let start = Instant::now();
    pool.run(words.len() as i64, grain as i64, |begin, end| {
        black_box(sum(&words[begin as usize..end as usize]));
    });
    (words.len() * 8) as f64 / start.elapsed().as_secs_f64()
}

/// A loop over independent multiply-adds, and the operations of one turn.
type FmaKernel = (fn(f32, f32) -> f32, usize);

/// The widest that this CPU has.
fn fma_kernel() -> FmaKernel {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            // SAFETY: the feature is there.
            return (|factor, term| unsafe { x86::fma_avx512(factor, term) }, 12 * 16 * 2);
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            // SAFETY: both features are there.
            return (|factor, term| unsafe { x86::fma_avx2(factor, term) }, 12 * 8 * 2);
        }
    }
    (multiply_add_plainly, 8 * 4 * 2)
}

/// The widest reading loop that this CPU has.
fn read_kernel() -> fn(&[u64]) -> u64 {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx2") {
        // SAFETY: the feature is there.
        return |words| unsafe { x86::sum_avx2(words) };
    }
    sum_words
}

/// Without fused instructions: what a baseline build can do.
fn multiply_add_plainly(factor: f32, term: f32) -> f32 {
    let mut sums = [[0.5f32; 4]; 8];
    for _ in 0..TURNS {
        for sum in sums.iter_mut().flatten() {
            *sum = *sum * factor + term;
        }
    }
    sums.iter().flatten().sum()
}

/// Sums words in many lanes and several places at once, so that only memory is waited for: a CPU fetches several streams
/// faster than one.
#[inline(always)]
fn sum_words(words: &[u64]) -> u64 {
    let (streams, rest) = words.split_at(words.len() / (STREAMS * 8) * STREAMS * 8);
    let (lines, _) = streams.as_chunks::<8>();
    let each = lines.len() / STREAMS;
    let streams: [&[[u64; 8]]; STREAMS] = std::array::from_fn(|stream| &lines[stream * each..(stream + 1) * each]);
    let mut lanes = [[0u64; 8]; STREAMS];
    for line in 0..each {
        for (lanes, stream) in lanes.iter_mut().zip(streams) {
            for (lane, word) in lanes.iter_mut().zip(&stream[line]) {
                *lane = lane.wrapping_add(*word);
            }
        }
    }
    lanes.iter().flatten().chain(rest).fold(0, |sum, word| sum.wrapping_add(*word))
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! Loops that need certain instructions.

    use super::{TURNS, sum_words};
    use std::arch::x86_64::{
        __m256, __m512, _mm256_fmadd_ps, _mm256_set1_ps, _mm256_storeu_ps, _mm512_fmadd_ps, _mm512_reduce_add_ps,
        _mm512_set1_ps,
    };

    #[target_feature(enable = "avx512f")]
    pub fn fma_avx512(factor: f32, term: f32) -> f32 {
        let (factor, term) = (_mm512_set1_ps(factor), _mm512_set1_ps(term));
        // Twelve are enough for two units of a latency of four; of sixteen, some went through memory.
        let mut sums: [__m512; 12] = [term; 12];
        for _ in 0..TURNS {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(*sum, factor, term);
            }
        }
        sums.into_iter().map(|sum| _mm512_reduce_add_ps(sum)).sum()
    }

    #[target_feature(enable = "avx2,fma")]
    pub fn fma_avx2(factor: f32, term: f32) -> f32 {
        let (factor, term) = (_mm256_set1_ps(factor), _mm256_set1_ps(term));
        let mut sums: [__m256; 12] = [term; 12];
        for _ in 0..TURNS {
            for sum in &mut sums {
                *sum = _mm256_fmadd_ps(*sum, factor, term);
            }
        }
        let mut lanes = [0f32; 8];
        let mut total = 0.0;
        for sum in sums {
            // SAFETY: the array has room for eight numbers, at any alignment.
            unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), sum) };
            total += lanes.iter().sum::<f32>();
        }
        total
    }

    #[target_feature(enable = "avx2")]
    pub fn sum_avx2(words: &[u64]) -> u64 {
        sum_words(words)
    }
}
