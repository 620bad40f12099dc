//! Which entries of a plan have been launched.

use archc_runtime::abi::{DevicePlan, DeviceStep};
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

/// The entries that programs launch, and those that were launched; shared by all copies.
#[derive(Debug, Clone)]
pub struct Coverage {
    plan: DevicePlan,
    launched: Arc<Mutex<BTreeSet<usize>>>,
}

impl Coverage {
    /// Nothing of a plan yet.
    pub fn of(plan: &DevicePlan) -> Coverage {
        Coverage { plan: plan.clone(), launched: Arc::default() }
    }

    /// An entry is launched.
    pub fn add(&self, entry: usize) {
        self.launched.lock().expect("nobody panics").insert(entry);
    }

    /// The entries of programs with these names that were not launched.
    pub fn missed(&self, programs: impl Fn(&str) -> bool) -> Vec<&str> {
        let launched = self.launched.lock().expect("nobody panics");
        let asked = self.plan.programs.iter().filter(|program| programs(&program.name));
        let all = asked.flat_map(|program| entries(&program.steps)).collect::<BTreeSet<_>>();
        all.difference(&launched).map(|entry| self.plan.entries[*entry].symbol.as_str()).collect()
    }
}

/// All that some steps launch.
fn entries(steps: &[DeviceStep]) -> Vec<usize> {
    let of_step = |step: &DeviceStep| match step {
        DeviceStep::Launch(launch) => vec![launch.entry],
        DeviceStep::Loop { body, .. } | DeviceStep::Ask { body, .. } => entries(body),
        DeviceStep::Switch { arms, .. } => arms.iter().flat_map(|arm| entries(arm)).collect(),
        DeviceStep::Count { .. } | DeviceStep::Lookup { .. } | DeviceStep::Tally(_) => Vec::new(),
    };
    steps.iter().flat_map(of_step).collect()
}
