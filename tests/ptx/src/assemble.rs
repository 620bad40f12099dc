//! NVIDIA's assembler as a judge: does it take the text, and what does a kernel need?
//!
//! In: PTX text and an architecture. Out: registers and shared memory of every kernel. A spill, local memory,
//! a warning or an error of the assembler is an error here. `make ptxas` fetches the assembler; nothing of it
//! is shipped.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

/// What one kernel needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resources {
    /// The kernel's name.
    pub kernel: String,
    /// Registers of a thread.
    pub registers: u32,
    /// Static shared memory of a block, in bytes.
    pub shared: u32,
    /// Barriers of a block.
    pub barriers: u32,
}

/// Why there are no resources to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AssembleError {
    /// There is no `ptxas` on this machine.
    Missing,
    /// The assembler's own words, or what it had to spill.
    Refused(String),
}

impl fmt::Display for AssembleError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AssembleError::Missing => write!(out, "there is no ptxas here: `make ptxas` fetches it"),
            AssembleError::Refused(message) => write!(out, "ptxas: {message}"),
        }
    }
}

impl std::error::Error for AssembleError {}

/// Where `ptxas` is: `ARCHC_PTXAS`, what `make ptxas` fetched, or one on the path.
pub fn assembler() -> Option<PathBuf> {
    if let Some(given) = std::env::var_os("ARCHC_PTXAS") {
        return Some(PathBuf::from(given));
    }
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/ptxas/nvidia/cu13/bin/ptxas");
    if fetched.is_file() {
        return Some(fetched);
    }
    let folders = std::env::var_os("PATH")?;
    std::env::split_paths(&folders).map(|folder| folder.join("ptxas")).find(|place| place.is_file())
}

static FILES: AtomicU32 = AtomicU32::new(0);

/// Assembles the text for an architecture such as `sm_90a`.
pub fn assemble(text: &str, architecture: &str) -> Result<Vec<Resources>, AssembleError> {
    let ptxas = assembler().ok_or(AssembleError::Missing)?;
    let refused = |error: std::io::Error| AssembleError::Refused(error.to_string());
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let stem = std::env::temp_dir().join(format!("archc-ptx-{}-{number}", std::process::id()));
    let (source, object) = (stem.with_extension("ptx"), stem.with_extension("cubin"));
    std::fs::write(&source, text).map_err(refused)?;
    let mut run = Command::new(ptxas);
    run.arg("-v").arg(format!("-arch={architecture}")).arg(&source).arg("-o").arg(&object);
    let output = run.output().map_err(refused);
    let _ = std::fs::remove_file(&source);
    let _ = std::fs::remove_file(&object);
    let output = output?;
    let words = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    match output.status.success() {
        true => resources(&words),
        false => Err(AssembleError::Refused(words)),
    }
}

/// Reads what `ptxas -v` says.
fn resources(words: &str) -> Result<Vec<Resources>, AssembleError> {
    let mut all: Vec<Resources> = Vec::new();
    for line in words.lines() {
        if let Some(name) = line.split("Compiling entry function '").nth(1) {
            let kernel = name.split('\'').next().unwrap_or_default().to_string();
            all.push(Resources { kernel, registers: 0, shared: 0, barriers: 0 });
        }
        let counts_memory = ["stack frame", "spill stores", "spill loads"].iter().any(|what| amount(line, what) > 0);
        if counts_memory || amount(line, "lmem") > 0 || is_warning(line) {
            return Err(AssembleError::Refused(line.trim().to_string()));
        }
        if let Some(last) = all.last_mut().filter(|_| line.contains("Used ")) {
            last.registers = amount(line, "registers");
            last.shared = amount(line, "smem");
            last.barriers = amount(line, "barriers");
        }
    }
    Ok(all)
}

/// All warnings but one: that a `wgmma` pipeline got an arrival it did not have (C7519) costs nothing.
fn is_warning(line: &str) -> bool {
    (line.contains("warning") || line.contains("(C75")) && !line.contains("C7519")
}

/// The number before a word, as in `24 registers` or `0 bytes spill stores`.
fn amount(line: &str, what: &str) -> u32 {
    let Some((before, _)) = line.split_once(what) else { return 0 };
    let digits = before.split_whitespace().rev().find(|word| word.chars().all(|digit| digit.is_ascii_digit()));
    digits.and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const WORDS: &str = "ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'k' for 'sm_90a'
ptxas info    : Function properties for k
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 1 barriers, 2048 bytes smem, 400 bytes cmem[0]
";

    #[test]
    fn the_assemblers_words_are_read() {
        let wanted = Resources { kernel: "k".into(), registers: 40, shared: 2048, barriers: 1 };
        assert_eq!(resources(WORDS), Ok(vec![wanted]));
    }

    #[test]
    fn spills_local_memory_and_warnings_are_errors() {
        assert!(resources(&WORDS.replace("0 bytes spill loads", "8 bytes spill loads")).is_err());
        assert!(resources(&WORDS.replace("0 bytes stack frame", "16 bytes stack frame")).is_err());
        assert!(resources(&WORDS.replace("400 bytes", "12 bytes lmem, 400 bytes")).is_err());
        assert!(resources(&(WORDS.to_string() + "ptxas info : (C7510) Potential Performance Loss\n")).is_err());
        assert!(resources(&(WORDS.to_string() + "ptxas info : (C7519) arrive injected\n")).is_ok());
    }
}
