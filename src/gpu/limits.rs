//! What the GPU's schedule does not do yet, said by name.

use crate::fault::Environment;
use crate::kernel::{
    Address, Amount, Attend, AttendGradient, Form, Gemm, Kernel, Register, Right, ScalarType, Statement, register_type,
};
use crate::tensor::Function;
use archc_runtime::abi::Element;
use std::collections::HashMap;

/// Columns of streamed attention at most: a thread of a warp holds every 32nd in registers.
const WIDEST: i64 = 1024;

/// A kernel that no entry can do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// The kernel's name: the operation.
    pub operation: String,
    /// What of it.
    pub reason: String,
}

impl Unsupported {
    /// The message for a launch of the kernel, by its place in the source.
    pub fn at(&self, program: &str, path: &str) -> Environment {
        let Unsupported { operation, reason } = self;
        let place = if path.is_empty() { String::new() } else { format!(" in `{path}`") };
        Environment::new(format!(
            "`--target cuda` cannot run `{operation}`{place} of the program `{program}`: {reason}"
        ))
        .help("`--target cpu` runs it")
    }
}

/// Finds what cannot be done.
pub fn check(kernel: &Kernel) -> Result<(), Unsupported> {
    let fault = match &kernel.form {
        Form::Nest(nest) => Types { kernel, known: HashMap::new() }.fault(&nest.body),
        Form::Gemm(form) => narrow_product(kernel, form),
        Form::Pack(_) => None,
        Form::Attend(form) => attend(kernel, form),
        Form::AttendGradient(form) => attend(kernel, &form.forward).or_else(|| gradient(form)),
    };
    fault.map_or(Ok(()), |reason| Err(Unsupported { operation: kernel.name.clone(), reason }))
}

/// What is multiplied must be of 32 bits at most; what an epilogue reads and stores may be wider.
fn only_narrow(kernel: &Kernel, buffers: &[usize]) -> Option<String> {
    let wide = buffers.iter().any(|&buffer| kernel.buffers[buffer].element == Element::F64);
    wide.then(|| "it multiplies 64-bit floats".to_string())
}

fn narrow_product(kernel: &Kernel, form: &Gemm) -> Option<String> {
    let right = match &form.b {
        Right::Strided(matrix) => matrix.buffer,
        Right::Packed { buffer, .. } => *buffer,
    };
    only_narrow(kernel, &[form.a.buffer, right])
}

fn attend(kernel: &Kernel, form: &Attend) -> Option<String> {
    if form.visits.is_some() {
        return Some("it counts the pairs that it visits".to_string());
    }
    match form.value_width {
        Amount::Constant(1..=WIDEST) => only_narrow(kernel, &[form.query.buffer, form.key.buffer, form.value.buffer]),
        Amount::Constant(width) => Some(format!("its values are {width} wide, and {WIDEST} is the most")),
        Amount::Size(_) => Some("the width of its values is not known while compiling".to_string()),
    }
}

fn gradient(form: &AttendGradient) -> Option<String> {
    if !matches!(form.forward.width, Amount::Constant(1..=WIDEST)) {
        return Some(format!("the width of its keys is not known while compiling, or above {WIDEST}"));
    }
    if !form.forward.further.is_empty() || form.forward.ring.is_some() {
        return Some("it has further products, or a ring of keys".to_string());
    }
    let repeats = |place: usize| {
        let matrices = [&form.key_gradient, &form.value_gradient];
        matrices.iter().any(|matrix| matrix.batch[place] == Amount::Constant(0))
    };
    let unlike = (0..form.forward.batch.len()).any(|place| repeats(place) && !form.forward.shares(place));
    unlike.then(|| "its keys are shared by other queries than its values".to_string())
}

/// The types of registers, as far as a fault can hang on them.
struct Types<'k> {
    kernel: &'k Kernel,
    known: HashMap<Register, ScalarType>,
}

impl Types<'_> {
    fn fault(&mut self, body: &[Statement]) -> Option<String> {
        body.iter().find_map(|statement| self.fault_of(statement))
    }

    fn fault_of(&mut self, statement: &Statement) -> Option<String> {
        match statement {
            Statement::Number(register, _, ty) | Statement::Convert(register, ty, _) => {
                self.known.insert(*register, *ty);
                None
            }
            Statement::Load(register, Address { buffer, .. }) => {
                self.known.insert(*register, register_type(self.kernel.buffers[*buffer].element));
                None
            }
            Statement::Call(register, function, arguments) => {
                let ty = arguments.last().and_then(|last| self.known.get(last)).copied();
                self.known.extend(ty.map(|ty| (*register, ty)));
                let missing = matches!(function, Function::Sin | Function::Cos | Function::Erf);
                let name = function.name();
                (missing && ty == Some(ScalarType::F64)).then(|| format!("`{name}` of a 64-bit float"))
            }
            Statement::Loop(inner) => {
                for carried in &inner.carried {
                    let ty = self.known.get(&carried.initial).copied();
                    self.known.extend(ty.map(|ty| (carried.register, ty)));
                }
                self.fault(&inner.body)
            }
            Statement::If(_, body) => self.fault(body),
            _ => None,
        }
    }
}
