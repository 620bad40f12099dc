//! Arithmetic on [`Value`]s: where a scalar meets a vector, the scalar is repeated in all lanes.

use super::text::{Kind, Type, Value, Writer};

/// How two values are compared: equal, less, ….
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The same.
    Equal,
    /// Different (or, for floats, not comparable).
    Different,
    /// Smaller.
    Less,
    /// Smaller or the same.
    LessEqual,
    /// Larger.
    Greater,
}

impl Writer {
    /// A 64-bit whole number.
    pub fn int(&mut self, value: i64) -> Value {
        self.constant(Type::scalar(Kind::I64), &value.to_string())
    }

    /// A number of any type, in all lanes.
    pub fn number(&mut self, value: f64, ty: Type) -> Value {
        let text = match ty.kind {
            Kind::F64 => format!("{:#018x}", value.to_bits()),
            Kind::F32 => format!("{:#010x}", (value as f32).to_bits()),
            Kind::I1 => (value != 0.0).to_string(),
            _ => (value as i64).to_string(),
        };
        self.constant(ty, &text)
    }

    /// A whole number in all lanes.
    pub fn whole(&mut self, value: i64, ty: Type) -> Value {
        self.constant(ty, &value.to_string())
    }

    /// 0, 1, 2, … in the lanes.
    pub fn lane_numbers(&mut self, kind: Kind, lanes: usize) -> Value {
        let list = (0..lanes).map(|lane| lane.to_string()).collect::<Vec<_>>().join(", ");
        self.constant(Type::vector(kind, lanes), &format!("[{list}]"))
    }

    /// The value in all lanes; itself if it is a vector already.
    pub fn repeat(&mut self, value: Value, lanes: usize) -> Value {
        if value.ty.lanes == lanes {
            return value;
        }
        let ty = Type::vector(value.ty.kind, lanes);
        self.define(ty, format!("vector.broadcast {value} : {} to {ty}", value.ty))
    }

    fn alike(&mut self, left: Value, right: Value) -> (Value, Value) {
        let lanes = left.ty.lanes.max(right.ty.lanes);
        (self.repeat(left, lanes), self.repeat(right, lanes))
    }

    /// An operation on two values of one type that gives the same type.
    pub fn binary(&mut self, operation: &str, left: Value, right: Value) -> Value {
        let (left, right) = self.alike(left, right);
        self.define(left.ty, format!("{operation} {left}, {right} : {}", left.ty))
    }

    /// An operation on one value that gives the same type.
    pub fn unary(&mut self, operation: &str, value: Value) -> Value {
        self.define(value.ty, format!("{operation} {value} : {}", value.ty))
    }

    /// The sum; `or` for truths.
    pub fn add(&mut self, left: Value, right: Value) -> Value {
        self.binary(if left.ty.kind.is_float() { "arith.addf" } else { "arith.addi" }, left, right)
    }

    /// The difference.
    pub fn subtract(&mut self, left: Value, right: Value) -> Value {
        self.binary(if left.ty.kind.is_float() { "arith.subf" } else { "arith.subi" }, left, right)
    }

    /// The product.
    pub fn multiply(&mut self, left: Value, right: Value) -> Value {
        self.binary(if left.ty.kind.is_float() { "arith.mulf" } else { "arith.muli" }, left, right)
    }

    /// `left · right + addend`, rounded once where the target can.
    pub fn multiply_add(&mut self, left: Value, right: Value, addend: Value) -> Value {
        if !self.fused {
            let product = self.multiply(left, right);
            return self.add(product, addend);
        }
        let lanes = left.ty.lanes.max(right.ty.lanes).max(addend.ty.lanes);
        let (left, right, addend) = (self.repeat(left, lanes), self.repeat(right, lanes), self.repeat(addend, lanes));
        self.define(left.ty, format!("math.fma {left}, {right}, {addend} : {}", left.ty))
    }

    /// A comparison; floats that are not numbers are only `Different`.
    pub fn compare(&mut self, order: Order, left: Value, right: Value) -> Value {
        let (left, right) = self.alike(left, right);
        let float = left.ty.kind.is_float();
        let predicate = match (order, float) {
            (Order::Equal, true) => "oeq",
            (Order::Different, true) => "une",
            (Order::Less, true) => "olt",
            (Order::LessEqual, true) => "ole",
            (Order::Greater, true) => "ogt",
            (Order::Equal, false) => "eq",
            (Order::Different, false) => "ne",
            (Order::Less, false) => "slt",
            (Order::LessEqual, false) => "sle",
            (Order::Greater, false) => "sgt",
        };
        let operation = if float { "arith.cmpf" } else { "arith.cmpi" };
        self.define(left.ty.with(Kind::I1), format!("{operation} {predicate}, {left}, {right} : {}", left.ty))
    }

