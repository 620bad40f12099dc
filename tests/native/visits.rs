//! What is absent needs no work: attention counts, while it runs, the pairs of a query and a key that it computes a
//! product for, and those past a triangle or a band are skipped by whole tiles. Only kernels of this test count.

use super::attention::{Case, Shape, forward, gradient, kernel};
use super::compiled::{Compiled, Runs, program, targets};
use archc::kernel::{Form, Kernel, KernelBuffer};
use archc::link::Block;
use archc::target::Target;
use archc_runtime::abi::{Element, Size};

const LENGTH: usize = 1024;

/// A kernel that counts into one more buffer.
fn counting(form: Form) -> Kernel {
    let mut kernel = kernel(form);
    let place = kernel.buffers.len();
    match &mut kernel.form {
        Form::Attend(attend) => attend.visits = Some(place),
        Form::AttendGradient(gradient) => gradient.forward.visits = Some(place),
        other => panic!("{other:?} is no attention"),
    }
    kernel.buffers.push(KernelBuffer { element: Element::I32, written: true });
    kernel
}

fn compiled(kernel: Kernel, target: &Target) -> Compiled {
    let lengths = vec![Size::Constant(0); kernel.buffers.len()];
    Compiled::new(&program(kernel, &lengths, 1 << 40), target)
}

/// The counts of all turns.
fn total(counts: &Block) -> f64 {
    let turns =
        counts.bytes().chunks_exact(4).map(|bytes| i32::from_ne_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
    turns.map(f64::from).sum()
}

/// The share of all pairs that the forward and the backward kernel visit. The gradient visits a pair twice: for the
/// weights of a query's row, and for the sums of a key's.
fn shares(group: usize, kernels: &[Compiled; 2]) -> [f64; 2] {
    let (rows, heads, width) = (2, 2, 8);
    let shape = Shape { rows, heads, group, queries: LENGTH, keys: LENGTH, width, values: width };
    let line = |heads: usize| Block::of_f32(&vec![0.1; rows * LENGTH * heads * width]);
    let (mut q, mut k, mut v, mut g) = (line(heads * group), line(heads), line(heads), line(heads * group));
    let (mut o, mut dq, mut dk, mut dv) = (line(heads * group), line(heads * group), line(heads), line(heads));
    let mut l = Block::zeroed(rows * heads * group * LENGTH * 4);
    let (mut bias, mut mask) = (Block::of_f32(&[0.0]), Block::zeroed(1));
    let mut lengths = Block::zeroed(rows * 4);
    lengths.bytes_mut().chunks_exact_mut(4).for_each(|bytes| bytes.copy_from_slice(&(LENGTH as i32).to_ne_bytes()));
    let mut counts = [Block::zeroed(rows * heads * group * LENGTH * 4), Block::zeroed(rows * heads * 4)];
    let [forwards, backwards] = &mut counts;
    let blocks = &mut [&mut q, &mut k, &mut v, &mut o, &mut bias, &mut mask, &mut lengths, &mut l, forwards];
    kernels[0].run(blocks, &shape.sizes());
    let blocks = &mut [
        &mut q,
        &mut k,
        &mut v,
        &mut o,
        &mut bias,
        &mut mask,
        &mut lengths,
        &mut l,
        &mut g,
        &mut dq,
        &mut dk,
        &mut dv,
        backwards,
    ];
    kernels[1].run(blocks, &shape.sizes());
    let pairs = (rows * heads * group * LENGTH * LENGTH) as f64;
    [total(&counts[0]) / pairs, total(&counts[1]) / (2.0 * pairs)]
}

#[test]
fn a_triangle_is_visited_by_little_more_than_a_half_and_a_window_by_its_width() {
    let causal = Case { causal: true, window: None, masked: false, listed: false };
    let cases = [
        // All pairs, so that the counters are known to count.
        (Case { causal: false, ..causal }, 1.0, 1.0),
        (causal, 0.5, 0.55),
        (Case { window: Some(64), ..causal }, 0.0625, 0.15),
    ];
    let target = targets().pop().expect("this machine has a level");
    for (case, least, most) in cases {
        let forward = counting(Form::Attend(Box::new(forward(case))));
        let backward = counting(Form::AttendGradient(Box::new(gradient(case))));
        let kernels = [compiled(forward, &target), compiled(backward, &target)];
        for group in [1, 2] {
            let share = shares(group, &kernels);
            let allowed = share.iter().all(|share| (least..=most).contains(share));
            assert!(allowed, "{share:?} of {least} to {most}, group {group}: {case:?} {:?}", target.level);
        }
    }
}
