//! Scalar functions and expressions: what happens at one position.

use super::{AxisId, DType};

/// A function of scalars. `Select` takes (condition, then, otherwise).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names say it; whole-number division and remainder round down")]
pub enum Function {
    Add,
    Subtract,
    Multiply,
    Divide,
    FloorDivide,
    Remainder,
    Power,
    Minimum,
    Maximum,
    Negate,
    Absolute,
    Sign,
    Floor,
    Exp,
    Log,
    Log1p,
    Expm1,
    Sqrt,
    Sin,
    Cos,
    Tanh,
    Erf,
    Equal,
    NotEqual,
    Less,
    LessEqual,
    And,
    Or,
    Not,
    Select,
    ToReal,
    ToInt,
}

impl Function {
    /// All of them, for tests over the catalogue.
    pub const ALL: [Function; 32] = {
        use Function::*;
        [
            Add,
            Subtract,
            Multiply,
            Divide,
            FloorDivide,
            Remainder,
            Power,
            Minimum,
            Maximum,
            Negate,
            Absolute,
            Sign,
            Floor,
            Exp,
            Log,
            Log1p,
            Expm1,
            Sqrt,
            Sin,
            Cos,
            Tanh,
            Erf,
            Equal,
            NotEqual,
            Less,
            LessEqual,
            And,
            Or,
            Not,
            Select,
            ToReal,
            ToInt,
        ]
    };

    /// The number of arguments.
    pub fn arity(self) -> usize {
        use Function::*;
        match self {
            Select => 3,
            Negate | Absolute | Sign | Floor | Exp | Log | Log1p | Expm1 | Sqrt | Sin | Cos | Tanh | Erf | Not
            | ToReal | ToInt => 1,
            _ => 2,
        }
    }

    /// The name in text forms: `add`, `floor_divide`.
    pub fn name(self) -> &'static str {
        use Function::*;
        match self {
            Add => "add",
            Subtract => "subtract",
            Multiply => "multiply",
            Divide => "divide",
            FloorDivide => "floor_divide",
            Remainder => "remainder",
            Power => "power",
            Minimum => "minimum",
            Maximum => "maximum",
            Negate => "negate",
            Absolute => "absolute",
            Sign => "sign",
            Floor => "floor",
            Exp => "exp",
            Log => "log",
            Log1p => "log1p",
            Expm1 => "expm1",
            Sqrt => "sqrt",
            Sin => "sin",
            Cos => "cos",
            Tanh => "tanh",
            Erf => "erf",
            Equal => "equal",
            NotEqual => "not_equal",
            Less => "less",
            LessEqual => "less_equal",
            And => "and",
            Or => "or",
            Not => "not",
            Select => "select",
            ToReal => "to_real",
            ToInt => "to_int",
        }
    }

    /// The type of the result for arguments of these types.
    pub fn result(self, arguments: &[DType]) -> DType {
        use Function::*;
        let joined = arguments.iter().copied().reduce(DType::join).unwrap_or(DType::REAL);
        match self {
            Equal | NotEqual | Less | LessEqual | And | Or | Not => DType::Bool,
            ToInt => DType::Int,
            Floor => DType::Int,
            Select => arguments[1].join(arguments[2]),
            Divide | Power | Exp | Log | Log1p | Expm1 | Sqrt | Sin | Cos | Tanh | Erf | ToReal => match joined {
                DType::Real(precision) => DType::Real(precision),
                _ => DType::REAL,
            },
            _ => match joined {
                DType::Bool => DType::Int,
                other => other,
            },
        }
    }

    /// The value for arguments in double precision; truths are 0 and 1.
    pub fn apply(self, arguments: &[f64]) -> f64 {
        use Function::*;
        let x = arguments[0];
        let y = arguments.get(1).copied().unwrap_or(0.0);
        let truth = |holds: bool| f64::from(u8::from(holds));
        match self {
            Add => x + y,
            Subtract => x - y,
            Multiply => x * y,
            Divide => x / y,
            FloorDivide => (x / y).floor(),
            Remainder => x - y * (x / y).floor(),
            Power => x.powf(y),
            Minimum => x.min(y),
            Maximum => x.max(y),
            Negate => -x,
            Absolute => x.abs(),
            Sign => {
                if x == 0.0 {
                    0.0
                } else {
                    x.signum()
                }
            }
            Floor => x.floor(),
            Exp => x.exp(),
            Log => x.ln(),
            Log1p => x.ln_1p(),
            Expm1 => x.exp_m1(),
            Sqrt => x.sqrt(),
            Sin => x.sin(),
            Cos => x.cos(),
            Tanh => x.tanh(),
            Erf => error_function(x),
            Equal => truth(x == y),
            NotEqual => truth(x != y),
            Less => truth(x < y),
            LessEqual => truth(x <= y),
            And => truth(x != 0.0 && y != 0.0),
            Or => truth(x != 0.0 || y != 0.0),
            Not => truth(x == 0.0),
            Select => {
                if x != 0.0 {
                    y
                } else {
                    arguments[2]
                }
            }
            ToReal => x,
            ToInt => x.trunc(),
        }
    }
}

