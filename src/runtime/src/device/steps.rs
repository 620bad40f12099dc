//! Follows the plan of one program.

use super::Driver;
use super::counts::{Counts, asked};
use crate::abi::{DeviceArgument, DeviceLaunch, DevicePlan, DeviceStep};
use crate::error::{Error, Result};

/// Runs a program of a plan, by its place: one address for each of its buffers, one value for each of its sizes. `watch` is
/// asked before each watched turn and answers whether it runs.
///
/// # Errors
/// If the driver declines, or a launch has more blocks than a grid can have.
pub fn run(
    plan: &DevicePlan,
    program: usize,
    addresses: &[u64],
    sizes: &[i64],
    driver: &mut dyn Driver,
    watch: &mut dyn FnMut(i64, &mut dyn Driver) -> Result<bool>,
) -> Result<Done> {
    let program = &plan.programs[program];
    let mut values = sizes.to_vec();
    values.resize(sizes.len() + program.counters, 0);
    let mut run = Run { addresses, values, driver, watch, counts: Counts::default(), done: Done::default() };
    run.steps(&program.steps)?;
    Ok(run.done)
}

/// What a program has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Done {
    /// The multiply-adds that it has told of.
    pub tally: i64,
    /// How many launches it has asked for.
    pub launches: usize,
}

struct Run<'r> {
    addresses: &'r [u64],
    /// Sizes, then counters.
    values: Vec<i64>,
    driver: &'r mut dyn Driver,
    watch: &'r mut dyn FnMut(i64, &mut dyn Driver) -> Result<bool>,
    counts: Counts,
    done: Done,
}

impl Run<'_> {
    fn steps(&mut self, steps: &[DeviceStep]) -> Result<()> {
        steps.iter().try_for_each(|step| self.step(step))
    }

    fn step(&mut self, step: &DeviceStep) -> Result<()> {
        match step {
            DeviceStep::Launch(launch) => self.launch(launch),
            DeviceStep::Loop { counter, turns, reverse, body } => {
                let turns = turns.evaluate(&self.values);
                if let Some((buffer, bytes)) = asked(body, *counter, turns, &mut self.values) {
                    let [start, end] = [bytes.start, bytes.end].map(|skipped| self.place(buffer, skipped));
                    self.counts.read(buffer, start..end, self.driver)?;
                }
                for number in 0..turns {
                    let turn = if *reverse { turns - 1 - number } else { number };
                    self.values[*counter] = turn;
                    self.steps(body)?;
                }
                Ok(())
            }
            DeviceStep::Ask { counter, body } => match (self.watch)(self.values[*counter], self.driver)? {
                true => self.steps(body),
                false => Ok(()),
            },
            DeviceStep::Tally(size) => {
                self.done.tally += size.evaluate(&self.values);
                Ok(())
            }
            DeviceStep::Count { counter, from } => {
                let address = self.address(from);
                self.values[*counter] = self.counts.get(from.buffer, address, self.driver)?;
                Ok(())
            }
            DeviceStep::Lookup { counter, of, table } => {
                let found = usize::try_from(self.values[*of]).ok().and_then(|value| table.get(value));
                self.values[*counter] = found.map_or(0, |number| i64::from(*number));
                Ok(())
            }
            DeviceStep::Switch { counter, table, arms } => {
                let value = usize::try_from(self.values[*counter]).ok();
                let arm = value.and_then(|value| table.get(value)).and_then(|arm| arms.get(*arm as usize));
                arm.map_or(Ok(()), |arm| self.steps(arm))
            }
        }
    }

    fn launch(&mut self, launch: &DeviceLaunch) -> Result<()> {
        let blocks = launch.blocks.evaluate(&self.values);
        if blocks <= 0 {
            return Ok(());
        }
        let blocks = i32::try_from(blocks).map_err(|_| {
            Error::request(format!("a GPU cannot launch {blocks} blocks at once: the batch is too large"))
        })?;
        let addresses = launch.arguments.iter().map(|argument| self.address(argument)).collect::<Vec<_>>();
        let sizes = launch.sizes.iter().map(|size| size.evaluate(&self.values)).collect::<Vec<_>>();
        self.done.launches += 1;
        self.counts.forget(launch);
        self.driver.launch(launch.entry, blocks.cast_unsigned(), &addresses, &sizes)
    }

    fn address(&self, argument: &DeviceArgument) -> u64 {
        self.place(argument.buffer, argument.bytes.evaluate(&self.values))
    }

    fn place(&self, buffer: usize, skipped: i64) -> u64 {
        self.addresses[buffer].wrapping_add(skipped.cast_unsigned())
    }
}
