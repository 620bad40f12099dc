//! Finds the model that an architecture of a published configuration means: the file whose weight map names it.
//!
//! Nothing is known by name here. Candidates are the files that are part of archc; where several maps name one
//! architecture, the file that is called like the folder comes first. A folder that names none is looked up by its name.

use crate::diagnostics::Diagnostics;
use crate::fault::Environment;
use crate::model::library::embedded_files;
use crate::source::Sources;
use crate::syntax;
use std::path::{Path, PathBuf};

/// A file of archc and the architectures that its weight maps name.
struct Candidate {
    path: String,
    architectures: Vec<String>,
}

/// The file for an architecture. `likely` are names to prefer, best first.
///
/// # Errors
/// If no file has a map for it: the message lists what is known.
pub fn find(architecture: Option<&str>, likely: &[&str]) -> Result<PathBuf, Environment> {
    let candidates = candidates();
    let named = |candidate: &&Candidate| {
        architecture.is_some_and(|wanted| candidate.architectures.iter().any(|known| known == wanted))
    };
    let place = |candidate: &&Candidate| likely.iter().position(|name| stem(&candidate.path) == *name);
    let best = candidates.iter().filter(named).min_by_key(|candidate| place(candidate).unwrap_or(usize::MAX));
    // A name that is alike says something only where the configuration says nothing.
    let unnamed = candidates.iter().filter(|candidate| architecture.is_none() && place(candidate).is_some());
    best.or_else(|| unnamed.min_by_key(place))
        .map(|found| PathBuf::from(&found.path))
        .ok_or_else(|| unknown(architecture, &candidates))
}

fn stem(path: &str) -> String {
    Path::new(path).file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

fn candidates() -> Vec<Candidate> {
    let mut sources = Sources::default();
    let examples = embedded_files().filter(|(path, _)| path.starts_with("examples/"));
    let read = |(path, text): (String, &str)| {
        let file = sources.add(&path, text);
        let tree = syntax::parse(file, text, &mut Diagnostics::default());
        let architectures = tree.weights.into_iter().map(|map| map.architecture.0).collect();
        (!tree.models.is_empty()).then_some(Candidate { path, architectures })
    };
    examples.filter_map(read).collect()
}

fn unknown(architecture: Option<&str>, candidates: &[Candidate]) -> Environment {
    let mut known: Vec<&str> =
        candidates.iter().flat_map(|candidate| &candidate.architectures).map(String::as_str).collect();
    known.sort_unstable();
    known.dedup();
    let wanted = architecture.unwrap_or("(config.json names none)");
    Environment::new(format!("no weight map is for the architecture {wanted}; there are maps for {}", known.join(", ")))
        .help("write the model with a `weights` map for it, and give the file: archc verify FILE --against DIR")
}
