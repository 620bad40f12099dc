//! The code table: every message of archc has a code, a title of a few words, and a text for `archc explain`.
//!
//! A code is declared once, in the file of its area, with `codes!`, and raised in place with `Diagnostic::new`. The
//! text says the rule, why it is one, and shows an example. E01 syntax, E02 names, E03 axes and shapes, E04 types,
//! E05 presence, E06 proofs, E07 weights, W warnings, N notes. What the machine refuses has no code: see `fault`.

use super::Code;

/// Declares codes: `E0301 = "title", "explanation";`.
macro_rules! codes {
    ($($name:ident = $title:literal, $explanation:literal;)*) => {
        $(
            #[doc = $title]
            pub const $name: Code = Code { name: stringify!($name), title: $title, explanation: $explanation };
        )*
        /// All codes of this area.
        pub(super) const TABLE: &[Code] = &[$($name),*];
    };
}

mod advice;
mod axes;
mod names;
mod presence;
mod proofs;
mod syntax;
mod types;
mod weights;

pub use advice::*;
pub use axes::*;
pub use names::*;
pub use presence::*;
pub use proofs::*;
pub use syntax::*;
pub use types::*;
pub use weights::*;

/// The whole table, area by area.
pub fn all() -> impl Iterator<Item = Code> {
    let program = [syntax::TABLE, names::TABLE, axes::TABLE, types::TABLE, presence::TABLE, proofs::TABLE];
    program.into_iter().chain([weights::TABLE, advice::TABLE]).flatten().copied()
}

/// What `archc explain` prints for a code, in either case: the title, then the rule, why it is one, and an example.
pub fn explain(code: &str) -> Option<String> {
    let code = all().find(|known| known.name.eq_ignore_ascii_case(code))?;
    Some(format!("{}: {}\n\n{}\n", code.name, code.title, code.explanation.trim()))
}
