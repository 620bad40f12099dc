//! A module ready to run: its functions decoded, its variables known.

use std::collections::HashMap;

use crate::decode;
use crate::fault::ParseError;
use crate::instruction::Instruction;
use crate::parse;
use crate::syntax::{FunctionText, Slot, Variable};

/// A function with its instructions.
#[derive(Debug)]
pub(crate) struct Function {
    pub name: String,
    pub is_kernel: bool,
    pub parameters: Vec<Slot>,
    pub returns: Vec<Slot>,
    pub threads: Option<([u32; 3], bool)>,
    pub registers: usize,
    pub frame: usize,
    pub code: Vec<Instruction>,
    /// Variables of the module that the function names, and functions that it may call.
    pub variables: Vec<u32>,
    pub calls: Vec<usize>,
}

/// PTX text, read and decoded.
#[derive(Debug)]
pub struct Module {
    pub(crate) functions: Vec<Function>,
    pub(crate) variables: Vec<Variable>,
}

/// What names of a module stand for.
pub(crate) struct Symbols {
    pub variables: HashMap<String, u32>,
    pub functions: HashMap<String, usize>,
}

impl Module {
    /// Reads PTX text; every instruction in it must be one that the machine knows.
    pub fn parse(text: &str) -> Result<Module, ParseError> {
        let text = parse::parse(text)?;
        let functions = with_bodies(text.functions);
        let name_variable = |(at, variable): (usize, &Variable)| (variable.name.clone(), at as u32);
        let symbols = Symbols {
            variables: text.variables.iter().enumerate().map(name_variable).collect(),
            functions: functions.iter().enumerate().map(|(at, function)| (function.name.clone(), at)).collect(),
        };
        let functions = functions.into_iter().map(|function| decode::decode(function, &symbols));
        Ok(Module { functions: functions.collect::<Result<_, _>>()?, variables: text.variables })
    }

    /// The names of all kernels, in the order of the text.
    pub fn kernels(&self) -> Vec<&str> {
        self.functions.iter().filter(|function| function.is_kernel).map(|function| function.name.as_str()).collect()
    }

    /// The variables that a function and all that it calls may name, in order.
    pub(crate) fn reachable_variables(&self, function: &Function) -> Vec<u32> {
        let mut seen = vec![false; self.functions.len()];
        let mut stack = function.calls.clone();
        let mut variables = function.variables.clone();
        while let Some(at) = stack.pop() {
            if !std::mem::replace(&mut seen[at], true) {
                stack.extend(&self.functions[at].calls);
                variables.extend(&self.functions[at].variables);
            }
        }
        variables.sort_unstable();
        variables.dedup();
        variables
    }
}

/// A declaration gives way to the definition of the same name.
fn with_bodies(functions: Vec<FunctionText>) -> Vec<FunctionText> {
    let mut kept: Vec<FunctionText> = Vec::new();
    for function in functions {
        match kept.iter_mut().find(|known| known.name == function.name) {
            Some(known) if function.has_body => *known = function,
            Some(_) => {}
            None => kept.push(function),
        }
    }
    kept
}
