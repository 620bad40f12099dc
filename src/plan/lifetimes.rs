//! From which step to which a temporary buffer lives.
//!
//! Steps are numbered in the order of the text. A buffer that is touched inside a loop and outside of it lives for
//! the whole loop, because a later turn may read what an earlier one wrote.

use super::program::{Program, Step};
use archc_runtime::abi::Role;

/// The first and the last step of something.
type Range = (usize, usize);

/// Sets `first` and `last` of every temporary buffer.
pub fn fill(program: &mut Program) {
    let mut walk = Walk { next: 0, touched: vec![Vec::new(); program.buffers.len()], loops: Vec::new() };
    walk.steps(&program.steps);
    for (buffer, touched) in program.buffers.iter_mut().zip(&walk.touched) {
        if let Role::Temporary { first, last } = &mut buffer.role {
            (*first, *last) = range_of(touched, &walk.loops);
        }
    }
}

fn range_of(touched: &[usize], loops: &[Range]) -> Range {
    let (Some(&first), Some(&last)) = (touched.iter().min(), touched.iter().max()) else { return (0, 0) };
    let mut range = (first, last);
    // Outer loops stand before inner ones; from the inside out each may widen the range.
    for &(begin, end) in loops.iter().rev() {
        let inside = touched.iter().any(|&step| (begin..=end).contains(&step));
        let outside = range.0 < begin || range.1 > end;
        if inside && outside {
            range = (range.0.min(begin), range.1.max(end));
        }
    }
    range
}

struct Walk {
    next: usize,
    touched: Vec<Vec<usize>>,
    loops: Vec<Range>,
}

impl Walk {
    fn steps(&mut self, steps: &[Step]) {
        for step in steps {
            let number = self.next;
            self.next += 1;
            match step {
                Step::Launch(launch) => {
                    for argument in &launch.arguments {
                        self.touched[argument.buffer].push(number);
                    }
                }
                Step::Tally(_) | Step::Lookup { .. } => {}
                Step::Ask { body, .. } => self.steps(body),
                Step::Count { from, .. } => self.touched[from.buffer].push(number),
                Step::Loop { body, .. } => {
                    let place = self.loops.len();
                    self.loops.push((number, number));
                    self.steps(body);
                    self.loops[place].1 = self.next - 1;
                }
                Step::Switch { arms, .. } => arms.iter().for_each(|arm| self.steps(arm)),
            }
        }
    }
}
