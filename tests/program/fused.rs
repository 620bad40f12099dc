//! What fusion must give, and what it must leave alone.

use super::build::{Build, Call, check, check_with, feed, run_program, run_with};
use super::meaning::causal;
use archc::kernel::Form;
use archc::plan::{Interface, Program, schedule, schedule_all};
use archc::tensor::*;
use archc_runtime::abi::Role;

fn forms(program: &Program) -> Vec<&'static str> {
    let name = |form: &Form| match form {
        Form::Nest(_) => "nest",
        Form::Gemm(_) => "gemm",
        Form::Pack(_) => "pack",
        Form::Attend(_) => "attend",
        Form::AttendGradient(_) => "attend gradient",
    };
    program.kernels.iter().map(|kernel| name(&kernel.form)).collect()
}

fn temporaries(program: &Program) -> usize {
    program.buffers.iter().filter(|buffer| matches!(buffer.role, Role::Temporary { .. })).count()
}

#[test]
fn a_product_takes_bias_activation_and_residual_as_its_epilogue() {
    let mut build = Build::new();
    let (t, d, f) = (build.sequence("t"), build.dim("d", 5), build.dim("f", 3));
    let (x, w, b) = (build.input("x", &[BATCH, t, d]), build.parameter("w", &[d, f]), build.parameter("b", &[f]));
    let rest = build.input("rest", &[BATCH, t, f]);
    let y = build.contract(&[d], x, w);
    let y = build.map(Function::Add, &[y, b]);
    let y = build.map(Function::Tanh, &[y]);
    let y = build.map(Function::Add, &[rest, y]);
    build.output("y", y);
    let program = check(&build.finish());
    assert_eq!((forms(&program), temporaries(&program)), (vec!["pack", "gemm"], 1), "{program}");
}

#[test]
fn a_gate_is_multiplied_in_the_second_product() {
    let mut build = Build::new();
    let (t, d, f) = (build.sequence("t"), build.dim("d", 5), build.dim("f", 3));
    let (x, gate, up) =
        (build.input("x", &[BATCH, t, d]), build.parameter("gate", &[d, f]), build.parameter("up", &[d, f]));
    let gated = build.contract(&[d], x, gate);
    let share = build.map(Function::Tanh, &[gated]);
    let gated = build.map(Function::Multiply, &[gated, share]);
    let raised = build.contract(&[d], x, up);
    let y = build.map(Function::Multiply, &[gated, raised]);
    build.output("y", y);
    let program = check(&build.finish());
    assert_eq!((forms(&program), temporaries(&program)), (vec!["pack", "gemm", "gemm"], 3), "{program}");
}

#[test]
fn parameters_packed_once_serve_every_call() {
    let mut build = Build::new();
    let (t, d, f, h) = (build.sequence("t"), build.dim("d", 5), build.dim("f", 7), build.dim("h", 2));
    let (x, w) = (build.input("x", &[BATCH, t, d]), build.parameter("w", &[d, f, h]));
    let y = build.contract(&[d], x, w);
    let z = build.contract(&[f, h], y, w);
    build.output("z", z);
    let (graph, call) = (build.finish(), Call::ragged(2, 3));
    let interface = Interface { packs: true, ..Interface::default() };
    let programs = schedule_all([(&graph, interface)]);
    let feed = feed(&graph, &call);
    let prepared = run_program(&programs[1], &feed);
    let packed = |name: &str| {
        let place = programs[1].buffers.iter().position(|buffer| buffer.name == name && buffer.role == Role::Packed);
        place.map(|place| prepared.buffers[place].clone())
    };
    let memory = run_with(&programs[0], &feed, &packed);
    let plain = Interface { plain: true, ..Interface::default() };
    let expected = run_program(&schedule(&graph, &plain), &feed);
    assert!(memory.buffers[1].iter().zip(&expected.buffers[1]).all(|(left, right)| (left - right).abs() < 1e-5));
    assert_eq!(forms(&programs[1]), ["pack", "pack"], "{}", programs[1]);
}

#[test]
fn attention_never_has_a_matrix_of_scores() {
    let mut build = Build::new();
    let (t, g, r, k) = (build.sequence("t"), build.dim("g", 2), build.dim("r", 3), build.dim("k", 4));
    let s = build.axes.add_like("s", t);
    let q = build.input("q", &[BATCH, t, g, r, k]);
    let (key, val) = (build.input("key", &[BATCH, t, g, k]), build.input("val", &[BATCH, t, g, k]));
    let key = build.index(key, &[(t, Affine::axis(s))]);
    let val = build.index(val, &[(t, Affine::axis(s))]);
    let score = build.contract(&[k], q, key);
    let root = build.number(2.0);
    let score = build.map(Function::Divide, &[score, root]);
    let score = build.keep(score, causal(t, s, None));
    let share = build.softmax(s, score);
    let out = build.contract(&[s], share, val);
    build.output("out", out);
    let program = check_with(&build.finish(), &Call::ragged(2, 9), &Interface::default());
    assert_eq!((forms(&program), temporaries(&program)), (vec!["attend"], 0), "{program}");
}

#[test]
fn a_norm_is_one_kernel() {
    let mut build = Build::new();
    let (t, d) = (build.sequence("t"), build.dim("d", 6));
    let (x, w) = (build.input("x", &[BATCH, t, d]), build.parameter("w", &[d]));
    let sum = build.reduce(archc::model::Combine::Sum, &[d], x);
    let size = build.number(6.0);
    let mean = build.map(Function::Divide, &[sum, size]);
    let centred = build.map(Function::Subtract, &[x, mean]);
    let square = build.map(Function::Multiply, &[centred, centred]);
    let variance = build.reduce(archc::model::Combine::Sum, &[d], square);
    let root = build.map(Function::Sqrt, &[variance]);
    let y = build.map(Function::Divide, &[centred, root]);
    let y = build.map(Function::Multiply, &[y, w]);
    build.output("y", y);
    let program = check(&build.finish());
    assert_eq!((forms(&program), temporaries(&program)), (vec!["nest"], 0), "{program}");
}
