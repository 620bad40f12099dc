//! Parameters that no step reads, since all read what was packed of them: they are no buffers of the program.
//!
//! In: a program. Out: the same without these buffers, so that a caller may hold a parameter in one form alone.

use super::program::{Argument, Program, Step};
use archc_runtime::abi::Role;

/// Drops every parameter's buffer that no step names.
pub fn drop_unread(program: &mut Program) {
    let mut kept = program.buffers.iter().map(|buffer| buffer.role != Role::Parameter).collect::<Vec<_>>();
    for_each_argument(&mut program.steps, &mut |argument| kept[argument.buffer] = true);
    let place = |buffer: usize| kept[..buffer].iter().filter(|kept| **kept).count();
    for_each_argument(&mut program.steps, &mut |argument| argument.buffer = place(argument.buffer));
    let mut keeps = kept.iter();
    program.buffers.retain(|_| keeps.next().copied().unwrap_or_default());
}

/// Visits every place where a step names a buffer.
fn for_each_argument(steps: &mut [Step], visit: &mut dyn FnMut(&mut Argument)) {
    for step in steps {
        match step {
            Step::Launch(launch) => launch.arguments.iter_mut().for_each(&mut *visit),
            Step::Count { from, .. } => visit(from),
            Step::Loop { body, .. } | Step::Ask { body, .. } => for_each_argument(body, visit),
            Step::Switch { arms, .. } => arms.iter_mut().for_each(|arm| for_each_argument(arm, visit)),
            Step::Tally(_) | Step::Lookup { .. } => {}
        }
    }
}
