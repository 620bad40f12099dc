//! One scalar [`Function`] as operations, for numbers and vectors of every register type.

use super::arithmetic::Order;
use super::text::{Kind, Type, Value, Writer};
use crate::tensor::Function;

/// Functions of the C library that modules may call.
pub const LIBRARY: &str = "\
llvm.func @exp(f64) -> f64
llvm.func @log(f64) -> f64
llvm.func @log1p(f64) -> f64
llvm.func @expm1(f64) -> f64
llvm.func @sin(f64) -> f64
llvm.func @cos(f64) -> f64
llvm.func @tanh(f64) -> f64
llvm.func @erf(f64) -> f64
llvm.func @pow(f64, f64) -> f64
llvm.func @floor(f64) -> f64
llvm.func @powf(f32, f32) -> f32";

impl Writer {
    /// The function applied to values of the types that `kernel::Statement::Call` demands.
    pub fn apply(&mut self, function: Function, arguments: &[Value]) -> Value {
        use Function::*;
        let x = arguments[0];
        let y = *arguments.get(1).unwrap_or(&x);
        match function {
            Select => self.select(x, y, arguments[2]),
            Equal => self.compare(Order::Equal, x, y),
            NotEqual => self.compare(Order::Different, x, y),
            Less => self.compare(Order::Less, x, y),
            LessEqual => self.compare(Order::LessEqual, x, y),
            And => self.both(x, y),
            Or => self.either(x, y),
            Not => {
                let holds = self.number(1.0, x.ty);
                self.binary("arith.xori", x, holds)
            }
            Add => self.add(x, y),
            Subtract => self.subtract(x, y),
            Multiply => self.multiply(x, y),
            Minimum => self.minimum(x, y),
            Maximum => self.maximum(x, y),
            _ if x.ty.kind.is_float() => self.apply_real(function, x, y),
            _ => self.apply_whole(function, x, y),
        }
    }

    fn apply_real(&mut self, function: Function, x: Value, y: Value) -> Value {
        use Function::*;
        match function {
            Divide => self.binary("arith.divf", x, y),
            FloorDivide => {
                let quotient = self.binary("arith.divf", x, y);
                self.floor(quotient)
            }
            Remainder => {
                let quotient = self.binary("arith.divf", x, y);
                let whole = self.floor(quotient);
                let taken = self.multiply(y, whole);
                self.subtract(x, taken)
            }
            Negate => self.unary("arith.negf", x),
            Absolute => self.unary("math.absf", x),
            Sign => self.sign(x),
            Floor => self.floor(x),
            Sqrt => self.unary("math.sqrt", x),
            Power if !self.library => self.own_power(x, y),
            _ if x.ty.kind == Kind::F64 && !self.library => self.own_double(function, x),
            _ if x.ty.kind == Kind::F64 => self.library_call(function.name(), &[x, y][..function.arity()]),
            Power => self.library_call("powf", &[x, y]),
            Exp => self.exp(x),
            Log => self.log(x),
            Log1p => self.log1p(x),
            Expm1 => self.expm1(x),
            Sin => self.sin(x),
            Cos => self.cos(x),
            Tanh => self.tanh(x),
            Erf => self.erf(x),
            _ => x,
        }
    }

    fn library_call(&mut self, name: &str, arguments: &[Value]) -> Value {
        let name = if name == "power" { "pow" } else { name }.to_string();
        self.each_lane(arguments, move |writer, scalars| {
            let ty = Type::scalar(scalars[0].ty.kind);
            let list = scalars.iter().map(Value::to_string).collect::<Vec<_>>().join(", ");
            let types = scalars.iter().map(|_| ty.to_string()).collect::<Vec<_>>().join(", ");
            writer.define(ty, format!("llvm.call @{name}({list}) : ({types}) -> {ty}"))
        })
    }

    /// Without an instruction for it on the baseline: there, numbers below 2^23 are rounded by an addition.
    fn floor(&mut self, x: Value) -> Value {
        if self.fused {
            return self.unary("math.floor", x);
        }
        if x.ty.kind == Kind::F64 {
            return self.library_call("floor", &[x]);
        }
        let shift = self.number(8_388_608.0, x.ty);
        let magnitude = self.unary("math.absf", x);
        let rounded = self.add(magnitude, shift);
        let rounded = self.subtract(rounded, shift);
        let rounded = self.binary("math.copysign", rounded, x);
        let one = self.number(1.0, x.ty);
        let below = self.subtract(rounded, one);
        let too_large = self.compare(Order::Greater, rounded, x);
        let rounded = self.select(too_large, below, rounded);
        let small = self.compare(Order::Less, magnitude, shift);
        self.select(small, rounded, x)
    }

    fn sign(&mut self, x: Value) -> Value {
        let (zero, one, minus) = (self.number(0.0, x.ty), self.number(1.0, x.ty), self.number(-1.0, x.ty));
        let above = self.compare(Order::Greater, x, zero);
        let below = self.compare(Order::Less, x, zero);
        let value = self.select(below, minus, zero);
        self.select(above, one, value)
    }

    fn apply_whole(&mut self, function: Function, x: Value, y: Value) -> Value {
        use Function::*;
        let zero = self.number(0.0, x.ty);
        match function {
            FloorDivide | Divide => self.divide_down(x, y).0,
            Remainder => self.divide_down(x, y).1,
            Negate => self.subtract(zero, x),
            Absolute => {
                let negated = self.subtract(zero, x);
                self.maximum(x, negated)
            }
            Sign => self.sign(x),
            _ => x,
        }
    }

    /// Quotient and remainder, rounded down. A divisor of 0 counts as 1: lanes that take no part must not trap.
    fn divide_down(&mut self, x: Value, y: Value) -> (Value, Value) {
        let (zero, one) = (self.number(0.0, y.ty), self.number(1.0, y.ty));
        let void = self.compare(Order::Equal, y, zero);
        let y = self.select(void, one, y);
        let quotient = self.binary("arith.divsi", x, y);
        let product = self.multiply(quotient, y);
        let rest = self.subtract(x, product);
        let inexact = self.compare(Order::Different, rest, zero);
        let mixed = self.binary("arith.xori", rest, y);
        let opposite = self.compare(Order::Less, mixed, zero);
        let down = self.both(inexact, opposite);
        let lower = self.subtract(quotient, one);
        let raised = self.add(rest, y);
        (self.select(down, lower, quotient), self.select(down, raised, rest))
    }
}
