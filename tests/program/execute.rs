//! Runs a [`Program`] in plain Rust: the meaning of kernels, without code generation.
//!
//! In: a program, its sizes and its named buffers. Out: all buffers after the call. A temporary buffer is poisoned
//! after the last step of its life, so that a lifetime that is too short shows.

use super::matrices;
use super::nests::Nests;
use archc::kernel::{Amount, Form, Kernel};
use archc::plan::{Launch, Program, Step};
use archc_runtime::abi::{Element, Role};

/// Buffers of one call; every element as a double, rounded to what its buffer holds.
pub struct Memory {
    /// In the order of the program's buffers.
    pub buffers: Vec<Vec<f64>>,
    /// What elements are.
    pub elements: Vec<Element>,
    /// Multiplications of the kernels so far, a step of an inner product being one.
    pub multiplications: u64,
}

/// One buffer of a kernel: which, and from where on.
#[derive(Debug, Clone, Copy)]
pub struct Slot {
    /// The place in the memory.
    pub buffer: usize,
    /// Elements to skip.
    pub offset: i64,
}

impl Memory {
    /// An element.
    pub fn read(&self, slot: Slot, at: i64) -> f64 {
        self.buffers[slot.buffer][usize::try_from(slot.offset + at).expect("an address is not negative")]
    }

    /// Writes an element.
    pub fn write(&mut self, slot: Slot, at: i64, value: f64) {
        let at = usize::try_from(slot.offset + at).expect("an address is not negative");
        self.buffers[slot.buffer][at] = rounded(value, self.elements[slot.buffer]);
    }
}

/// A value as an element holds it.
fn rounded(value: f64, element: Element) -> f64 {
    match element {
        Element::F64 => value,
        Element::I32 => f64::from(value as i32),
        Element::Bool => f64::from(u8::from(value != 0.0)),
        _ => f64::from(value as f32),
    }
}

/// Runs a program. `given` is asked for the contents of inputs, parameters and states by name and length.
pub fn execute(program: &Program, symbols: &[i64], given: impl Fn(&str, usize) -> Option<Vec<f64>>) -> Memory {
    let mut memory = Memory { buffers: Vec::new(), elements: Vec::new(), multiplications: 0 };
    for buffer in &program.buffers {
        let size = buffer.shape.iter().map(|size| size.evaluate(symbols)).product::<i64>() as usize;
        let outside = matches!(buffer.role, Role::Input | Role::Parameter | Role::State | Role::Packed);
        let content = outside.then(|| given(&buffer.name, size)).flatten();
        memory.buffers.push(content.unwrap_or_else(|| vec![f64::NAN; size]));
        memory.elements.push(buffer.element);
    }
    let mut values = symbols.to_vec();
    values.resize(program.symbols.len() + program.counters, 0);
    Run { program, memory: &mut memory, values }.steps(&program.steps, 0, 0);
    memory
}

struct Run<'r> {
    program: &'r Program,
    memory: &'r mut Memory,
    values: Vec<i64>,
}

impl Run<'_> {
    /// Runs steps of which the first has a number, inside of a loop whose body begins at a step; returns the number
    /// after the last.
    fn steps(&mut self, steps: &[Step], mut number: usize, inside: usize) -> usize {
        for step in steps {
            let own = number;
            number = match step {
                Step::Launch(launch) => {
                    self.launch(launch);
                    own + 1
                }
                Step::Loop { counter, turns, reverse, body, .. } => {
                    let turns = turns.evaluate(&self.values);
                    for turn in 0..turns {
                        self.values[*counter] = if *reverse { turns - 1 - turn } else { turn };
                        self.steps(body, own + 1, own + 1);
                    }
                    own + 1 + count(body)
                }
                // Nobody looks, and nobody counts.
                Step::Ask { body, .. } => self.steps(body, own + 1, inside),
                Step::Tally(_) => own + 1,
                Step::Count { counter, from } => {
                    let slot = Slot { buffer: from.buffer, offset: from.offset.evaluate(&self.values) };
                    self.values[*counter] = self.memory.read(slot, 0) as i64;
                    own + 1
                }
                Step::Lookup { counter, of, table } => {
                    self.values[*counter] = i64::from(table[self.values[*of] as usize]);
                    own + 1
                }
                Step::Switch { counter, table, arms } => {
                    let arm = table[self.values[*counter] as usize] as usize;
                    let before = arms[..arm].iter().map(|arm| count(arm)).sum::<usize>();
                    self.steps(&arms[arm], own + 1 + before, inside);
                    own + 1 + arms.iter().map(|arm| count(arm)).sum::<usize>()
                }
            };
            self.poison(own, number - 1, inside);
        }
        number
    }

    /// Buffers whose life ends at the end of a step; those that the whole loop needs are not `inside` of it.
    fn poison(&mut self, first_step: usize, last_step: usize, inside: usize) {
        for (buffer, content) in self.program.buffers.iter().zip(&mut self.memory.buffers) {
            if let Role::Temporary { first, last } = buffer.role
                && first >= inside
                && (first_step..=last_step).contains(&last)
            {
                content.fill(f64::NAN);
            }
        }
    }

    fn launch(&mut self, launch: &Launch) {
        let kernel = &self.program.kernels[launch.kernel];
        assert_eq!(kernel.buffers.len(), launch.arguments.len());
        let sizes = launch.sizes.iter().map(|size| size.evaluate(&self.values)).collect::<Vec<_>>();
        let slots = launch
            .arguments
            .iter()
            .map(|argument| Slot { buffer: argument.buffer, offset: argument.offset.evaluate(&self.values) });
        run_kernel(kernel, &slots.collect::<Vec<_>>(), &sizes, self.memory);
    }
}

/// Runs one kernel.
pub fn run_kernel(kernel: &Kernel, slots: &[Slot], sizes: &[i64], memory: &mut Memory) {
    match &kernel.form {
        Form::Nest(nest) => Nests::run(nest, &kernel.buffers, slots, sizes, memory),
        Form::Gemm(gemm) => matrices::gemm(gemm, slots, sizes, memory),
        Form::Pack(pack) => matrices::pack(pack, slots, sizes, memory),
        Form::Attend(attend) => super::attention::attend(attend, slots, sizes, memory),
        Form::AttendGradient(gradient) => super::attention::attend_gradient(gradient, slots, sizes, memory),
    }
}

/// The number of an amount.
pub fn amount(amount: Amount, sizes: &[i64]) -> i64 {
    match amount {
        Amount::Constant(number) => number,
        Amount::Size(place) => sizes[place],
    }
}

fn count(steps: &[Step]) -> usize {
    let inner = |step: &Step| match step {
        Step::Launch(_) | Step::Count { .. } | Step::Lookup { .. } | Step::Tally(_) => 0,
        Step::Loop { body, .. } | Step::Ask { body, .. } => count(body),
        Step::Switch { arms, .. } => arms.iter().map(|arm| count(arm)).sum(),
    };
    steps.iter().map(|step| 1 + inner(step)).sum()
}
