//! Loads and stores: elements in memory to values in registers and back, one, in a row, or scattered.

use super::arithmetic::Order;
use super::text::{Kind, Type, Value, Writer};
use archc_runtime::abi::Element;

/// Where the lanes of an access are.
#[derive(Debug, Clone, Copy)]
pub enum Place {
    /// All lanes (or the only one) at this element.
    One(Value),
    /// Lane i at this element plus i.
    Row(Value),
    /// Lane i at the element of lane i (a vector of i64).
    Scattered(Value),
}

/// What is the same for all accesses of a statement: how many lanes, and which take part.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lanes {
    /// 0 outside vectorised loops.
    pub count: usize,
    /// A vector of truths; none if all take part.
    pub mask: Option<Value>,
}

/// What memory is brought closer to.
#[derive(Debug, Clone, Copy)]
pub enum Cache {
    /// The smallest, for what is read within tens of cycles.
    First,
    /// The next.
    Second,
}

/// `f32`s of a line of the cache.
pub const LINE: usize = 16;

/// The kind of an element in memory.
pub fn stored_kind(element: Element) -> Kind {
    match element {
        Element::F32 => Kind::F32,
        Element::F64 => Kind::F64,
        Element::Bf16 => Kind::I16,
        Element::F16 => Kind::F16,
        Element::I32 => Kind::I32,
        Element::Bool => Kind::I8,
    }
}

impl Writer {
    /// The address of an element.
    pub fn element_address(&mut self, base: Value, place: Value, kind: Kind) -> Value {
        let ty = Type { kind: Kind::Pointer, lanes: place.ty.lanes };
        self.define(ty, format!("llvm.getelementptr {base}[{place}] : (!llvm.ptr, {}) -> {ty}, {kind}", place.ty))
    }

    /// The address a constant number of elements further.
    pub fn address_at(&mut self, base: Value, elements: usize, kind: Kind) -> Value {
        if elements == 0 {
            return base;
        }
        let ty = Type::scalar(Kind::Pointer);
        self.define(ty, format!("llvm.getelementptr {base}[{elements}] : (!llvm.ptr) -> !llvm.ptr, {kind}"))
    }

    /// Reads a scalar or a vector of consecutive elements.
    pub fn load(&mut self, address: Value, ty: Type) -> Value {
        let alignment = ty.kind.bytes();
        self.define(ty, format!("llvm.load {address} {{alignment = {alignment} : i64}} : !llvm.ptr -> {ty}"))
    }

    /// Asks for memory that is read soon to come to a cache. Any address may be asked for.
    pub fn prefetch(&mut self, address: Value, cache: Cache) {
        self.prefetch_for(address, cache, false);
    }

    /// The same for memory that is written soon.
    pub fn prefetch_to_write(&mut self, address: Value, cache: Cache) {
        self.prefetch_for(address, cache, true);
    }

    fn prefetch_for(&mut self, address: Value, cache: Cache, writes: bool) {
        let writes = i32::from(writes);
        let hint = match cache {
            Cache::First => 3,
            Cache::Second => 2,
        };
        self.line(format!(
            "\"llvm.intr.prefetch\"({address}) <{{rw = {writes} : i32, hint = {hint} : i32, cache = 1 : i32}}> : \
             (!llvm.ptr) -> ()"
        ));
    }

    /// Reads a vector of consecutive elements whose address is a multiple of its size.
    pub fn load_aligned(&mut self, address: Value, ty: Type) -> Value {
        let alignment = ty.kind.bytes() * ty.lanes.max(1);
        self.define(ty, format!("llvm.load {address} {{alignment = {alignment} : i64}} : !llvm.ptr -> {ty}"))
    }

    /// Writes a scalar or a vector of consecutive elements.
    pub fn store(&mut self, address: Value, value: Value) {
        let alignment = value.ty.kind.bytes();
        self.line(format!("llvm.store {value}, {address} {{alignment = {alignment} : i64}} : {}, !llvm.ptr", value.ty));
    }

    /// The same at an address that is a multiple of the value's size.
    pub fn store_aligned(&mut self, address: Value, value: Value) {
        let alignment = value.ty.kind.bytes() * value.ty.lanes.max(1);
        self.line(format!("llvm.store {value}, {address} {{alignment = {alignment} : i64}} : {}, !llvm.ptr", value.ty));
    }

    /// Reads consecutive elements where the mask holds; the others are 0.
    pub fn load_masked(&mut self, address: Value, mask: Value, ty: Type) -> Value {
        let zero = self.number(0.0, ty);
        let types = format!("(!llvm.ptr, {}, {ty}) -> {ty}", mask.ty);
        let alignment = ty.kind.bytes();
        let text =
            format!("llvm.intr.masked.load {address}, {mask}, {zero} {{alignment = {alignment} : i32}} : {types}");
        self.define(ty, text)
    }

