//! What the GPU's schedule does not do yet, said by name.

use crate::fault::Environment;
use crate::kernel::{Amount, Attend, AttendGradient, Form, Gemm, Kernel, Right};
use archc_runtime::abi::Element;

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
        Form::Gemm(form) => narrow_product(kernel, form),
        Form::Nest(_) | Form::Pack(_) => None,
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
    only_narrow(kernel, &[form.query.buffer, form.key.buffer, form.value.buffer])
}

fn gradient(form: &AttendGradient) -> Option<String> {
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
