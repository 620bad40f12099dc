//! The operands of one statement, asked for by what an instruction takes.

use super::References;
use crate::instruction::{Place, Source, Space};
use crate::module::Symbols;
use crate::syntax::{FunctionText, Operand, Register, Statement};
use crate::types::{Type, truncate};

pub(crate) struct Operands<'a> {
    pub function: &'a FunctionText,
    pub statement: &'a Statement,
    pub symbols: &'a Symbols,
    pub references: &'a mut References,
}

impl Operands<'_> {
    pub fn count(&self) -> usize {
        self.statement.operands.len()
    }

    pub fn at(&self, at: usize) -> Result<&Operand, String> {
        self.statement.operands.get(at).ok_or_else(|| format!("operand {} is missing", at + 1))
    }

    /// A register to write; `_` is register 0, which nobody reads.
    pub fn register(&self, at: usize) -> Result<(Register, Type), String> {
        destination(self.at(at)?)
    }

    /// `a` or `a|b`.
    pub fn pair(&self, at: usize) -> Result<(Register, Option<Register>), String> {
        match self.at(at)? {
            Operand::Pair(a, b) => Ok((destination(a)?.0, Some(destination(b)?.0))),
            single => Ok((destination(single)?.0, None)),
        }
    }

    /// `{a, b}` or a register alone; a 128-bit register is two of 64.
    pub fn registers(&self, at: usize) -> Result<(Box<[Register]>, u32), String> {
        let parts: Vec<&Operand> = match self.at(at)? {
            Operand::Vector(parts) => parts.iter().collect(),
            single => vec![single],
        };
        let mut registers = Vec::new();
        let mut bits = 0;
        for part in parts {
            let (register, of) = destination(part)?;
            registers.push(register);
            bits = bits.max(of.width());
            if of.width() == 128 {
                registers.push(register + 1);
            }
        }
        Ok((registers.into(), bits.min(64)))
    }

    /// A value of the given width.
    pub fn source(&mut self, at: usize, bits: u32) -> Result<Source, String> {
        let operand = self.at(at)?.clone();
        self.value(&operand, bits)
    }

    /// `{a, b}` or a value alone.
    pub fn sources(&mut self, at: usize, bits: u32) -> Result<Box<[Source]>, String> {
        match self.at(at)?.clone() {
            Operand::Vector(parts) => parts.iter().map(|part| self.value(part, bits)).collect(),
            Operand::Register(register, of) if of.width() == 128 => {
                Ok(Box::new([Source::Register(register), Source::Register(register + 1)]))
            }
            single => Ok(Box::new([self.value(&single, bits)?])),
        }
    }

    /// A predicate, and whether it is negated.
    pub fn predicate(&mut self, at: usize) -> Result<(Source, bool), String> {
        match self.at(at)?.clone() {
            Operand::Not(inner) => Ok((self.value(&inner, 1)?, true)),
            other => Ok((self.value(&other, 1)?, false)),
        }
    }

    pub fn value(&mut self, operand: &Operand, bits: u32) -> Result<Source, String> {
        match operand {
            Operand::Register(register, _) => Ok(Source::Register(*register)),
            Operand::Constant(value) => Ok(Source::Constant(truncate(*value, bits))),
            Operand::Special(special) => Ok(Source::Special(*special)),
            Operand::Frame(offset) => Ok(Source::Frame(*offset)),
            Operand::Parameter(offset) => Ok(Source::Constant(crate::memory::PARAMETER_WINDOW + u64::from(*offset))),
            Operand::Name(name, distance) => self.symbol(name, *distance),
            other => Err(format!("{other:?} is no value")),
        }
    }

    fn symbol(&mut self, name: &str, distance: i64) -> Result<Source, String> {
        if let Some(at) = self.symbols.variables.get(name) {
            self.references.variables.push(*at);
            return Ok(Source::Symbol(*at, distance));
        }
        match self.symbols.functions.get(name) {
            Some(at) => Ok(Source::Constant(crate::memory::CODE_WINDOW + *at as u64)),
            None => Err(format!("`{name}` is not declared")),
        }
    }

    /// The address `[base + distance]`.
    pub fn place(&mut self, at: usize, space: Space) -> Result<Place, String> {
        let Operand::Address(base, distance, _) = self.at(at)?.clone() else {
            return Err(format!("operand {} is no address", at + 1));
        };
        self.place_of(&base, distance, space)
    }

    pub fn place_of(&mut self, base: &Operand, distance: i64, space: Space) -> Result<Place, String> {
        let space = match (base, space) {
            (Operand::Frame(_), Space::Parameter) => Space::Local,
            _ => space,
        };
        Ok(Place { space, base: self.value(base, 64)?, distance })
    }

    /// What stands after the base in `[base, …]`.
    pub fn address_rest(&self, at: usize) -> Result<Vec<Operand>, String> {
        match self.at(at)? {
            Operand::Address(_, _, rest) => Ok(rest.clone()),
            _ => Err(format!("operand {} is no address", at + 1)),
        }
    }

    /// A name that is a label, a table or a function.
    pub fn name(&self, at: usize) -> Result<&str, String> {
        match self.at(at)? {
            Operand::Name(name, 0) => Ok(name),
            other => Err(format!("a name expected, found {other:?}")),
        }
    }

    /// The instruction that a label stands before, looked up from the innermost scope.
    pub fn label(&self, name: &str) -> Result<usize, String> {
        let find = |scope: &usize| {
            let mut labels = self.function.labels.iter();
            labels.find(|(home, known, _)| home == scope && known == name).map(|(_, _, at)| *at)
        };
        let found = self.statement.scopes.iter().rev().find_map(find);
        found.ok_or_else(|| format!("there is no label `{name}`"))
    }
}

fn destination(operand: &Operand) -> Result<(Register, Type), String> {
    match operand {
        Operand::Register(register, of) => Ok((*register, *of)),
        Operand::Sink => Ok((0, Type::new(crate::types::Kind::Bits, 64))),
        other => Err(format!("{other:?} is no register")),
    }
}
