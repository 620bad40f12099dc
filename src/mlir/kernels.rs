//! Kernels of all programs of a module: equal ones are written once.

use super::arithmetic::Order;
use super::text::{Value, Writer};
use super::{attend, gemm, nest};
use crate::kernel::{Amount, Form, Kernel};
use crate::plan::Program;
use crate::target::Target;
use std::collections::HashMap;

/// The symbols of kernels that are written.
#[derive(Debug)]
pub struct Symbols {
    names: HashMap<String, String>,
    target: Target,
}

impl Symbols {
    /// Writes the body of every distinct kernel.
    pub fn write(writer: &mut Writer, programs: &[&Program], target: &Target) -> Symbols {
        let mut symbols = Symbols { names: HashMap::new(), target: target.clone() };
        let kernels = programs.iter().flat_map(|program| &program.kernels).collect::<Vec<_>>();
        if kernels.iter().any(|kernel| !matches!(kernel.form, Form::Nest(_) | Form::Pack(_))) {
            gemm::write_micro_kernels(writer, target);
        }
        for kernel in kernels {
            let identity = kernel.identity();
            if symbols.names.contains_key(&identity) {
                continue;
            }
            let symbol = format!("kernel_{}_{}", symbols.names.len(), clean(&kernel.name));
            write_body(writer, &symbol, kernel, target);
            symbols.names.insert(identity, symbol);
        }
        symbols
    }

    /// The symbol of a kernel's body.
    pub fn of(&self, kernel: &Kernel) -> String {
        self.names[&kernel.identity()].clone()
    }

    /// What the bodies are written for.
    pub fn target(&self) -> &Target {
        &self.target
    }
}

fn clean(name: &str) -> String {
    name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect()
}

fn write_body(writer: &mut Writer, symbol: &str, kernel: &Kernel, target: &Target) {
    match &kernel.form {
        Form::Nest(form) => nest::write(writer, symbol, kernel, form, target.lanes),
        Form::Gemm(form) => gemm::write(writer, symbol, kernel, form, target),
        Form::Pack(form) => gemm::write_pack(writer, symbol, kernel, form, target),
        Form::Attend(form) => attend::write(writer, symbol, kernel, form, target),
        Form::AttendGradient(form) => attend::write_gradient(writer, symbol, kernel, form, target),
    }
}

/// How the turns of a kernel's body may be split.
#[derive(Debug, Clone, Copy)]
pub struct Turns {
    /// How many there are.
    pub count: Value,
    /// Whether they may run on several threads.
    pub splits: bool,
    /// The work that a chunk should have, in the units of [`crate::plan::Launch`]'s.
    pub chunk: Value,
    /// Turns that go together: a chunk has a multiple of them.
    pub group: i64,
}

/// Work of a chunk that costs about what its operations cost.
const CHUNK: i64 = 32_768;

/// The turns of a kernel at a launch.
pub fn turns(
    writer: &mut Writer,
    kernel: &Kernel,
    target: &Target,
    amount: &dyn Fn(&mut Writer, Amount) -> Value,
) -> Turns {
    match &kernel.form {
        Form::Nest(form) => {
            let count = product(writer, form.parallel.iter().map(|parallel| parallel.extent), amount);
            let group = nest::group(form, target.lanes) as i64;
            Turns { count, splits: !form.parallel.is_empty(), chunk: writer.int(CHUNK), group }
        }
        Form::Gemm(form) => {
            let count = gemm::blocks(writer, form, target, amount);
            Turns { count, splits: true, chunk: gemm::chunk(writer, form, amount), group: gemm::group(form) }
        }
        Form::Pack(form) => {
            let count = gemm::panels(writer, form, target, amount);
            Turns { count, splits: true, chunk: writer.int(CHUNK), group: 1 }
        }
        Form::Attend(form) => {
            let count = attend::turns(writer, form, amount);
            Turns { count, splits: true, chunk: writer.int(attend::CHUNK), group: 1 }
        }
        Form::AttendGradient(form) => {
            let count = attend::gradient_turns(writer, form, amount);
            Turns { count, splits: true, chunk: writer.int(attend::CHUNK), group: 1 }
        }
    }
}

/// The product of amounts, and 0 if any is not positive.
pub fn product(
    writer: &mut Writer,
    amounts: impl Iterator<Item = Amount>,
    amount: &dyn Fn(&mut Writer, Amount) -> Value,
) -> Value {
    let mut count = writer.int(1);
    for extent in amounts {
        let extent = amount(writer, extent);
        count = writer.multiply(count, extent);
    }
    let zero = writer.int(0);
    let negative = writer.compare(Order::Less, count, zero);
    writer.select(negative, zero, count)
}
