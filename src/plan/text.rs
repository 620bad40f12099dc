//! The text form of a program: buffers, steps, kernels. It names no hardware, so it is the same everywhere.

use super::program::{Argument, Launch, Program, Step};
use crate::kernel::*;
use archc_runtime::abi::{BufferInfo, Role, Size};
use std::fmt::{Display, Formatter, Result, Write};

impl Display for Program {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let names = Names { program: self };
        writeln!(out, "program {}({})", self.name, self.symbols.join(", "))?;
        writeln!(out, "multiply-adds {}", names.size(&self.multiply_adds))?;
        for (place, buffer) in self.buffers.iter().enumerate() {
            writeln!(out, "  {}", names.buffer(place, buffer))?;
        }
        let mut steps = Steps { names: &names, number: 0, out };
        steps.write(&self.steps, 1)?;
        for (place, kernel) in self.kernels.iter().enumerate() {
            write!(out, "kernel k{place} {}", KernelText(kernel))?;
        }
        Ok(())
    }
}

/// Sizes as text, in the names of a program's symbols.
#[derive(Debug, Clone, Copy)]
pub struct Names<'p> {
    /// The program.
    pub program: &'p Program,
}

impl Names<'_> {
    /// A size as text.
    pub fn size(&self, size: &Size) -> String {
        let list = |sizes: &[Size], sign: &str| sizes.iter().map(|one| self.size(one)).collect::<Vec<_>>().join(sign);
        match size {
            Size::Constant(number) => number.to_string(),
            Size::Symbol(place) => match self.program.symbols.get(*place) {
                Some(name) => name.clone(),
                None => format!("turn{}", place - self.program.symbols.len()),
            },
            Size::Sum(terms) => format!("({})", list(terms, " + ")),
            Size::Product(factors) => list(factors, "·"),
            Size::CeilDivide(over, under) => format!("ceil({} / {})", self.size(over), self.size(under)),
            Size::Max(left, right) => format!("max({}, {})", self.size(left), self.size(right)),
            Size::Min(left, right) => format!("min({}, {})", self.size(left), self.size(right)),
        }
    }

    fn buffer(&self, place: usize, buffer: &BufferInfo) -> String {
        let shape = buffer.shape.iter().map(|size| self.size(size)).collect::<Vec<_>>().join(", ");
        let role = match buffer.role {
            Role::Temporary { first, last } => format!("steps {first}-{last}"),
            ref role => format!("{role:?}").to_lowercase(),
        };
        format!("b{place} {}: {:?}[{shape}] {role}", buffer.name, buffer.element)
    }

    fn argument(&self, argument: &Argument) -> String {
        match self.size(&argument.offset).as_str() {
            "0" => format!("b{}", argument.buffer),
            offset => format!("b{}+{offset}", argument.buffer),
        }
    }

    fn launch(&self, launch: &Launch) -> String {
        let arguments = launch.arguments.iter().map(|one| self.argument(one)).collect::<Vec<_>>().join(", ");
        let sizes = launch.sizes.iter().map(|size| self.size(size)).collect::<Vec<_>>().join(", ");
        let name = &self.program.kernels[launch.kernel].name;
        format!("k{} {name}({arguments}) [{sizes}]  # {}", launch.kernel, launch.path)
    }
}

struct Steps<'s, 'p, 'f, 'o> {
    names: &'s Names<'p>,
    number: usize,
    out: &'f mut Formatter<'o>,
}

impl Steps<'_, '_, '_, '_> {
    fn write(&mut self, steps: &[Step], depth: usize) -> Result {
        for step in steps {
            write!(self.out, "{:4}{}", self.number, "  ".repeat(depth))?;
            self.number += 1;
            match step {
                Step::Launch(launch) => writeln!(self.out, "{}", self.names.launch(launch))?,
                Step::Loop { counter, turns, reverse, body } => {
                    let counter = self.names.size(&Size::Symbol(*counter));
                    let order = if *reverse { " reverse" } else { "" };
                    writeln!(self.out, "for {counter} in {}{order}", self.names.size(turns))?;
                    self.write(body, depth + 1)?;
                }
                Step::Ask { counter, body } => {
                    writeln!(self.out, "ask {}", self.names.size(&Size::Symbol(*counter)))?;
                    self.write(body, depth + 1)?;
                }
                Step::Tally(size) => writeln!(self.out, "tally {}", self.names.size(size))?,
                Step::Count { counter, from } => {
                    let counter = self.names.size(&Size::Symbol(*counter));
                    writeln!(self.out, "{counter} = {}", self.names.argument(from))?;
                }
                Step::Lookup { counter, of, table } => {
                    let [counter, of] = [counter, of].map(|counter| self.names.size(&Size::Symbol(*counter)));
                    writeln!(self.out, "{counter} = {of} of {table:?}")?;
                }
                Step::Switch { counter, table, arms } => {
                    let counter = self.names.size(&Size::Symbol(*counter));
                    writeln!(self.out, "switch {counter} {table:?}")?;
                    for arm in arms {
                        writeln!(self.out, "    {}arm", "  ".repeat(depth))?;
                        self.write(arm, depth + 1)?;
                    }
                }
            }
        }
        Ok(())
    }
}

