//! What a decoder wants of each call: scores, a choice, or a choice after each position; and the programs that give it.

use super::judges::Judges;
use super::turns::Turns;
use crate::abi::{ProgramInfo, names};
use crate::model::Call;

/// What a call gives.
#[derive(Debug)]
pub enum Output {
    /// Scores, under this name.
    Scores(String),
    /// What the model's sampler chooses.
    Turns(Turns),
    /// What it chooses after each new position.
    Runs(Judges),
}

impl Output {
    /// The program that gives it.
    pub fn program(&self) -> &'static str {
        match self {
            Output::Scores(_) => names::STEP,
            Output::Turns(_) => names::TURN,
            Output::Runs(_) => names::RUN,
        }
    }

    /// The program before that.
    pub fn begin(&self) -> &'static str {
        match self {
            Output::Scores(_) => names::BEGIN,
            Output::Turns(_) => names::TURN_BEGIN,
            Output::Runs(_) => names::RUN_BEGIN,
        }
    }

    /// Writes the inputs of a call that are there for its sake.
    pub fn fill(&self, call: &mut Call) {
        match self {
            Output::Turns(turns) => turns.fill(call),
            Output::Runs(judges) => judges.fill(call),
            Output::Scores(_) => {}
        }
    }

    /// Writes what depends on the new positions beside their ids: what comes after each. A row has `filled` positions, and
    /// its part is followed by `after`, if anything is.
    pub fn fill_after(&self, call: &mut Call, parts: &[&[u32]], after: &[Option<u32>], filled: &[usize]) {
        if let Output::Runs(judges) = self {
            judges.fill_after(call, parts, after, filled);
        }
    }

    /// How many texts each row has.
    pub fn texts(&self, program: &ProgramInfo) -> usize {
        let Output::Turns(turns) = self else { return 1 };
        let setting = turns.forked(program);
        let size = turns.sizes().find(|(name, _)| Some(*name) == setting);
        size.and_then(|(_, size)| usize::try_from(size).ok()).unwrap_or(1)
    }

    /// Sizes that are settings.
    pub fn sizes(&self) -> Vec<(String, i64)> {
        match self {
            Output::Scores(_) => Vec::new(),
            Output::Runs(Judges { turns, .. }) | Output::Turns(turns) => {
                turns.sizes().map(|(name, size)| (name.to_owned(), size)).collect()
            }
        }
    }

    /// The inputs that are filled for its sake.
    pub fn inputs(&self) -> Vec<&str> {
        match self {
            Output::Scores(_) => Vec::new(),
            Output::Runs(Judges { turns, .. }) | Output::Turns(turns) => {
                let settings = turns.settings.iter().map(|(name, _)| name.as_str());
                settings.chain([names::TURN, names::ROW, names::PROMPTED, names::FOLLOWER, names::BLANK]).collect()
            }
        }
    }
}
