//! Pipelined matrix products of our own, which must be right for every seed, and mutants of them: each
//! breaks one rule of the machine and must show as a fault or as a wrong number within a few seeds.

mod copies;
mod tensors;

use std::io::Write;

use archc_ptx::{AssembleError, Fault, assemble};

/// Rows, columns of the product and of its tile.
const SIZE: usize = 64;

/// Numbers that bf16 has, without a pattern that a wrong place could repeat.
fn entry(at: usize) -> f32 {
    let mixed = (at as u32).wrapping_mul(2_654_435_761) ^ (at as u32 >> 3).wrapping_mul(40_503);
    (mixed >> 20 & 15) as f32 * 0.25 - 2.0
}

fn bf16(values: impl Iterator<Item = f32>) -> Vec<u8> {
    values.flat_map(|value| half::bf16::from_f32(value).to_le_bytes()).collect()
}

/// The left and the right factor, `SIZE × depth` each, as bytes.
fn factors(depth: usize) -> (Vec<u8>, Vec<u8>) {
    (bf16((0..SIZE * depth).map(entry)), bf16((0..SIZE * depth).map(|at| entry(at + 100_000))))
}

fn expected(depth: usize) -> Vec<f32> {
    let dot = |row: usize, column: usize| {
        let terms = (0..depth).map(|k| entry(row * depth + k) * entry(100_000 + column * depth + k));
        terms.sum::<f32>()
    };
    (0..SIZE * SIZE).map(|at| dot(at / SIZE, at % SIZE)).collect()
}

/// One change of a kernel's text.
struct Mutant {
    name: &'static str,
    from: String,
    to: String,
}

fn mutant(name: &'static str, from: impl Into<String>, to: impl Into<String>) -> Mutant {
    Mutant { name, from: from.into(), to: to.into() }
}

/// Seeds within which a mutant must show.
const SEEDS: u64 = 4;

/// How each mutant shows: by a rule or by its numbers. Panics if one survives.
fn hunt(text: &str, mutants: &[Mutant], run: impl Fn(&str, u64) -> Result<bool, Fault>) -> String {
    let mut report = String::new();
    for mutant in mutants {
        assert!(text.contains(&mutant.from), "mutant `{}` changes nothing", mutant.name);
        let changed = text.replacen(&mutant.from, &mutant.to, 1);
        let shows = |seed| match run(&changed, seed) {
            Ok(true) => None,
            Ok(false) => Some("wrong numbers".to_string()),
            Err(fault) => Some(format!("{:?} at line {}", fault.rule, fault.line)),
        };
        match (0..SEEDS).find_map(shows) {
            Some(how) => report += &format!("{}: {how}\n", mutant.name),
            None => panic!("mutant `{}` survives {SEEDS} seeds", mutant.name),
        }
    }
    report
}

/// The text is PTX for NVIDIA's assembler too, without spills. Where it is not at hand, this says so; in CI it
/// must be.
fn assembled(text: &str, architecture: &str) {
    match assemble(text, architecture) {
        Ok(kernels) => assert!(kernels.len() == 1 && kernels[0].registers > 32, "{kernels:?}"),
        Err(AssembleError::Missing) if std::env::var_os("CI").is_none() => {
            let note = b"SKIPPED: no ptxas here; `make ptxas` fetches it\n";
            std::io::stderr().write_all(note).expect("an open stderr");
        }
        Err(error) => panic!("{error}"),
    }
}
