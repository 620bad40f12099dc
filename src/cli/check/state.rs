//! What decoding keeps: every state with its bytes, as a formula of batch and context.

use super::{F32_BYTES, bytes, grouped};
use crate::derive::{self, NotIncremental};
use crate::graph::{Graph, Op};
use crate::tensor::{AxisId, BATCH, DType};
use archc_runtime::abi::names;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// One line for each state of a step program, and their sum for so many rows and positions.
pub(super) fn report(step: Option<&Graph>, refused: Option<&NotIncremental>, rows: u64, positions: u64) -> String {
    let Some(step) = step else {
        let why = refused.map(|refused| format!("none: {refused}; each new token computes the whole sequence\n"));
        return format!("state         {}", why.unwrap_or("none: nothing here grows token by token\n".into()));
    };
    let mut text = String::new();
    let mut by_row = 0;
    let mut by_sequence: BTreeMap<&str, u64> = BTreeMap::new();
    for id in step.root.ids() {
        let node = step.root.node(id);
        let Op::Input(name) = &node.op else { continue };
        if !name.starts_with(derive::STATE) {
            continue;
        }
        let ty = &node.results[0].ty;
        let sizes = ty.axes.iter().filter_map(|axis| step.axes.fixed(*axis));
        let count = sizes.product::<i64>() as u64 * bytes_of(ty.dtype);
        let sequence = ty.axes.iter().find(|axis| step.axes.is_sequence(**axis));
        *sequence.map_or(&mut by_row, |axis| by_sequence.entry(&step.axes[*axis].name).or_default()) += count;
        let axes = ty.axes.iter().map(|axis| axis_text(step, *axis)).collect::<Vec<_>>().join(", ");
        let each = if sequence.is_some() { "a position of a row" } else { "a row" };
        let _ = writeln!(text, "  {name:20}  {:>12} B {each}  [{axes}]", grouped(count));
    }
    let total = rows * (by_row + by_sequence.values().sum::<u64>() * positions);
    let row = Some(by_row).filter(|bytes| *bytes > 0 || by_sequence.is_empty());
    let row = row.map(|bytes| format!("{} B", grouped(bytes)));
    let grown = by_sequence.iter().map(|(name, bytes)| format!("{name} · {} B", grouped(*bytes)));
    let parts = row.into_iter().chain(grown).collect::<Vec<_>>();
    let formula = match parts.as_slice() {
        [only] => format!("batch · {only}"),
        all => format!("batch · ({})", all.join(" + ")),
    };
    let _ = writeln!(text, "state         {formula}: {} for batch {rows}, context {positions}", bytes(total));
    text
}

/// What the first piece of a row must hold, if a position may see later ones.
pub(super) fn look_ahead(begin: &Graph) -> Option<String> {
    let place = begin.outputs.iter().position(|name| name == names::AHEAD)?;
    let mut open = begin.root.results[place].into_iter().collect::<Vec<_>>();
    let mut inputs = BTreeSet::new();
    while let Some(value) = open.pop() {
        let node = begin.root.node(value.node);
        if let Op::Input(name) = &node.op {
            inputs.insert(format!("`{name}`"));
        }
        open.extend(node.reads());
    }
    let from = inputs.into_iter().collect::<Vec<_>>().join(", ");
    let text = "look-ahead    the first positions of a row see each other, and its first piece holds them; how many, ";
    Some(format!("{text}{from} says\n"))
}

fn axis_text(step: &Graph, axis: AxisId) -> String {
    let name = &step.axes[axis].name;
    match step.axes.fixed(axis) {
        Some(size) => format!("{name} {size}"),
        None if axis == BATCH => "batch".into(),
        None => name.clone(),
    }
}

fn bytes_of(dtype: DType) -> u64 {
    if dtype == DType::Bool { 1 } else { F32_BYTES }
}
