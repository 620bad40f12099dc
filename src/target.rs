//! The machine that code is made for: its level of vector instructions and the sizes that follow from it.
//!
//! Three levels are known. `native` is the highest of them that this machine has, by its features and not by its
//! name, which virtual machines hide.

use crate::fault::Environment;

/// A level of the x86-64 instruction set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Level {
    /// SSE2: every x86-64.
    Baseline,
    /// AVX2 with fused multiply-add (x86-64-v3).
    Avx2,
    /// AVX-512 F, BW, CD, DQ and VL (x86-64-v4).
    Avx512,
}

/// What emitters need to know about the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The instruction set.
    pub level: Level,
    /// Turns of a vectorised loop that run at once.
    pub lanes: usize,
    /// Columns of a panel of a packed matrix.
    pub panel: usize,
    /// Rows of the largest micro-kernel.
    pub rows: usize,
    /// Rows of a block of a product, a multiple of every micro-kernel's: what B's panels are read or packed for. Faster
    /// units need more of them, so as not to wait for memory.
    pub block: usize,
}

const AVX2: [&str; 14] = [
    "sse3", "ssse3", "sse4.1", "sse4.2", "popcnt", "cx16", "avx", "avx2", "fma", "bmi", "bmi2", "f16c", "lzcnt",
    "movbe",
];
const AVX512: [&str; 5] = ["avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"];

impl Target {
    /// The sizes for a level: as many accumulators as the registers hold, with room for a row of B and a broadcast.
    pub fn of(level: Level) -> Target {
        match level {
            Level::Baseline => Target { level, lanes: 8, panel: 8, rows: 4, block: 96 },
            Level::Avx2 => Target { level, lanes: 16, panel: 16, rows: 6, block: 96 },
            Level::Avx512 => Target { level, lanes: 16, panel: 64, rows: 6, block: 192 },
        }
    }

    /// The best level of this machine.
    pub fn native() -> Target {
        Target::of(host_level())
    }

    /// The target that `--cpu` names.
    ///
    /// # Errors
    /// If there is no such level.
    pub fn named(name: &str) -> Result<Target, Environment> {
        match name {
            "baseline" => Ok(Target::of(Level::Baseline)),
            "avx2" => Ok(Target::of(Level::Avx2)),
            "avx512" => Ok(Target::of(Level::Avx512)),
            "native" => Ok(Target::native()),
            _ => Err(Environment {
                message: format!("there is no CPU level `{name}`"),
                help: Some("choose one of baseline, avx2, avx512, native".to_string()),
            }),
        }
    }

    /// Whether this machine can run code for the target.
    pub fn runs_here(&self) -> bool {
        self.level <= host_level()
    }

    /// Whether a multiply and an add are one instruction.
    pub fn fused(&self) -> bool {
        self.level >= Level::Avx2
    }

    /// The features that a machine must have, in LLVM's spelling.
    pub fn features(&self) -> Vec<&'static str> {
        match self.level {
            Level::Baseline => Vec::new(),
            Level::Avx2 => AVX2.to_vec(),
            Level::Avx512 => AVX2.iter().chain(&AVX512).copied().collect(),
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn host_level() -> Level {
    let avx2 = is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("fma")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("f16c")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("movbe");
    let avx512 = is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512cd")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl");
    match (avx2, avx512) {
        (true, true) => Level::Avx512,
        (true, false) => Level::Avx2,
        (false, _) => Level::Baseline,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn host_level() -> Level {
    Level::Baseline
}
