//! A typed writer of MLIR text: every value knows its type, so that a line is written without spelling types.
//!
//! Functions are in the `llvm` dialect; inside them stand `arith`, `math`, `scf` and `vector` operations and loads and
//! stores through plain pointers. Constants are written once, at the head of their function.

use std::collections::HashMap;
use std::fmt::{self, Display, Write};

/// The element type of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A truth value.
    I1,
    /// A byte.
    I8,
    /// 16 bits.
    I16,
    /// 32 bits.
    I32,
    /// 64 bits.
    I64,
    /// IEEE half.
    F16,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// An address.
    Pointer,
}

impl Kind {
    /// Whether it is a float.
    pub fn is_float(self) -> bool {
        matches!(self, Kind::F16 | Kind::F32 | Kind::F64)
    }

    /// Bytes in memory.
    pub fn bytes(self) -> usize {
        match self {
            Kind::I1 | Kind::I8 => 1,
            Kind::I16 | Kind::F16 => 2,
            Kind::I32 | Kind::F32 => 4,
            Kind::I64 | Kind::F64 | Kind::Pointer => 8,
        }
    }
}

/// A scalar (`lanes` is 0) or a vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Type {
    /// What an element is.
    pub kind: Kind,
    /// How many elements; 0 for a scalar.
    pub lanes: usize,
}

impl Type {
    /// A scalar type.
    pub fn scalar(kind: Kind) -> Type {
        Type { kind, lanes: 0 }
    }

    /// A vector type.
    pub fn vector(kind: Kind, lanes: usize) -> Type {
        Type { kind, lanes }
    }

    /// The same shape with another element.
    pub fn with(self, kind: Kind) -> Type {
        Type { kind, ..self }
    }
}

impl Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::I1 => "i1",
            Kind::I8 => "i8",
            Kind::I16 => "i16",
            Kind::I32 => "i32",
            Kind::I64 => "i64",
            Kind::F16 => "f16",
            Kind::F32 => "f32",
            Kind::F64 => "f64",
            Kind::Pointer => "!llvm.ptr",
        })
    }
}

impl Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lanes == 0 { write!(f, "{}", self.kind) } else { write!(f, "vector<{}x{}>", self.lanes, self.kind) }
    }
}

/// An SSA value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value {
    id: u32,
    part: Option<u16>,
    /// Its type.
    pub ty: Type,
}

impl Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part {
            Some(part) => write!(f, "%{}#{part}", self.id),
            None => write!(f, "%{}", self.id),
        }
    }
}

/// A loop or branch that is being written.
#[derive(Debug)]
pub struct Open {
    id: u32,
    results: Vec<Type>,
}

/// Writes one module.
#[derive(Debug, Default)]
pub struct Writer {
    done: String,
    signature: String,
    head: String,
    body: String,
    next: u32,
    constants: HashMap<String, Value>,
    /// Lines that stand before the function that is being written.
    before: String,
    /// Whether `multiply_add` may be one instruction.
    pub fused: bool,
    /// Whether there are registers of 512 bits, and instructions that only they have.
    pub wide: bool,
    /// Whether functions of the C library may be called.
    pub library: bool,
}

impl Writer {
    /// An empty module.
    pub fn new(fused: bool) -> Writer {
        Writer { fused, library: true, ..Writer::default() }
    }

    /// From here on no function of the C library is called.
    pub fn without_library(&mut self) {
        self.library = false;
    }

    /// Adds a line outside of the function that is being written.
    pub fn beside(&mut self, line: &str) {
        self.before.push_str(line);
        self.before.push('\n');
    }

    /// The whole text.
    pub fn finish(self) -> String {
        format!("module {{\n{}}}\n", self.done)
    }

    /// Adds a line outside functions.
    pub fn declare(&mut self, line: &str) {
        self.done.push_str(line);
        self.done.push('\n');
    }

    /// Starts a function without result and returns its parameters.
    pub fn begin_function(&mut self, linkage: &str, name: &str, parameters: &[Type], attributes: &str) -> Vec<Value> {
        self.next = 0;
        self.constants.clear();
        let values = parameters.iter().map(|&ty| self.fresh(ty)).collect::<Vec<_>>();
        let list = values.iter().map(|value| format!("{value}: {}", value.ty)).collect::<Vec<_>>().join(", ");
        self.signature = format!("llvm.func {linkage}@{name}({list}) {attributes}{{\n");
        values
    }

