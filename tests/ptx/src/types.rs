//! The types that instructions name (PTX ISA, "Fundamental types", "Alternate floating-point data formats").

/// What the bits of a value mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Bits,
    Unsigned,
    Signed,
    /// IEEE: 16, 32 or 64 bits.
    Float,
    /// bfloat16.
    Brain,
    /// tf32 in a 32-bit register.
    Tensor,
    /// Eight bits: four of exponent, three of mantissa.
    E4M3,
    /// Eight bits: five of exponent, two of mantissa.
    E5M2,
    Predicate,
}

/// A type: one value of `bits`, or `lanes` of them packed in one register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Type {
    pub kind: Kind,
    pub bits: u32,
    pub lanes: u32,
}

impl Type {
    pub const PREDICATE: Type = Type { kind: Kind::Predicate, bits: 1, lanes: 1 };
    pub const F32: Type = Type::new(Kind::Float, 32);

    pub const fn new(kind: Kind, bits: u32) -> Type {
        Type { kind, bits, lanes: 1 }
    }

    /// Reads a type's name, without its dot.
    pub fn parse(name: &str) -> Option<Type> {
        if let Some(single) = name.strip_suffix("x2").and_then(Type::parse) {
            return (single.lanes == 1).then_some(Type { lanes: 2, ..single });
        }
        let known = match name {
            "pred" => Type::PREDICATE,
            "bf16" => Type::new(Kind::Brain, 16),
            "tf32" => Type::new(Kind::Tensor, 32),
            "e4m3" => Type::new(Kind::E4M3, 8),
            "e5m2" => Type::new(Kind::E5M2, 8),
            _ => return Type::plain(name),
        };
        Some(known)
    }

    fn plain(name: &str) -> Option<Type> {
        let (letter, digits) = name.split_at_checked(1)?;
        let bits = digits.parse().ok()?;
        let (kind, widths): (Kind, &[u32]) = match letter {
            "b" => (Kind::Bits, &[8, 16, 32, 64, 128]),
            "u" => (Kind::Unsigned, &[8, 16, 32, 64]),
            "s" => (Kind::Signed, &[8, 16, 32, 64]),
            "f" => (Kind::Float, &[16, 32, 64]),
            _ => return None,
        };
        widths.contains(&bits).then_some(Type::new(kind, bits))
    }

    /// Bits of the whole register.
    pub fn width(self) -> u32 {
        self.bits * self.lanes
    }

    pub fn bytes(self) -> usize {
        (self.width() as usize).div_ceil(8)
    }

    pub fn is_float(self) -> bool {
        matches!(self.kind, Kind::Float | Kind::Brain | Kind::Tensor)
    }

    pub fn is_signed(self) -> bool {
        self.kind == Kind::Signed
    }

    pub fn single(self) -> Type {
        Type { lanes: 1, ..self }
    }
}

/// The low `bits` of a value.
pub(crate) fn truncate(value: u64, bits: u32) -> u64 {
    if bits >= 64 { value } else { value & ((1 << bits) - 1) }
}

/// The low `bits` of a value as a signed number.
pub(crate) fn extend(value: u64, bits: u32) -> i64 {
    let unused = 64 - bits.min(64);
    ((value << unused) as i64) >> unused
}
