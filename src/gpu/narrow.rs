//! Values that lie in a GPU's memory as bf16: those that nobody reads but products that would round them to it.
//!
//! In: programs of which products are of bf16. Out: the same, where packed parameters and temporaries are stored as bf16 if
//! every kernel that touches them only multiplies them, or only stores them. Who stores such a value rounds it as the
//! product would have, to the nearest and then to the even one: all results stay the same to the bit, and bytes halve.
//!
//! What a product could copy by 16 bytes it must be able to copy so as bf16, or the value stays as it is.

use super::alignment::Alignment;
use super::arch::{Gpu, Precision};
use super::fragments::wide_factors;
use super::launches::{alignments, all_launches};
use crate::kernel::{Form, Gemm, Kernel, Nest, Right, read, written};
use crate::plan::{Launch, Program, Step};
use archc_runtime::abi::{Element, Role};
use std::collections::HashMap;

/// What a kernel does with one of its buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It multiplies what is there, rounded.
    Factor,
    /// It stores there and does not read.
    Target,
    /// Anything else.
    Other,
}

/// A buffer among those of all programs: a packed parameter by its name, a temporary by its program and place.
type Key<'p> = (usize, usize, Option<&'p str>);

/// The programs as they run on a GPU.
pub fn narrowed(programs: &[&Program], gpu: Gpu) -> Vec<Program> {
    let mut all = programs.iter().map(|&program| program.clone()).collect::<Vec<_>>();
    if gpu.precision == Precision::Bf16 {
        let narrow = narrow(programs);
        for ((place, program), narrowed) in programs.iter().enumerate().zip(&mut all) {
            let is_narrow = |buffer: usize| narrow.contains(&key(place, program, buffer));
            rewrite(narrowed, &is_narrow);
        }
    }
    all
}

/// The buffers that may be narrow.
fn narrow<'p>(programs: &[&'p Program]) -> Vec<Key<'p>> {
    let mut uses = HashMap::<Key<'p>, Vec<Use>>::new();
    let known = alignments(&all_launches(programs));
    for (place, &program) in programs.iter().enumerate() {
        for (_, launch) in all_launches(&[program]) {
            let kernel = &program.kernels[launch.kernel];
            let alignment = &known[&kernel.identity()];
            for (own, argument) in launch.arguments.iter().enumerate() {
                let known = uses.entry(key(place, program, argument.buffer)).or_default();
                let may_be = matches!(program.buffers[argument.buffer].role, Role::Packed | Role::Temporary { .. });
                known.push(if may_be { use_of(kernel, own, alignment) } else { Use::Other });
            }
        }
    }
    let fits = |uses: &[Use]| uses.contains(&Use::Factor) && !uses.contains(&Use::Other);
    uses.into_iter().filter(|(_, uses)| fits(uses)).map(|(key, _)| key).collect()
}

fn key<'p>(place: usize, program: &'p Program, buffer: usize) -> Key<'p> {
    match &program.buffers[buffer] {
        info if info.role == Role::Packed => (0, 0, Some(&info.name)),
        _ => (place, buffer, None),
    }
}

fn use_of(kernel: &Kernel, buffer: usize, alignment: &Alignment) -> Use {
    if kernel.buffers[buffer].element != Element::F32 {
        return Use::Other;
    }
    match &kernel.form {
        Form::Gemm(form) => in_product(kernel, form, buffer, alignment),
        Form::Nest(nest) => in_nest(nest, buffer),
        Form::Pack(form) if form.target == buffer && form.source.buffer != buffer => Use::Target,
        Form::Attend(form) if form.only_stores(buffer) => Use::Target,
        Form::Pack(_) | Form::Attend(_) | Form::AttendGradient(_) => Use::Other,
    }
}

fn in_product(kernel: &Kernel, form: &Gemm, buffer: usize, alignment: &Alignment) -> Use {
    let right = match &form.b {
        Right::Strided(matrix) => matrix.buffer,
        Right::Packed { buffer, .. } => *buffer,
    };
    let is_factor = [form.a.buffer == buffer, right == buffer];
    let is_read = form.extras.iter().chain(form.asked.as_deref()).any(|matrix| matrix.buffer == buffer);
    let is_target = form.c.buffer == buffer;
    match (is_factor.contains(&true), is_target) {
        (true, false) if !is_read => {
            let mut narrow = kernel.clone();
            narrow.buffers[buffer].element = Element::Bf16;
            let wide = wide_factors(&narrow, form, alignment);
            let is_copied = is_factor.iter().zip(wide).all(|(is_factor, is_wide)| !is_factor || is_wide);
            if is_copied { Use::Factor } else { Use::Other }
        }
        (false, true) if !is_read && !form.accumulate => Use::Target,
        _ => Use::Other,
    }
}

fn in_nest(nest: &Nest, buffer: usize) -> Use {
    let is_stored = written(&nest.body).contains(&buffer) && !read(&nest.body).contains(&buffer);
    if is_stored { Use::Target } else { Use::Other }
}

/// Makes buffers of a program narrow, and its kernels where they are given such.
fn rewrite(program: &mut Program, is_narrow: &dyn Fn(usize) -> bool) {
    for (place, buffer) in program.buffers.iter_mut().enumerate() {
        if is_narrow(place) {
            buffer.element = Element::Bf16;
        }
    }
    let before = std::mem::take(&mut program.kernels);
    for_each_launch(&mut program.steps, &mut |launch| {
        let mut kernel = before[launch.kernel].clone();
        for (buffer, argument) in kernel.buffers.iter_mut().zip(&launch.arguments) {
            if is_narrow(argument.buffer) {
                buffer.element = Element::Bf16;
            }
        }
        launch.kernel = program.kernels.iter().position(|known| *known == kernel).unwrap_or_else(|| {
            program.kernels.push(kernel);
            program.kernels.len() - 1
        });
    });
}

fn for_each_launch(steps: &mut [Step], visit: &mut dyn FnMut(&mut Launch)) {
    for step in steps {
        match step {
            Step::Launch(launch) => visit(launch),
            Step::Loop { body, .. } | Step::Ask { body, .. } => for_each_launch(body, visit),
            Step::Switch { arms, .. } => arms.iter_mut().for_each(|arm| for_each_launch(arm, visit)),
            Step::Count { .. } | Step::Lookup { .. } | Step::Tally(_) => {}
        }
    }
}
