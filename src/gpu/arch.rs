//! The GPUs that code is made for, and what products are computed in there.

use crate::fault::Environment;

/// A compute capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// Ampere: A100.
    Sm80,
    /// Ada: L4, L40, RTX 40.
    Sm89,
    /// Hopper: H100, H200.
    Sm90a,
    /// Blackwell: B200.
    Sm100,
}

/// All of them.
const ALL: [Arch; 4] = [Arch::Sm80, Arch::Sm89, Arch::Sm90a, Arch::Sm100];

impl Arch {
    /// The name, as `ptxas -arch` and `--gpu-arch` know it.
    pub fn name(self) -> &'static str {
        match self {
            Arch::Sm80 => "sm_80",
            Arch::Sm89 => "sm_89",
            Arch::Sm90a => "sm_90a",
            Arch::Sm100 => "sm_100",
        }
    }

    /// The version of PTX, times ten: the oldest that knows the machine, so that old drivers can read it too.
    pub fn version(self) -> u32 {
        match self {
            Arch::Sm80 => 70,
            Arch::Sm89 => 78,
            Arch::Sm90a => 80,
            Arch::Sm100 => 86,
        }
    }

    /// The machine of a name.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<Arch, Environment> {
        ALL.into_iter().find(|arch| arch.name() == name).ok_or_else(|| {
            let names = ALL.map(Arch::name).join(", ");
            Environment::new(format!("there is no GPU architecture `{name}`")).help(format!("choose one of {names}"))
        })
    }
}

/// What the factors of matrix products are rounded to. Sums are 32-bit floats in all of them, and so is everything else;
/// what is nothing but a factor of bf16 lies in memory as such.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Precision {
    /// Not at all: 32-bit floats.
    #[default]
    F32,
    /// 10 bits after the point, the range of 32-bit floats: on tensor cores.
    Tf32,
    /// 7 bits after the point, the range of 32-bit floats: on tensor cores.
    Bf16,
}

/// All of them.
const PRECISIONS: [Precision; 3] = [Precision::F32, Precision::Tf32, Precision::Bf16];

impl Precision {
    /// The name, as `--precision` knows it.
    pub fn name(self) -> &'static str {
        match self {
            Precision::F32 => "f32",
            Precision::Tf32 => "tf32",
            Precision::Bf16 => "bf16",
        }
    }

    /// The precision of a name.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<Precision, Environment> {
        PRECISIONS.into_iter().find(|precision| precision.name() == name).ok_or_else(|| {
            let names = PRECISIONS.map(Precision::name).join(", ");
            Environment::new(format!("there is no precision `{name}`")).help(format!("choose one of {names}"))
        })
    }
}

/// What code is made for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gpu {
    /// The machine.
    pub arch: Arch,
    /// What products are computed in.
    pub precision: Precision,
}

/// The machine, with products as exact as on a CPU.
impl From<Arch> for Gpu {
    fn from(arch: Arch) -> Gpu {
        Gpu { arch, precision: Precision::F32 }
    }
}
