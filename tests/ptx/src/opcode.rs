//! An opcode and its modifiers, taken apart at its dots.

use crate::types::Type;

/// How a result that does not fit is rounded (PTX ISA, "Rounding modifiers").
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rounding {
    /// `.rn`, `.rni`
    NearestEven,
    /// `.rna`
    NearestAway,
    /// `.rz`, `.rzi`
    Zero,
    /// `.rm`, `.rmi`
    Down,
    /// `.rp`, `.rpi`
    Up,
}

/// `mad.lo.s32` as its parts.
pub(crate) struct Opcode<'a> {
    pub parts: Vec<&'a str>,
}

impl<'a> Opcode<'a> {
    pub fn new(text: &'a str) -> Opcode<'a> {
        Opcode { parts: text.split('.').collect() }
    }

    pub fn name(&self) -> &'a str {
        self.parts[0]
    }

    pub fn has(&self, part: &str) -> bool {
        self.parts.contains(&part)
    }

    /// The first of the given parts that is there.
    pub fn one_of(&self, parts: &[&'a str]) -> Option<&'a str> {
        parts.iter().copied().find(|part| self.has(part))
    }

    pub fn types(&self) -> Vec<Type> {
        self.parts[1..].iter().filter_map(|part| Type::parse(part)).collect()
    }

    /// The last type: the one that most instructions are about.
    pub fn of(&self) -> Option<Type> {
        self.types().last().copied()
    }

    /// The rounding modifier, and whether it rounds to an integral value.
    pub fn rounding(&self) -> Option<(Rounding, bool)> {
        self.parts[1..].iter().find_map(|part| {
            let mode = match *part {
                "rn" | "rni" => Rounding::NearestEven,
                "rna" => Rounding::NearestAway,
                "rz" | "rzi" => Rounding::Zero,
                "rm" | "rmi" => Rounding::Down,
                "rp" | "rpi" => Rounding::Up,
                _ => return None,
            };
            Some((mode, part.len() == 3 && *part != "rna"))
        })
    }

    /// `.v2`, `.v4`, `.v8`, or one.
    pub fn vector(&self) -> usize {
        match self.one_of(&["v2", "v4", "v8"]) {
            Some("v2") => 2,
            Some("v4") => 4,
            Some(_) => 8,
            None => 1,
        }
    }
}
