//! Who knows of whose work: vector clocks of warps (Mattern 1989; FastTrack, Flanagan and Freund 2009).
//!
//! Each warp counts its releases. What it did before a release another warp may rely on once it has
//! acquired it. A second set of clocks says the same for work that a proxy fence stood behind, which is
//! what asynchronous units may rely on (PTX ISA, "Proxies" and "Proxy-preserved base causality order").

/// Number of an actor in a clock: a warp of the block, or [`ENGINE`].
pub(crate) type Actor = usize;

/// Warps of a block at most, and the place after them: the engine of asynchronous copies.
pub(crate) const ENGINE: Actor = 32;
const ACTORS: usize = 33;

/// For every actor, up to which of its releases something is ordered.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Clock([u32; ACTORS]);

impl Clock {
    pub fn new() -> Clock {
        Clock([0; ACTORS])
    }

    pub fn of(&self, actor: Actor) -> u32 {
        self.0[actor]
    }

    pub fn set(&mut self, actor: Actor, time: u32) {
        self.0[actor] = time;
    }

    pub fn join(&mut self, other: &Clock) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = (*mine).max(*theirs);
        }
    }
}

/// What is ordered before a point: for generic accesses, and for asynchronous ones.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Knowledge {
    pub generic: Clock,
    pub proxied: Clock,
}

impl Knowledge {
    pub fn new() -> Knowledge {
        Knowledge { generic: Clock::new(), proxied: Clock::new() }
    }

    /// That of a warp at its start: its own time begins at 1, so that others do not know it.
    pub fn of_warp(warp: Actor) -> Knowledge {
        let mut knowledge = Knowledge::new();
        knowledge.generic.set(warp, 1);
        knowledge
    }

    pub fn acquire(&mut self, from: &Knowledge) {
        self.generic.join(&from.generic);
        self.proxied.join(&from.proxied);
    }

    /// Hands everything known to `to`; what the warp does from here on is later.
    pub fn release(&mut self, warp: Actor, to: &mut Knowledge) {
        to.acquire(self);
        self.advance(warp);
    }

    pub fn advance(&mut self, warp: Actor) {
        let now = self.generic.of(warp);
        self.generic.set(warp, now + 1);
    }

    /// `fence.proxy.async`: asynchronous units may rely on all that is known here.
    pub fn fence_proxy(&mut self, warp: Actor) {
        self.proxied.join(&self.generic);
        self.advance(warp);
    }
}
