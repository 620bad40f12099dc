//! A block that is resident: its threads, its shared memory, its barriers, its copies on their way.

use std::collections::{BTreeMap, HashMap};

use crate::barrier::Barrier;
use crate::clock::Knowledge;
use crate::fault::{Outcome, Rule, broken};
use crate::mbarrier::Mbarrier;
use crate::shared::{Access, Shared};
use crate::thread::{State, Thread};
use crate::transfer::Engine;
use crate::warpgroup::Group;

pub(crate) struct Block {
    pub index: [u32; 3],
    pub threads: Vec<Thread>,
    /// What each warp may rely on.
    pub knowledge: Vec<Knowledge>,
    pub shared: Shared,
    pub barriers: Vec<Barrier>,
    pub mbarriers: BTreeMap<u64, Mbarrier>,
    /// What was released to each address that atomics or strong accesses use.
    pub locations: HashMap<u64, Knowledge>,
    pub engine: Engine,
    pub groups: Vec<Group>,
    /// Threads that have not ended.
    pub running: usize,
}

impl Block {
    pub fn new(index: [u32; 3], threads: Vec<Thread>, shared_bytes: usize) -> Block {
        let warps = threads.len().div_ceil(32);
        Block {
            index,
            running: threads.len(),
            knowledge: (0..warps).map(Knowledge::of_warp).collect(),
            shared: Shared::new(shared_bytes),
            barriers: vec![Barrier::new(); 17],
            mbarriers: BTreeMap::new(),
            locations: HashMap::new(),
            engine: Engine::default(),
            groups: (0..warps.div_ceil(4)).map(|_| Group::default()).collect(),
            threads,
        }
    }

    /// Shared memory, and a warp's access to it.
    pub fn shared_for(&mut self, warp: usize) -> (&mut Shared, Access<'_>) {
        (&mut self.shared, Access { warp, knowledge: &self.knowledge[warp], is_asynchronous: false })
    }

    pub fn shared_for_engine(&mut self, warp: usize) -> (&mut Shared, Access<'_>) {
        (&mut self.shared, Access { warp, knowledge: &self.knowledge[warp], is_asynchronous: true })
    }

    /// Threads of a warp, by number.
    pub fn lanes(&self, warp: usize) -> std::ops::Range<usize> {
        warp * 32..(warp * 32 + 32).min(self.threads.len())
    }

    pub fn has_ready(&self, warp: usize) -> bool {
        self.threads[self.lanes(warp)].iter().any(|thread| thread.state == State::Ready)
    }

    /// An access that also orders: what was released to the address is acquired, and the other way round.
    pub fn synchronise(&mut self, warp: usize, address: u64) {
        let location = self.locations.entry(address).or_insert_with(Knowledge::new);
        self.knowledge[warp].acquire(location);
        self.knowledge[warp].release(warp, location);
    }

    /// A plain write to an mbarrier's bytes would destroy it.
    pub fn check_no_mbarrier(&self, address: u64, bytes: usize) -> Outcome<()> {
        match self.mbarriers.range(address.saturating_sub(7)..address + bytes as u64).next() {
            Some((place, _)) => broken(Rule::Mbarrier, format!("the mbarrier at {place:#x} is in use there")),
            None => Ok(()),
        }
    }
}