    /// `then` where the condition holds, else `otherwise`.
    pub fn select(&mut self, condition: Value, then: Value, otherwise: Value) -> Value {
        let (then, otherwise) = self.alike(then, otherwise);
        let lanes = then.ty.lanes.max(condition.ty.lanes);
        let (then, otherwise) = (self.repeat(then, lanes), self.repeat(otherwise, lanes));
        let prefix = if condition.ty.lanes == 0 { String::new() } else { format!("{}, ", condition.ty) };
        self.define(then.ty, format!("arith.select {condition}, {then}, {otherwise} : {prefix}{}", then.ty))
    }

    /// The smaller; the second if they cannot be compared.
    pub fn minimum(&mut self, left: Value, right: Value) -> Value {
        if !left.ty.kind.is_float() {
            return self.binary("arith.minsi", left, right);
        }
        let less = self.compare(Order::Less, left, right);
        self.select(less, left, right)
    }

    /// The larger; the second if they cannot be compared.
    pub fn maximum(&mut self, left: Value, right: Value) -> Value {
        if !left.ty.kind.is_float() {
            return self.binary("arith.maxsi", left, right);
        }
        let greater = self.compare(Order::Greater, left, right);
        self.select(greater, left, right)
    }

    /// A conversion by an operation of the form `op %x : from to to`.
    pub fn cast(&mut self, operation: &str, value: Value, kind: Kind) -> Value {
        let ty = value.ty.with(kind);
        self.define(ty, format!("{operation} {value} : {} to {ty}", value.ty))
    }

    /// Both hold.
    pub fn both(&mut self, left: Value, right: Value) -> Value {
        self.binary("arith.andi", left, right)
    }

    /// One holds.
    pub fn either(&mut self, left: Value, right: Value) -> Value {
        self.binary("arith.ori", left, right)
    }

    /// The quotient of positive whole numbers, rounded up.
    pub fn ceil_divide(&mut self, over: Value, under: Value) -> Value {
        let one = self.int(1);
        let sum = self.add(over, under);
        let sum = self.subtract(sum, one);
        self.binary("arith.divsi", sum, under)
    }

    /// One lane of a vector.
    pub fn lane(&mut self, vector: Value, lane: usize) -> Value {
        let ty = Type::scalar(vector.ty.kind);
        self.define(ty, format!("vector.extract {vector}[{lane}] : {ty} from {}", vector.ty))
    }

    /// The vector with one lane replaced.
    pub fn with_lane(&mut self, vector: Value, lane: usize, value: Value) -> Value {
        let text = format!("vector.insert {value}, {vector} [{lane}] : {} into {}", value.ty, vector.ty);
        self.define(vector.ty, text)
    }

    /// Applies an operation of one lane's values to each lane of alike vectors.
    pub fn each_lane(&mut self, values: &[Value], one: impl Fn(&mut Writer, &[Value]) -> Value) -> Value {
        let lanes = values.iter().map(|value| value.ty.lanes).max().unwrap_or(0);
        if lanes == 0 {
            return one(self, values);
        }
        let values = values.iter().map(|&value| self.repeat(value, lanes)).collect::<Vec<_>>();
        let mut result = values[0];
        for lane in 0..lanes {
            let scalars = values.iter().map(|&value| self.lane(value, lane)).collect::<Vec<_>>();
            let value = one(self, &scalars);
            result = self.with_lane(result, lane, value);
        }
        result
    }

    /// Combines all lanes in a fixed tree: halves with halves.
    pub fn fold_lanes(&mut self, vector: Value, combine: impl Fn(&mut Writer, Value, Value) -> Value) -> Value {
        let mut vector = vector;
        while vector.ty.lanes > 1 {
            let half = vector.ty.lanes / 2;
            let low = self.slice(vector, 0, half);
            let high = self.slice(vector, half, half);
            vector = combine(self, low, high);
        }
        self.lane(vector, 0)
    }

    /// Lanes of two vectors by number, those of the second after those of the first.
    pub fn shuffle(&mut self, left: Value, right: Value, lanes: &[usize]) -> Value {
        let list = lanes.iter().map(usize::to_string).collect::<Vec<_>>().join(", ");
        let ty = Type::vector(left.ty.kind, lanes.len());
        self.define(ty, format!("vector.shuffle {left}, {right} [{list}] : {}, {}", left.ty, right.ty))
    }

    /// Alike vectors as one; their number is a power of two.
    pub fn together(&mut self, mut vectors: Vec<Value>) -> Value {
        while vectors.len() > 1 {
            let lanes = (0..2 * vectors[0].ty.lanes).collect::<Vec<_>>();
            vectors = vectors.chunks(2).map(|pair| self.shuffle(pair[0], pair[1], &lanes)).collect();
        }
        vectors[0]
    }

    /// Some consecutive lanes.
    pub fn slice(&mut self, vector: Value, from: usize, count: usize) -> Value {
        let ty = Type::vector(vector.ty.kind, count);
        let place = format!("{{offsets = [{from}], sizes = [{count}], strides = [1]}}");
        self.define(ty, format!("vector.extract_strided_slice {vector} {place} : {} to {ty}", vector.ty))
    }
}
