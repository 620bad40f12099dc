//! Programs as launches: the same steps, with entries in the place of kernels and bytes in the place of elements.

use super::alignment::Alignment;
use super::arch::{Gpu, Precision};
use super::entry::{Entry, WARP, entries};
use crate::fault::Environment;
use crate::kernel::Kernel;
use crate::plan::{Argument, Launch, Program, Step};
use archc_runtime::abi::{
    DeviceArgument, DeviceEntry, DeviceLaunch, DevicePlan, DeviceProgram, DeviceStep, Element, Probe, Size, Update,
    names,
};
use std::collections::HashMap;

/// The distinct kernels of all programs, in the order of their first launch, with their entries; after them what moves
/// parameters.
#[derive(Debug, Clone, Default)]
pub struct Entries {
    /// For each kernel: the kernel, the symbol of its first entry's place in the plan, and its entries.
    pub kernels: Vec<Written>,
    /// What moves parameters, where one of the programs trains.
    pub updates: Vec<Update>,
    /// What is multiplied in where the machine's own limit is measured.
    pub probe: Option<Precision>,
    places: HashMap<String, usize>,
}

/// A kernel with what does its work.
#[derive(Debug, Clone)]
pub struct Written {
    /// The kernel.
    pub kernel: Kernel,
    /// The place of its first entry in the plan.
    pub first: usize,
    /// Its entries with their symbols.
    pub entries: Vec<(String, Entry)>,
}

impl Entries {
    /// Those of all launches of some programs. Kernels of equal form are one.
    ///
    /// # Errors
    /// If a kernel that is launched cannot run on a GPU.
    pub fn of(programs: &[&Program], gpu: Gpu) -> Result<Entries, Environment> {
        let launches = all_launches(programs);
        let alignments = alignments(&launches);
        let trains = programs.iter().any(|program| program.name == names::TRAIN);
        let updates = if trains { Update::ALL.to_vec() } else { Vec::new() };
        let mut all = Entries { updates, probe: Some(gpu.precision), ..Entries::default() };
        for (program, launch) in launches {
            all.add(program, launch, &alignments, gpu)?;
        }
        Ok(all)
    }

    fn add(
        &mut self,
        program: &Program,
        launch: &Launch,
        alignments: &HashMap<String, Alignment>,
        gpu: Gpu,
    ) -> Result<(), Environment> {
        let kernel = &program.kernels[launch.kernel];
        let identity = kernel.identity();
        if self.places.contains_key(&identity) {
            return Ok(());
        }
        let place = self.kernels.len();
        let name = clean(&kernel.name);
        let list = entries(kernel, &alignments[&identity], gpu)
            .map_err(|unsupported| unsupported.at(&program.name, &launch.path))?;
        let list = list.into_iter().map(|entry| (format!("k{place}_{name}_{}", entry.word()), entry)).collect();
        let first = self.kernels.last().map_or(0, |last| last.first + last.entries.len());
        self.kernels.push(Written { kernel: kernel.clone(), first, entries: list });
        self.places.insert(identity, place);
        Ok(())
    }

    /// What runs a kernel of one of the programs.
    pub fn get(&self, kernel: &Kernel) -> &Written {
        &self.kernels[self.places[&kernel.identity()]]
    }
}

fn clean(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

/// A launch with its program.
pub(super) type Launched<'p> = (&'p Program, &'p Launch);

/// All launches of some programs.
pub(super) fn all_launches<'p>(programs: &[&'p Program]) -> Vec<Launched<'p>> {
    let of_program = |&program: &&'p Program| launches(&program.steps).into_iter().map(move |one| (program, one));
    programs.iter().flat_map(of_program).collect()
}

