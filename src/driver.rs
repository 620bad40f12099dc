//! The pipeline, on one screen: a file in, what each stage makes of it out.
//!
//! Every command of archc goes through these functions, so that `emit`, `check`, `build` and `verify` cannot differ in
//! what they compile. A stage's result is the only thing it hands on; a panic in one is a [`crate::fault::Bug`].

mod guard;
mod session;
mod stage;

pub use guard::guard;
pub use session::{Failure, Session};
pub use stage::Stage;

use crate::fault::Environment;
use crate::source::FileId;
use crate::syntax::{self, ast};
use std::path::{Path, PathBuf};

/// A model and what is changed in it from outside.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The .arch file.
    pub file: PathBuf,
    /// Sizes and settings that take the place of those in the file.
    pub settings: Vec<(String, String)>,
    /// A Hugging Face configuration that sizes and settings are taken from.
    pub config: Option<PathBuf>,
}

/// Reads and parses the file.
///
/// # Errors
/// If it cannot be read, or does not parse.
pub fn parse(request: &Request, session: &mut Session) -> Result<(FileId, ast::File), Failure> {
    let text = read(&request.file)?;
    let id = session.sources.add(&request.file, text.clone());
    let tree = session.stage("ast", |session| syntax::parse(id, &text, &mut session.diagnostics))?;
    session.dump("ast", || format!("{tree:#?}\n"))?;
    session.diagnostics.stop_on_error()?;
    Ok((id, tree))
}

fn read(path: &Path) -> Result<String, Environment> {
    std::fs::read_to_string(path).map_err(|error| {
        let reason = match error.kind() {
            std::io::ErrorKind::InvalidData => "it is not UTF-8 text".to_string(),
            _ => error.to_string(),
        };
        Environment::new(format!("cannot read {}: {reason}", path.display())).help("give the path of an .arch file")
    })
}