    /// Writes consecutive elements where the mask holds.
    pub fn store_masked(&mut self, address: Value, mask: Value, value: Value) {
        let types = format!("{}, {} into !llvm.ptr", value.ty, mask.ty);
        let alignment = value.ty.kind.bytes();
        self.line(format!(
            "llvm.intr.masked.store {value}, {address}, {mask} {{alignment = {alignment} : i32}} : {types}"
        ));
    }

    fn all_lanes(&mut self, lanes: usize) -> Value {
        self.number(1.0, Type::vector(Kind::I1, lanes))
    }

    /// Reads an element of a buffer into its register type.
    pub fn read(&mut self, base: Value, element: Element, place: Place, lanes: Lanes) -> Value {
        let kind = stored_kind(element);
        let raw = match place {
            Place::One(at) => {
                let address = self.element_address(base, at, kind);
                self.load(address, Type::scalar(kind))
            }
            Place::Row(at) => {
                let address = self.element_address(base, at, kind);
                let ty = Type::vector(kind, lanes.count);
                match lanes.mask {
                    Some(mask) => self.load_masked(address, mask, ty),
                    None => self.load(address, ty),
                }
            }
            Place::Scattered(at) => self.gather(base, at, kind, lanes),
        };
        self.widen(raw, element)
    }

    fn gather(&mut self, base: Value, at: Value, kind: Kind, lanes: Lanes) -> Value {
        let addresses = self.element_address(base, at, kind);
        let mask = lanes.mask.unwrap_or_else(|| self.all_lanes(lanes.count));
        let ty = Type::vector(kind, lanes.count);
        let zero = self.number(0.0, ty);
        let types = format!("({}, {}, {ty}) -> {ty}", addresses.ty, mask.ty);
        let alignment = kind.bytes();
        self.define(
            ty,
            format!("llvm.intr.masked.gather {addresses}, {mask}, {zero} {{alignment = {alignment} : i32}} : {types}"),
        )
    }

    /// Writes a register into an element of a buffer.
    pub fn write(&mut self, base: Value, element: Element, place: Place, value: Value, lanes: Lanes) {
        let kind = stored_kind(element);
        let raw = self.narrow(value, element);
        match place {
            Place::One(at) => {
                let address = self.element_address(base, at, kind);
                self.store(address, raw);
            }
            Place::Row(at) => {
                let address = self.element_address(base, at, kind);
                let raw = self.repeat(raw, lanes.count);
                match lanes.mask {
                    Some(mask) => self.store_masked(address, mask, raw),
                    None => self.store(address, raw),
                }
            }
            Place::Scattered(at) => {
                let addresses = self.element_address(base, at, kind);
                let raw = self.repeat(raw, lanes.count);
                let mask = lanes.mask.unwrap_or_else(|| self.all_lanes(lanes.count));
                let alignment = kind.bytes();
                let types = format!("{}, {} into {}", raw.ty, mask.ty, addresses.ty);
                self.line(format!(
                    "llvm.intr.masked.scatter {raw}, {addresses}, {mask} {{alignment = {alignment} : i32}} : {types}"
                ));
            }
        }
    }

    fn widen(&mut self, raw: Value, element: Element) -> Value {
        match element {
            Element::F32 | Element::F64 => raw,
            Element::F16 => self.cast("arith.extf", raw, Kind::F32),
            Element::I32 => self.cast("arith.extsi", raw, Kind::I64),
            Element::Bool => {
                let zero = self.number(0.0, raw.ty);
                self.compare(Order::Different, raw, zero)
            }
            Element::Bf16 => {
                let wide = self.cast("arith.extui", raw, Kind::I32);
                let sixteen = self.whole(16, wide.ty);
                let shifted = self.binary("arith.shli", wide, sixteen);
                self.cast("arith.bitcast", shifted, Kind::F32)
            }
        }
    }

    fn narrow(&mut self, value: Value, element: Element) -> Value {
        match element {
            Element::F32 | Element::F64 => value,
            Element::F16 => self.cast("arith.truncf", value, Kind::F16),
            Element::I32 => self.cast("arith.trunci", value, Kind::I32),
            Element::Bool => self.cast("arith.extui", value, Kind::I8),
            Element::Bf16 => self.round_to_bf16(value),
        }
    }

    /// Round to nearest even by integer arithmetic: fast on every target. Not-a-numbers keep a bit set.
    fn round_to_bf16(&mut self, value: Value) -> Value {
        let bits = self.cast("arith.bitcast", value, Kind::I32);
        let (sixteen, one) = (self.whole(16, bits.ty), self.whole(1, bits.ty));
        let high = self.binary("arith.shrui", bits, sixteen);
        let odd = self.both(high, one);
        let half = self.whole(0x7fff, bits.ty);
        let sum = self.add(bits, half);
        let sum = self.add(sum, odd);
        let rounded = self.binary("arith.shrui", sum, sixteen);
        let number = self.compare(Order::Equal, value, value);
        let quiet = self.whole(0x40, bits.ty);
        let quiet = self.either(high, quiet);
        let result = self.select(number, rounded, quiet);
        self.cast("arith.trunci", result, Kind::I16)
    }
}