    /// Ends the function.
    pub fn end_function(&mut self) {
        for part in [&mut self.before, &mut self.signature, &mut self.head, &mut self.body] {
            self.done.push_str(part);
            part.clear();
        }
        self.done.push_str("llvm.return\n}\n");
    }

    fn fresh(&mut self, ty: Type) -> Value {
        let id = self.next;
        self.next += 1;
        Value { id, part: None, ty }
    }

    /// Writes `%new = text`.
    pub fn define(&mut self, ty: Type, text: impl Display) -> Value {
        let value = self.fresh(ty);
        let _ = writeln!(self.body, "{value} = {text}");
        value
    }

    /// Writes a line without result.
    pub fn line(&mut self, text: impl Display) {
        let _ = writeln!(self.body, "{text}");
    }

    /// A constant, given as its attribute's text, at the head of the function.
    pub fn constant(&mut self, ty: Type, attribute: &str) -> Value {
        let literal = if ty.lanes == 0 { attribute.to_string() } else { format!("dense<{attribute}>") };
        // A truth's literal carries its type.
        let text = match (ty.kind, ty.lanes) {
            (Kind::I1, 0) => format!("arith.constant {literal}"),
            _ => format!("arith.constant {literal} : {ty}"),
        };
        self.at_head(ty, text)
    }

    /// A value that depends on nothing, at the head of the function; the same text is the same value.
    pub fn at_head(&mut self, ty: Type, text: String) -> Value {
        if let Some(&known) = self.constants.get(&text) {
            return known;
        }
        let value = self.fresh(ty);
        let _ = writeln!(self.head, "{value} = {text}");
        self.constants.insert(text, value);
        value
    }

    /// Starts a counted loop over i64; returns what ends it, the counter and the carried values.
    pub fn begin_for(&mut self, from: Value, to: Value, step: Value, carried: &[Value]) -> (Open, Value, Vec<Value>) {
        let id = self.next;
        self.next += 1;
        let counter = self.fresh(Type::scalar(Kind::I64));
        let inner = carried.iter().map(|value| self.fresh(value.ty)).collect::<Vec<_>>();
        let results = carried.iter().map(|value| value.ty).collect::<Vec<_>>();
        let mut line = if carried.is_empty() { String::new() } else { format!("%{id}:{} = ", carried.len()) };
        let _ = write!(line, "scf.for {counter} = {from} to {to} step {step}");
        if !carried.is_empty() {
            let pairs = inner.iter().zip(carried).map(|(inner, outer)| format!("{inner} = {outer}"));
            let _ = write!(line, " iter_args({}) -> ({})", pairs.collect::<Vec<_>>().join(", "), types(&results));
        }
        self.line(format!("{line} : i64 {{"));
        (Open { id, results }, counter, inner)
    }

    /// Starts a branch whose arms yield values of these types.
    pub fn begin_if(&mut self, condition: Value, results: &[Type]) -> Open {
        let id = self.next;
        self.next += 1;
        if results.is_empty() {
            self.line(format!("scf.if {condition} {{"));
        } else {
            self.line(format!("%{id}:{} = scf.if {condition} -> ({}) {{", results.len(), types(results)));
        }
        Open { id, results: results.to_vec() }
    }

    /// Ends the first arm and starts the other.
    pub fn begin_else(&mut self, yields: &[Value]) {
        self.yields(yields);
        self.line("} else {");
    }

    /// Ends a loop or branch and returns its results.
    pub fn end(&mut self, open: Open, yields: &[Value]) -> Vec<Value> {
        self.yields(yields);
        self.line("}");
        let part = |(place, ty): (usize, Type)| Value { id: open.id, part: Some(place as u16), ty };
        open.results.iter().copied().enumerate().map(part).collect()
    }

    fn yields(&mut self, values: &[Value]) {
        if !values.is_empty() {
            let list = values.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
            let kinds = values.iter().map(|value| value.ty).collect::<Vec<_>>();
            self.line(format!("scf.yield {list} : {}", types(&kinds)));
        }
    }
}

fn types(list: &[Type]) -> String {
    list.iter().map(Type::to_string).collect::<Vec<_>>().join(", ")
}