/// erf in double precision: the Maclaurin series for small arguments, the continued fraction of erfc for large ones.
fn error_function(x: f64) -> f64 {
    let magnitude = x.abs();
    if magnitude < 2.5 {
        let mut term = magnitude;
        let mut sum = magnitude;
        for n in 1..80 {
            term *= -magnitude * magnitude / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        return x.signum() * sum * std::f64::consts::FRAC_2_SQRT_PI;
    }
    let mut fraction = 0.0;
    for n in (1..120).rev() {
        fraction = f64::from(n) / 2.0 / (magnitude + fraction);
    }
    let complement = (-magnitude * magnitude).exp() / (magnitude + fraction) / std::f64::consts::PI.sqrt();
    x.signum() * (1.0 - complement)
}

/// A step of a [`Scalar`] expression; arguments are earlier steps.
#[derive(Debug, Clone, PartialEq)]
pub enum ScalarStep {
    /// An operand of the operation, by its place.
    Operand(usize),
    /// The coordinate along an axis.
    Coordinate(AxisId),
    /// A number of a type.
    Number(f64, DType),
    /// A function of earlier steps.
    Call(Function, Vec<usize>),
}

/// A scalar expression as a list of steps; the last is its value. Steps may be shared.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scalar {
    /// The steps, arguments before uses.
    pub steps: Vec<ScalarStep>,
}

impl Scalar {
    /// The first operand itself.
    pub fn identity() -> Scalar {
        Scalar { steps: vec![ScalarStep::Operand(0)] }
    }

    /// One function applied to the operands in order.
    pub fn function(function: Function) -> Scalar {
        let mut scalar = Scalar::default();
        let arguments = (0..function.arity()).map(|place| scalar.push(ScalarStep::Operand(place))).collect();
        scalar.push(ScalarStep::Call(function, arguments));
        scalar
    }

    /// Adds a step, unless an equal one is there, and returns its place.
    pub fn push(&mut self, step: ScalarStep) -> usize {
        if let Some(place) = self.steps.iter().position(|known| *known == step) {
            return place;
        }
        self.steps.push(step);
        self.steps.len() - 1
    }

    /// The types of all steps for operands of these types.
    pub fn types(&self, operands: &[DType]) -> Vec<DType> {
        let mut types: Vec<DType> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let dtype = match step {
                ScalarStep::Operand(place) => operands[*place],
                ScalarStep::Coordinate(_) => DType::Int,
                ScalarStep::Number(_, dtype) => *dtype,
                ScalarStep::Call(function, arguments) => {
                    let arguments = arguments.iter().map(|&place| types[place]).collect::<Vec<_>>();
                    function.result(&arguments)
                }
            };
            types.push(dtype);
        }
        types
    }

    /// The axes whose coordinates it reads.
    pub fn coordinates(&self) -> Vec<AxisId> {
        let read = self.steps.iter().filter_map(|step| match step {
            ScalarStep::Coordinate(axis) => Some(*axis),
            _ => None,
        });
        read.collect()
    }
}
