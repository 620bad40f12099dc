//! Every example as code for a GPU: all of its programs compile, and where NVIDIA's assembler is on this machine it takes
//! every kernel, without spills and without local memory. `--nocapture` shows what they use.

use super::assembled::{assemble, used};
use crate::compiled::{graphs, model};
use archc::driver::{self, Session};
use archc::gpu::Arch;
use archc::model::library::embedded_files;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Registers of a thread and bytes of shared memory of a block, at most.
#[derive(Debug, Clone, Copy, Default)]
struct Used {
    entries: usize,
    registers: usize,
    shared: usize,
}

impl Used {
    fn with(self, (registers, shared): (usize, usize)) -> Used {
        let Used { entries, registers: most, shared: largest } = self;
        Used { entries: entries + 1, registers: most.max(registers), shared: largest.max(shared) }
    }
}

/// What an example needs: for each kind of entry, if the assembler is here; and what is wrong with it.
type Needs = Result<Option<BTreeMap<String, Used>>, String>;

fn needs(text: &str) -> Needs {
    let graphs = graphs(&model(text));
    let device = driver::device(&graphs, None, Arch::Sm90a, &mut Session::default());
    let device = device.map_err(|failure| format!("{failure:?}"))?;
    let Some(said) = assemble(&device.ptx, Arch::Sm90a)? else { return Ok(None) };
    let mut kinds = BTreeMap::<String, Used>::new();
    for (symbol, registers, shared) in used(&said) {
        let kind = symbol.split_once('_').map_or(symbol.clone(), |(_, kind)| kind.to_string());
        let entry = kinds.entry(kind).or_default();
        *entry = entry.with((registers, shared));
    }
    Ok(Some(kinds))
}

/// All examples, by as many threads as there are processors.
fn all_needs() -> BTreeMap<String, Needs> {
    let examples = embedded_files().filter(|(path, _)| path.starts_with("examples/")).collect::<Vec<_>>();
    assert!(examples.len() > 60, "{} examples", examples.len());
    let (next, found) = (AtomicUsize::new(0), Mutex::new(BTreeMap::new()));
    let work = || {
        while let Some((path, text)) = examples.get(next.fetch_add(1, Ordering::Relaxed)) {
            let needs = std::panic::catch_unwind(|| needs(text)).unwrap_or_else(|_| Err("it panics".into()));
            found.lock().expect("nobody panics").insert(path.to_string(), needs);
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    found.into_inner().expect("nobody panics")
}

/// One line for each example, then one for each kind of entry over all of them.
fn table(all: &BTreeMap<String, BTreeMap<String, Used>>) -> String {
    let (mut text, mut total) = (String::new(), BTreeMap::<&str, Used>::new());
    for (path, kinds) in all {
        let mut most = Used::default();
        for (kind, used) in kinds {
            let of_kind = total.entry(kind).or_default();
            for one in [of_kind, &mut most] {
                let entries = one.entries + used.entries;
                *one = Used { entries, ..one.with((used.registers, used.shared)) };
            }
        }
        line(&mut text, path, most);
    }
    text.push('\n');
    total.into_iter().for_each(|(kind, used)| line(&mut text, kind, used));
    text
}

fn line(text: &mut String, name: &str, used: Used) {
    let Used { entries, registers, shared } = used;
    let _ = writeln!(text, "{name:40} {entries:4} entries, {registers:3} registers, {shared:5} bytes shared");
}

#[test]
fn every_example_compiles_for_a_gpu_and_assembles_without_spills() {
    let (mut sound, mut wrong) = (BTreeMap::new(), Vec::new());
    for (path, needs) in all_needs() {
        match needs {
            Ok(kinds) => drop(kinds.map(|kinds| sound.insert(path, kinds))),
            Err(fault) => wrong.push(format!("{path}: {fault}")),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    println!("{}", table(&sound));
    let most = sound.values().flat_map(BTreeMap::values).map(|used| used.shared).max();
    assert!(most.is_none_or(|shared| shared <= 48 << 10), "static shared memory ends at 48 KiB");
}
