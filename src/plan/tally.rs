//! Multiply-adds that a program tells of while it runs, where turns may be left out.
//!
//! A turn of a loop that ends when no row needs it tells its own, those of such loops inside not counted; the end of the
//! program tells the rest. A program without such loops tells nothing: it always does the same.

use super::program::Step;
use archc_runtime::abi::Size;

/// What is counted so far in one turn.
#[derive(Debug, Clone)]
pub(super) struct Tally {
    counted: Vec<Size>,
    times: Size,
    /// Whether some turns tell theirs.
    told: bool,
}

impl Default for Tally {
    fn default() -> Tally {
        Tally { counted: Vec::new(), times: Size::Constant(1), told: false }
    }
}

impl Tally {
    /// Adds what is done once in every turn of the loops since the last that may end.
    pub fn add(&mut self, once: &Size) {
        self.counted.push(once.clone().times(self.times.clone()));
    }

    /// So many turns of a loop that always has all of them; the turns around it.
    pub fn repeat(&mut self, turns: Size) -> Size {
        let around = self.times.clone();
        self.times = around.clone().times(turns);
        around
    }

    /// The loop is over.
    pub fn leave(&mut self, around: Size) {
        self.times = around;
    }

    /// A turn that may be left out begins; what was counted before.
    pub fn begin(&mut self) -> Tally {
        std::mem::replace(self, Tally { told: true, ..Tally::default() })
    }

    /// The turn tells what was counted in it.
    pub fn end(&mut self, before: Tally) -> Step {
        let turn = std::mem::replace(self, Tally { told: true, ..before });
        Step::Tally(super::report::total(turn.counted))
    }

    /// What is left to tell in the end.
    pub fn rest(&mut self) -> Option<Step> {
        self.told.then(|| Step::Tally(super::report::total(std::mem::take(&mut self.counted))))
    }
}