/// A kernel's text.
struct KernelText<'k>(&'k Kernel);

impl Display for KernelText<'_> {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let Kernel { name, buffers, sizes, form } = self.0;
        let buffers = buffers.iter().enumerate().map(|(place, buffer)| {
            format!("p{place}: {:?}{}", buffer.element, if buffer.written { " mut" } else { "" })
        });
        writeln!(out, "{name}({}) {sizes} sizes", buffers.collect::<Vec<_>>().join(", "))?;
        match form {
            Form::Nest(nest) => {
                for parallel in &nest.parallel {
                    writeln!(out, "  parallel i{} < {}", parallel.index.0, amount(parallel.extent))?;
                }
                statements(out, &nest.body, 1)
            }
            other => writeln!(out, "  {other:?}"),
        }
    }
}

fn amount(amount: Amount) -> String {
    match amount {
        Amount::Constant(number) => number.to_string(),
        Amount::Size(place) => format!("s{place}"),
    }
}

fn bound(bound: Bound) -> String {
    match bound {
        Bound::Amount(size) => amount(size),
        Bound::Register(register) => format!("r{}", register.0),
    }
}

fn address(address: &Address) -> String {
    let mut text = format!("p{}[", address.buffer);
    for (term, stride) in &address.terms {
        let term = match term {
            AddressTerm::Index(index) => format!("i{}", index.0),
            AddressTerm::Register(register) => format!("r{}", register.0),
        };
        let _ = match stride {
            Amount::Constant(1) => write!(text, "{term} + "),
            stride => write!(text, "{term}·{} + ", amount(*stride)),
        };
    }
    let _ = write!(text, "{}]", address.offset);
    text.replace(" + 0]", "]")
}

fn statements(out: &mut Formatter<'_>, list: &[Statement], depth: usize) -> Result {
    list.iter().try_for_each(|one| statement(out, one, depth))
}

fn statement(out: &mut Formatter<'_>, statement: &Statement, depth: usize) -> Result {
    write!(out, "{}", "  ".repeat(depth))?;
    match statement {
        Statement::Number(register, number, ty) => writeln!(out, "r{} = {number} {ty:?}", register.0),
        Statement::Count(register, CountSource::Index(index)) => writeln!(out, "r{} = i{}", register.0, index.0),
        Statement::Count(register, CountSource::Amount(size)) => writeln!(out, "r{} = {}", register.0, amount(*size)),
        Statement::Call(register, function, arguments) => {
            let arguments = arguments.iter().map(|argument| format!("r{}", argument.0)).collect::<Vec<_>>();
            writeln!(out, "r{} = {}({})", register.0, function.name(), arguments.join(", "))
        }
        Statement::Convert(register, ty, source) => writeln!(out, "r{} = r{} as {ty:?}", register.0, source.0),
        Statement::Load(register, from) => writeln!(out, "r{} = {}", register.0, address(from)),
        Statement::Store(to, register) => writeln!(out, "{} = r{}", address(to), register.0),
        Statement::Add(to, register) => writeln!(out, "{} += r{}", address(to), register.0),
        Statement::Random(request) => writeln!(out, "{request:?}"),
        Statement::Normals([a, b], [first, second]) => {
            writeln!(out, "r{}, r{} = normals(r{}, r{})", a.0, b.0, first.0, second.0)
        }
        Statement::Loop(inner) => repeat(out, inner, depth),
        Statement::If(condition, inner) => {
            writeln!(out, "if r{}", condition.0)?;
            statements(out, inner, depth + 1)
        }
    }
}

fn repeat(out: &mut Formatter<'_>, inner: &Loop, depth: usize) -> Result {
    let lanes = if inner.lanes { " lanes" } else { "" };
    let order = if inner.reverse { " reverse" } else { "" };
    write!(out, "for i{} in {}..{}{lanes}{order}", inner.index.0, bound(inner.from), bound(inner.to))?;
    for carried in &inner.carried {
        let combine = carried.combine.map_or(String::new(), |combine| format!(" {combine:?}").to_lowercase());
        write!(out, " r{} = r{} then r{}{combine}", carried.register.0, carried.initial.0, carried.next.0)?;
    }
    writeln!(out)?;
    statements(out, &inner.body, depth + 1)
}
