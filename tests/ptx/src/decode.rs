//! Statements to instructions: the only place that looks at opcodes.
//!
//! In: a function's text. Out: a function whose instructions hold numbers and functions only. An opcode,
//! modifier or operand that is not understood is an error with its line, never a guess.
//! Order: [`operands`], then one file for each family of instructions.

mod arithmetic;
mod asynchronous;
mod control;
mod matrix;
mod memory;
mod moves;
pub(crate) mod operands;
mod warp;

use crate::fault::ParseError;
use crate::instruction::{Call, Callee, Instruction, Operation, Source};
use crate::module::{Function, Symbols};
use crate::opcode::Opcode;
use crate::syntax::{FunctionText, Statement};
use operands::Operands;

pub(crate) type Decoded = Result<Operation, String>;

pub(crate) fn decode(function: FunctionText, symbols: &Symbols) -> Result<Function, ParseError> {
    let mut references = References::default();
    let mut code = Vec::with_capacity(function.statements.len() + 1);
    for statement in &function.statements {
        let operation = operation(&function, statement, symbols, &mut references).map_err(|message| ParseError {
            line: statement.line,
            message: format!("{}: {message}", statement.opcode),
        })?;
        if let Operation::Call(call) = &operation {
            references.calls(call, symbols);
        }
        code.push(Instruction { guard: statement.guard, operation, line: statement.line as u32 });
    }
    // Falling off the end returns.
    let line = function.statements.last().map_or(function.line, |statement| statement.line) as u32;
    code.push(Instruction { guard: None, operation: Operation::Return, line });
    Ok(Function {
        name: function.name,
        is_kernel: function.is_kernel,
        parameters: function.parameters,
        returns: function.returns,
        threads: function.threads,
        registers: function.registers as usize,
        frame: function.frame as usize,
        code,
        variables: references.variables,
        calls: references.functions,
    })
}

/// What a function names.
#[derive(Default)]
pub(crate) struct References {
    pub variables: Vec<u32>,
    functions: Vec<usize>,
}

impl References {
    fn calls(&mut self, call: &Call, symbols: &Symbols) {
        match call.function {
            Callee::Direct(function) => self.functions.push(function),
            // An indirect call may reach any function.
            Callee::Indirect(_) => self.functions.extend(symbols.functions.values()),
        }
    }
}

fn operation(
    function: &FunctionText,
    statement: &Statement,
    symbols: &Symbols,
    references: &mut References,
) -> Decoded {
    let opcode = Opcode::new(&statement.opcode);
    let mut operands = Operands { function, statement, symbols, references };
    let decoded = match opcode.name() {
        "mov" | "cvta" | "cvt" | "isspacep" | "mapa" => moves::decode(&opcode, &mut operands)?,
        "ld" | "ldu" | "st" | "atom" | "red" => memory::decode(&opcode, &mut operands)?,
        "bra" | "brx" | "call" | "ret" | "exit" | "trap" | "bar" | "barrier" | "fence" | "membar" | "nanosleep" => {
            control::decode(&opcode, &mut operands)?
        }
        "shfl" | "vote" | "match" | "redux" | "elect" | "activemask" => warp::decode(&opcode, &mut operands)?,
        "ldmatrix" | "stmatrix" | "movmatrix" | "mma" | "wgmma" => matrix::decode(&opcode, &mut operands)?,
        "cp" | "mbarrier" | "setmaxnreg" => asynchronous::decode(&opcode, &mut operands)?,
        "prefetch" | "prefetchu" | "discard" | "applypriority" | "griddepcontrol" | "brkpt" | "pmevent" => {
            Operation::Nothing
        }
        // A cache policy is a hint: any value will do.
        "createpolicy" => Operation::Move { to: operands.register(0)?.0, from: Source::Constant(0) },
        _ => arithmetic::decode(&opcode, &mut operands)?,
    };
    Ok(decoded)
}
