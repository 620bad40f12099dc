//! What crosses between a process and its machine, and what is launched there.

use std::sync::{Arc, Mutex};

/// A record that a machine and who watches it share.
#[derive(Debug, Clone, Default)]
pub struct Traffic(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    crossed: Crossed,
    copies: [usize; 2],
    asked: usize,
    recorded: u64,
    launched: Vec<String>,
}

/// Bytes that have crossed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Crossed {
    /// To the machine.
    pub up: usize,
    /// From it.
    pub down: usize,
}

impl Crossed {
    /// To it, and from it.
    pub fn both(self) -> [usize; 2] {
        [self.up, self.down]
    }
}

impl Traffic {
    /// Bytes go to the machine.
    pub fn up(&self, bytes: usize) {
        let mut record = self.0.lock().expect("nobody panics");
        record.crossed.up += bytes;
        record.copies[0] += 1;
    }

    /// Bytes come from it.
    pub fn down(&self, bytes: usize) {
        let mut record = self.0.lock().expect("nobody panics");
        record.crossed.down += bytes;
        record.copies[1] += 1;
    }

    /// An entry is launched with so many blocks.
    pub fn launched(&self, symbol: &str, blocks: u32, sizes: &[i64]) {
        let line = format!("{symbol}<{blocks}> {}", sizes.first().copied().unwrap_or(0));
        self.0.lock().expect("nobody panics").launched.push(line);
    }

    /// The machine is asked to launch something: an entry, or all that was recorded under a number.
    pub fn asked(&self) {
        self.0.lock().expect("nobody panics").asked += 1;
    }

    /// Launches are recorded: how often they have been.
    pub fn recorded(&self) -> u64 {
        let mut record = self.0.lock().expect("nobody panics");
        record.recorded += 1;
        record.recorded
    }

    /// How often the machine was asked to launch something, and how often launches were recorded.
    pub fn requests(&self) -> (usize, u64) {
        let record = self.0.lock().expect("nobody panics");
        (record.asked, record.recorded)
    }

    /// How much has been launched, one by one or as part of what was recorded.
    pub fn launches(&self) -> usize {
        self.0.lock().expect("nobody panics").launched.len()
    }

    /// What has crossed up to now.
    pub fn crossed(&self) -> Crossed {
        self.0.lock().expect("nobody panics").crossed
    }

    /// How many times something has crossed, to the machine and from it.
    pub fn copies(&self) -> [usize; 2] {
        self.0.lock().expect("nobody panics").copies
    }

    /// What has been launched that moves parameters: each entry with its blocks and the count of its numbers.
    pub fn updates(&self) -> Vec<String> {
        let record = self.0.lock().expect("nobody panics");
        record.launched.iter().filter(|line| line.starts_with("update_")).cloned().collect()
    }
}
