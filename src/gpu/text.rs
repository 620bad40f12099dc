//! The text form of a plan of launches: what `archc emit --stage launches` and snapshots show.

use crate::plan::{Names, Program};
use archc_runtime::abi::{DeviceArgument, DeviceLaunch, DevicePlan, DeviceStep, Size};
use std::fmt::Write;

/// A plan as text, with the names of the programs that it was made from.
pub fn text(plan: &DevicePlan, programs: &[&Program]) -> String {
    let mut out = String::new();
    for (place, entry) in plan.entries.iter().enumerate() {
        let (symbol, threads) = (&entry.symbol, entry.threads);
        let shared = if entry.shared > 0 { format!(", {} bytes shared", entry.shared) } else { String::new() };
        let (buffers, sizes) = (entry.buffers, entry.sizes);
        let _ = writeln!(out, "e{place} {symbol} ({buffers} buffers, {sizes} sizes) {threads} threads{shared}");
    }
    for (device, program) in plan.programs.iter().zip(programs) {
        let _ = writeln!(out, "program {}({})", device.name, program.symbols.join(", "));
        if !device.narrow.is_empty() {
            let narrow = device.narrow.iter().map(|place| format!("b{place}")).collect::<Vec<_>>().join(", ");
            let _ = writeln!(out, "  in bf16: {narrow}");
        }
        Text { plan, names: Names { program }, out: &mut out }.steps(&device.steps, 1);
    }
    out
}

struct Text<'t> {
    plan: &'t DevicePlan,
    names: Names<'t>,
    out: &'t mut String,
}

impl Text<'_> {
    fn steps(&mut self, steps: &[DeviceStep], depth: usize) {
        for step in steps {
            let line = self.line(step);
            let _ = writeln!(self.out, "{}{line}", "  ".repeat(depth));
            match step {
                DeviceStep::Loop { body, .. } | DeviceStep::Ask { body, .. } => self.steps(body, depth + 1),
                DeviceStep::Switch { arms, .. } => {
                    for arm in arms {
                        let _ = writeln!(self.out, "{}arm", "  ".repeat(depth + 1));
                        self.steps(arm, depth + 2);
                    }
                }
                DeviceStep::Launch(_) | DeviceStep::Count { .. } | DeviceStep::Lookup { .. } | DeviceStep::Tally(_) => {
                }
            }
        }
    }

    fn line(&self, step: &DeviceStep) -> String {
        let name = |counter: usize| self.names.size(&Size::Symbol(counter));
        match step {
            DeviceStep::Launch(launch) => self.launch(launch),
            DeviceStep::Loop { counter, turns, reverse, .. } => {
                let order = if *reverse { " reverse" } else { "" };
                format!("for {} in {}{order}", name(*counter), self.names.size(turns))
            }
            DeviceStep::Ask { counter, .. } => format!("ask {}", name(*counter)),
            DeviceStep::Tally(size) => format!("tally {}", self.names.size(size)),
            DeviceStep::Count { counter, from } => format!("{} = {}", name(*counter), self.argument(from)),
            DeviceStep::Lookup { counter, of, table } => format!("{} = {} of {table:?}", name(*counter), name(*of)),
            DeviceStep::Switch { counter, table, .. } => format!("switch {} {table:?}", name(*counter)),
        }
    }

    fn launch(&self, launch: &DeviceLaunch) -> String {
        let entry = &self.plan.entries[launch.entry].symbol;
        let blocks = self.names.size(&launch.blocks);
        let arguments = launch.arguments.iter().map(|one| self.argument(one)).collect::<Vec<_>>().join(", ");
        let sizes = launch.sizes.iter().map(|size| self.names.size(size)).collect::<Vec<_>>().join(", ");
        format!("{entry}<{blocks}>({arguments}) [{sizes}]  # {}", launch.path)
    }

    fn argument(&self, argument: &DeviceArgument) -> String {
        match self.names.size(&argument.bytes).as_str() {
            "0" => format!("b{}", argument.buffer),
            bytes => format!("b{}+{bytes}", argument.buffer),
        }
    }
}
