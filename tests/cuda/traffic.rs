//! What crosses between a process and its machine, and what is launched there.

use std::sync::{Arc, Mutex};

/// A record that a machine and who watches it share.
#[derive(Debug, Clone, Default)]
pub struct Traffic(Arc<Mutex<Record>>);

#[derive(Debug, Default)]
struct Record {
    crossed: Crossed,
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

impl Traffic {
    /// Bytes go to the machine.
    pub fn up(&self, bytes: usize) {
        self.0.lock().expect("nobody panics").crossed.up += bytes;
    }

    /// Bytes come from it.
    pub fn down(&self, bytes: usize) {
        self.0.lock().expect("nobody panics").crossed.down += bytes;
    }

    /// An entry is launched with so many blocks.
    pub fn launched(&self, symbol: &str, blocks: u32, sizes: &[i64]) {
        let line = format!("{symbol}<{blocks}> {}", sizes.first().copied().unwrap_or(0));
        self.0.lock().expect("nobody panics").launched.push(line);
    }

    /// What has crossed up to now.
    pub fn crossed(&self) -> Crossed {
        self.0.lock().expect("nobody panics").crossed
    }

    /// What has been launched that moves parameters: each entry with its blocks and the count of its numbers.
    pub fn updates(&self) -> Vec<String> {
        let record = self.0.lock().expect("nobody panics");
        record.launched.iter().filter(|line| line.starts_with("update_")).cloned().collect()
    }
}