/// What is known of the places that each kernel is given, by the kernel's identity.
pub(super) fn alignments(launches: &[Launched<'_>]) -> HashMap<String, Alignment> {
    let mut known = HashMap::<String, Alignment>::new();
    for (program, launch) in launches {
        known.entry(program.kernels[launch.kernel].identity()).or_default().add(launch);
    }
    known
}

/// All launches of some steps.
fn launches(steps: &[Step]) -> Vec<&Launch> {
    let mut all = Vec::new();
    for step in steps {
        match step {
            Step::Launch(launch) => all.push(launch),
            Step::Loop { body, .. } | Step::Ask { body, .. } => all.extend(launches(body)),
            Step::Switch { arms, .. } => all.extend(arms.iter().flat_map(|arm| launches(arm))),
            Step::Count { .. } | Step::Lookup { .. } | Step::Tally(_) => {}
        }
    }
    all
}

/// The launches of programs, of which `entries` are the entries.
pub fn plan(programs: &[&Program], entries: &Entries, gpu: Gpu) -> DevicePlan {
    let list = entries.kernels.iter().flat_map(|written| {
        written.entries.iter().map(|(symbol, entry)| DeviceEntry {
            symbol: symbol.clone(),
            threads: entry.threads.block as u32,
            buffers: written.kernel.buffers.len(),
            sizes: written.kernel.sizes,
            shared: entry.shared() as u32,
        })
    });
    let mut list = list.collect::<Vec<_>>();
    let updates = (!entries.updates.is_empty()).then_some(list.len());
    list.extend(entries.updates.iter().map(|update| update.entry()));
    let probe = entries.probe.map(|precision| Probe { entry: list.len(), operations: probed(precision) });
    list.extend(probe.map(|_| Probe::entry()));
    let programs = programs.iter().map(|program| DeviceProgram {
        name: program.name.clone(),
        counters: program.counters,
        steps: Planner { program, entries }.steps(&program.steps),
        narrow: narrow_buffers(program),
    });
    let (arch, precision) = (gpu.arch.name().to_string(), gpu.precision.name().to_string());
    DevicePlan { arch, precision, entries: list, programs: programs.collect(), updates, probe }
}

/// The buffers of bf16.
fn narrow_buffers(program: &Program) -> Vec<usize> {
    let all = program.buffers.iter().enumerate();
    all.filter(|(_, buffer)| buffer.element == Element::Bf16).map(|(place, _)| place).collect()
}

/// The operations of a block of the probe in one turn.
fn probed(precision: Precision) -> u64 {
    let of_warp = match precision {
        Precision::F32 => 2 * WARP,
        Precision::Tf32 => 2 * 16 * 8 * 8,
        Precision::Bf16 => 2 * 16 * 8 * 16,
    };
    (of_warp * Probe::THREADS / WARP * Probe::CHAINS * Probe::STEPS) as u64
}

struct Planner<'p> {
    program: &'p Program,
    entries: &'p Entries,
}

impl Planner<'_> {
    fn steps(&self, steps: &[Step]) -> Vec<DeviceStep> {
        steps.iter().flat_map(|step| self.step(step)).collect()
    }

    fn step(&self, step: &Step) -> Vec<DeviceStep> {
        vec![match step {
            Step::Launch(launch) => return self.launches(launch),
            Step::Loop { counter, turns, reverse, body } => {
                DeviceStep::Loop { counter: *counter, turns: turns.clone(), reverse: *reverse, body: self.steps(body) }
            }
            Step::Ask { counter, body } => DeviceStep::Ask { counter: *counter, body: self.steps(body) },
            Step::Tally(size) => DeviceStep::Tally(size.clone()),
            Step::Count { counter, from } => DeviceStep::Count { counter: *counter, from: self.argument(from) },
            Step::Lookup { counter, of, table } => {
                DeviceStep::Lookup { counter: *counter, of: *of, table: table.clone() }
            }
            Step::Switch { counter, table, arms } => DeviceStep::Switch {
                counter: *counter,
                table: table.clone(),
                arms: arms.iter().map(|arm| self.steps(arm)).collect(),
            },
        }]
    }

    fn launches(&self, launch: &Launch) -> Vec<DeviceStep> {
        let written = self.entries.get(&self.program.kernels[launch.kernel]);
        let launch_of = |(place, (_, entry)): (usize, &(String, Entry))| {
            DeviceStep::Launch(DeviceLaunch {
                entry: written.first + place,
                blocks: entry.blocks(&launch.sizes),
                arguments: launch.arguments.iter().map(|argument| self.argument(argument)).collect(),
                sizes: launch.sizes.clone(),
                path: launch.path.clone(),
            })
        };
        written.entries.iter().enumerate().map(launch_of).collect()
    }

    fn argument(&self, argument: &Argument) -> DeviceArgument {
        let bytes = self.program.buffers[argument.buffer].element.bytes() as i64;
        let bytes = argument.offset.clone().times(Size::Constant(bytes));
        DeviceArgument { buffer: argument.buffer, bytes }
    }
}
