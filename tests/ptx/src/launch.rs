//! One launch: which blocks are resident, whose turn it is, and when nothing can go on.
//!
//! Every choice is made by chance from the seed. Copies on their way arrive when their block has nothing
//! else to do, and now and then earlier: both are what the machine may do.

use crate::block::Block;
use crate::execute;
use crate::fault::{Fault, Rule, Trouble};
use crate::memory::Memory;
use crate::module::{Function, Module};
use crate::random::Random;
use crate::thread::{State, Thread};

/// Instructions without any change to memory after which the launch counts as standing still, if few threads run …
const STANDSTILL: u64 = 5_000_000;
/// … and of each thread, if many do: each may compute for a while before it writes.
const STANDSTILL_OF_THREAD: u64 = 200_000;
/// Instructions of a thread in one turn at most.
const TURN: usize = 400;
/// Times that the lanes of a warp run in one turn at most.
const ROUNDS: usize = 24;
/// One in so many turns a copy arrives although its block still has something to do.
const EARLY_COPY: usize = 64;

/// How many blocks of how many threads, and their shared memory.
pub(crate) struct Shape {
    pub grid: [u32; 3],
    pub block: [u32; 3],
    pub shared_bytes: usize,
    pub dynamic_shared: usize,
    pub all_resident: bool,
}

pub(crate) struct Launch<'a> {
    pub module: &'a Module,
    pub kernel: usize,
    pub shape: Shape,
    pub parameters: Vec<u8>,
    /// Addresses of the module's variables.
    pub symbols: Vec<u64>,
    pub memory: &'a mut Memory,
    pub random: Random,
    pub seed: u64,
    pub executed: u64,
    /// `memory.changes` and `executed` when something last changed.
    last_change: (u64, u64),
}

