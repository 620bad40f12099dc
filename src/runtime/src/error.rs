//! What can go wrong while a model runs, each with what to do about it.
//!
//! A message says what is wrong with the user's own names and numbers; the help, where there is one, is the next step.
//! Nothing here is a fault of the compiler or the runtime itself but [`Kind::Bug`].

use std::fmt;
use std::path::Path;

/// The result of everything that can fail.
pub type Result<T> = std::result::Result<T, Error>;

/// Whose fault it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A file that cannot be read, written or understood, or a machine that cannot run the model.
    Environment,
    /// What was asked for makes no sense for this model.
    Request,
    /// Compiled code and runtime do not fit together.
    Bug,
}

/// A failure with its message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: String,
    help: Option<String>,
}

impl Error {
    /// A file or the machine is in the way.
    pub fn environment(message: impl Into<String>) -> Error {
        Error { kind: Kind::Environment, message: message.into(), help: None }
    }

    /// The request cannot be met.
    pub fn request(message: impl Into<String>) -> Error {
        Error { kind: Kind::Request, message: message.into(), help: None }
    }

    /// A guarantee between compiled code and runtime is broken.
    pub fn bug(message: impl Into<String>) -> Error {
        let help = "this is an error in archc, not in your model; please report it with the .arch file";
        Error { kind: Kind::Bug, message: message.into(), help: Some(help.to_owned()) }
    }

    /// A file operation failed; `action` completes "cannot … PATH".
    pub fn file(action: &str, path: &Path, cause: &std::io::Error) -> Error {
        let error = Error::environment(format!("cannot {action} {}: {}", path.display(), reason(cause)));
        match cause.raw_os_error() {
            Some(libc::ENOSPC | libc::EDQUOT | libc::EFBIG) => {
                error.help("free some space or name another folder; no partial file was left behind")
            }
            _ => error,
        }
    }

    /// Adds the next step for the user.
    pub fn help(mut self, help: impl Into<String>) -> Error {
        self.help = Some(help.into());
        self
    }

    /// Whose fault it is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// What is wrong, without the help.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)?;
        match &self.help {
            Some(help) => write!(formatter, "\n  help: {help}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Error {}

/// The cause in words, without the number that the operating system gives it.
fn reason(cause: &std::io::Error) -> String {
    let text = match cause.raw_os_error() {
        Some(libc::ENOSPC) => "the disk is full".to_owned(),
        Some(libc::EDQUOT) => "the disk quota is used up".to_owned(),
        Some(libc::EFBIG) => "the file would be larger than allowed here".to_owned(),
        _ => cause.to_string(),
    };
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// The known name that is nearest to a mistyped one, if any is near.
pub fn nearest<'names>(name: &str, known: impl IntoIterator<Item = &'names str>) -> Option<&'names str> {
    let limit = name.len().div_ceil(3);
    known
        .into_iter()
        .map(|candidate| (edit_distance(name, candidate), candidate))
        .min_by_key(|(distance, _)| *distance)
        .filter(|(distance, _)| *distance <= limit)
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance between two texts, in bytes.
fn edit_distance(left: &str, right: &str) -> usize {
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (turn, letter) in left.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = turn + 1;
        for (place, other) in right.bytes().enumerate() {
            let replaced = diagonal + usize::from(letter != other);
            diagonal = row[place + 1];
            row[place + 1] = replaced.min(diagonal + 1).min(row[place] + 1);
        }
    }
    row[right.len()]
}
