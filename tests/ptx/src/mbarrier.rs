//! The mbarrier object: arrivals and bytes of a phase (PTX ISA, "Parallel Synchronization and
//! Communication Instructions: mbarrier").

use crate::clock::Knowledge;
use crate::fault::{Outcome, Rule, broken};

/// Arrivals of a phase at most, and bytes expected at most.
const LIMIT: i64 = (1 << 20) - 1;
/// Marks a state that `mbarrier.arrive` returned.
const STATE: u64 = 0x5a << 56;

#[derive(Clone, Debug)]
pub(crate) struct Mbarrier {
    /// Arrivals of a phase.
    count: i64,
    /// Arrivals that the current phase still waits for.
    pending: i64,
    /// Bytes that it still waits for; negative if they came before they were expected.
    transactions: i64,
    /// Phases completed.
    phase: u64,
    /// What arrivals and copies of completed phases hand to whoever waits.
    pub knowledge: Knowledge,
    /// The same of the current phase.
    pub arriving: Knowledge,
}

impl Mbarrier {
    pub fn new(count: u64) -> Outcome<Mbarrier> {
        let count = count as i64;
        if !(1..=LIMIT).contains(&count) {
            return broken(Rule::Mbarrier, format!("{count} arrivals of a phase"));
        }
        Ok(Mbarrier {
            count,
            pending: count,
            transactions: 0,
            phase: 0,
            knowledge: Knowledge::new(),
            arriving: Knowledge::new(),
        })
    }

    /// Arrives `count` times, or changes what is expected; true if that completes the phase.
    pub fn arrive(&mut self, count: i64) -> Outcome<bool> {
        if count > self.pending {
            return broken(
                Rule::Mbarrier,
                format!("{count} arrivals where {} of {} are left", self.pending, self.count),
            );
        }
        self.pending -= count;
        Ok(self.complete())
    }

    /// One arrival less in this and all later phases.
    pub fn drop_one(&mut self) -> Outcome<()> {
        self.count -= 1;
        if self.count < 0 {
            return broken(Rule::Mbarrier, "more arrivals dropped than there are");
        }
        Ok(())
    }

    /// The phase waits for one arrival more (`cp.async.mbarrier.arrive` without `.noinc`).
    pub fn expect_arrival(&mut self) {
        self.pending += 1;
    }

    /// Changes the bytes that the phase waits for; true if that completes it.
    pub fn transact(&mut self, bytes: i64) -> Outcome<bool> {
        self.transactions += bytes;
        if self.transactions.abs() > LIMIT {
            return broken(Rule::Mbarrier, format!("{} bytes on their way", self.transactions));
        }
        Ok(self.complete())
    }

    fn complete(&mut self) -> bool {
        let is_complete = self.pending == 0 && self.transactions == 0;
        if is_complete {
            self.phase += 1;
            self.pending = self.count;
            self.knowledge.acquire(&self.arriving);
        }
        is_complete
    }

    /// What an arrival returns: the phase it belongs to.
    pub fn state(&self) -> u64 {
        STATE | self.phase
    }

    /// Whether the last phase of this parity is complete.
    pub fn has_passed_parity(&self, parity: u64) -> bool {
        self.phase & 1 != parity & 1
    }

    pub fn has_passed_state(&self, state: u64) -> Outcome<bool> {
        if state & (0xff << 56) != STATE {
            return broken(Rule::Mbarrier, format!("{state:#x} is no state of an arrival"));
        }
        Ok(self.phase > state & !(0xff << 56))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_needs_all_arrivals_and_all_bytes() {
        let mut barrier = Mbarrier::new(2).expect("a barrier");
        let state = barrier.state();
        assert!(!barrier.transact(64).expect("in range"));
        assert!(!barrier.arrive(2).expect("in range"));
        assert!(!barrier.has_passed_parity(0) && barrier.has_passed_parity(1));
        assert!(barrier.transact(-64).expect("in range"));
        assert!(barrier.has_passed_parity(0) && barrier.has_passed_state(state).expect("a state"));
    }

    #[test]
    fn too_many_arrivals_are_a_fault() {
        let mut barrier = Mbarrier::new(1).expect("a barrier");
        barrier.transact(16).expect("in range");
        barrier.arrive(1).expect("in range");
        assert!(barrier.arrive(1).is_err());
        assert!(Mbarrier::new(0).is_err());
    }
}