impl<'a> Launch<'a> {
    pub fn new(
        module: &'a Module,
        kernel: usize,
        shape: Shape,
        parameters: Vec<u8>,
        symbols: Vec<u64>,
        memory: &'a mut Memory,
        seed: u64,
    ) -> Launch<'a> {
        let random = Random::new(seed);
        Launch { module, kernel, shape, parameters, symbols, memory, random, seed, executed: 0, last_change: (0, 0) }
    }

    fn function(&self) -> &'a Function {
        &self.module.functions[self.kernel]
    }

    /// Runs all blocks to their end.
    pub fn run(&mut self) -> Result<(), Fault> {
        let mut waiting = self.block_order();
        let limit = if self.shape.all_resident { waiting.len() } else { 1 + self.random.below(4) };
        let mut resident: Vec<Block> = Vec::new();
        loop {
            while resident.len() < limit
                && let Some(index) = waiting.pop()
            {
                resident.push(self.new_block(index));
            }
            if resident.is_empty() {
                return Ok(());
            }
            self.turn(&mut resident)?;
            let mut at = 0;
            while at < resident.len() {
                if resident[at].running > 0 {
                    at += 1;
                    continue;
                }
                execute::transfers::end_block(&resident.swap_remove(at))?;
            }
        }
    }

    fn block_order(&mut self) -> Vec<[u32; 3]> {
        let [x, y, z] = self.shape.grid;
        let mut order = Vec::new();
        for index in 0..u64::from(x) * u64::from(y) * u64::from(z) {
            let (x, y) = (u64::from(x), u64::from(y));
            order.push([(index % x) as u32, (index / x % y) as u32, (index / x / y) as u32]);
        }
        for at in (1..order.len()).rev() {
            let other = self.random.below(at + 1);
            order.swap(at, other);
        }
        order
    }

    fn new_block(&self, index: [u32; 3]) -> Block {
        let threads = self.shape.block.iter().product::<u32>();
        let threads = (0..threads).map(|number| Thread::new(number, self.kernel, self.function())).collect();
        Block::new(index, threads, self.shape.shared_bytes)
    }

    /// One warp of one block that can go on does so.
    fn turn(&mut self, resident: &mut [Block]) -> Result<(), Fault> {
        let first = self.random.below(resident.len());
        for step in 0..resident.len() {
            let at = (first + step) % resident.len();
            let block = &mut resident[at];
            if self.random.below(EARLY_COPY) == 0 {
                execute::transfers::deliver_one(self, block)?;
            }
            let warps = block.knowledge.len();
            let start = self.random.below(warps);
            let ready = (0..warps).map(|step| (start + step) % warps).find(|warp| block.has_ready(*warp));
            if let Some(warp) = ready {
                self.run_warp(block, warp)?;
                return self.check_standstill(resident);
            }
            if execute::transfers::deliver_one(self, block)? || execute::transfers::wake_pollers(self, block) {
                return Ok(());
            }
        }
        Err(self.deadlock(resident))
    }

    fn run_warp(&mut self, block: &mut Block, warp: usize) -> Result<(), Fault> {
        for _ in 0..1 + self.random.below(ROUNDS) {
            let lanes = block.lanes(warp);
            let rotation = self.random.below(lanes.len());
            let fuel = 1 + self.random.below(TURN);
            for step in 0..lanes.len() {
                let number = lanes.start + (rotation + step) % lanes.len();
                if block.threads[number].state == State::Ready {
                    self.run_thread(block, number, fuel)?;
                }
            }
            execute::together::complete(self, block, warp)?;
            if !block.has_ready(warp) {
                break;
            }
        }
        Ok(())
    }

    fn run_thread(&mut self, block: &mut Block, number: usize, fuel: usize) -> Result<(), Fault> {
        let mut thread = std::mem::take(&mut block.threads[number]);
        let outcome = execute::run(self, block, &mut thread, fuel);
        let state = thread.state;
        let outcome = outcome.map_err(|trouble| self.fault(block, &thread, trouble));
        block.threads[number] = thread;
        outcome?;
        match state {
            State::Barrier(barrier) => execute::barriers::complete(self, block, barrier),
            State::Done => {
                block.running -= 1;
                (0..17).try_for_each(|barrier| execute::barriers::complete(self, block, barrier))
            }
            _ => Ok(()),
        }
    }

    /// The line that a thread stands at.
    pub fn line(&self, thread: &Thread) -> usize {
        let code = &self.module.functions[thread.frame.function].code;
        code.get(thread.at).map_or(0, |instruction| instruction.line as usize)
    }

    pub fn fault(&self, block: &Block, thread: &Thread, trouble: Trouble) -> Fault {
        let kernel = &self.function().name;
        let message = format!("{kernel}, block {:?}, thread {}: {}", block.index, thread.number, trouble.message);
        Fault { rule: trouble.rule, line: self.line(thread), message }
    }

    fn check_standstill(&mut self, resident: &[Block]) -> Result<(), Fault> {
        if self.memory.changes != self.last_change.0 {
            self.last_change = (self.memory.changes, self.executed);
            return Ok(());
        }
        let unchanged = self.executed - self.last_change.1;
        if unchanged < STANDSTILL {
            return Ok(());
        }
        let running = resident.iter().map(|block| block.running as u64).sum::<u64>();
        if unchanged < running * STANDSTILL_OF_THREAD {
            return Ok(());
        }
        let (line, report) = self.whereabouts(resident);
        let message = format!("{unchanged} instructions changed no memory: {report}");
        Err(Fault { rule: Rule::Livelock, line, message })
    }

    fn deadlock(&self, resident: &[Block]) -> Fault {
        let (line, report) = self.whereabouts(resident);
        Fault { rule: Rule::Deadlock, line, message: format!("nothing can go on: {report}") }
    }

    /// Where the threads of all resident blocks stand, and the line where most of them do.
    fn whereabouts(&self, resident: &[Block]) -> (usize, String) {
        let mut places: Vec<(usize, State, usize)> = Vec::new();
        let threads = resident.iter().flat_map(|block| &block.threads);
        for thread in threads.filter(|thread| thread.state != State::Done) {
            let line = self.line(thread);
            match places.iter_mut().find(|(known, state, _)| *known == line && *state == thread.state) {
                Some(place) => place.2 += 1,
                None => places.push((line, thread.state, 1)),
            }
        }
        places.sort_by_key(|place| std::cmp::Reverse(place.2));
        let describe =
            |(line, state, count): &(usize, State, usize)| format!("{count} threads at line {line} ({state:?})");
        let report = places.iter().take(8).map(describe).collect::<Vec<_>>().join(", ");
        (places.first().map_or(0, |place| place.0), report)
    }
}
