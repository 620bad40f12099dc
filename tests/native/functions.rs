//! Scalar functions: accuracy, and the same result in every lane.

use super::compiled::{Compiled, Runs, kernel, program, size, targets};
use archc::kernel::{Address, AddressTerm, Amount, Form, Index, Kernel, Nest, ParallelLoop, Register, Statement};
use archc::link::Block;
use archc::tensor::Function;
use archc_runtime::abi::Size;

fn at(buffer: usize, stride: i64) -> Address {
    Address { buffer, terms: vec![(AddressTerm::Index(Index(0)), Amount::Constant(stride))], offset: 0 }
}

/// `y[i] = f(a[i], b[i])`; a stride of 2 keeps the lanes apart.
fn apply(function: Function, stride: i64) -> Kernel {
    let arity = function.arity().min(2);
    let mut body =
        (0..arity).map(|place| Statement::Load(Register(place as u32), at(place, stride))).collect::<Vec<_>>();
    let arguments = (0..arity).map(|place| Register(place as u32)).collect();
    body.push(Statement::Call(Register(9), function, arguments));
    body.push(Statement::Store(at(2, stride), Register(9)));
    let parallel = vec![ParallelLoop { index: Index(0), extent: size(0) }];
    kernel(2, 1, 1, Form::Nest(Nest { parallel, body, ..Nest::default() }))
}

fn points(low: f32, high: f32, count: usize) -> Vec<f32> {
    (0..count).map(|place| low + (high - low) * (place as f32 + 0.37) / count as f32).collect()
}

fn run(function: Function, target: &archc::target::Target, x: &[f32], y: &[f32]) -> Vec<f32> {
    let length = Size::Symbol(0);
    let compiled = Compiled::new(&program(apply(function, 1), &[length.clone(), length.clone(), length], 1), target);
    let (mut a, mut b, mut out) = (Block::of_f32(x), Block::of_f32(y), Block::zeroed(x.len() * 4));
    compiled.run(&mut [&mut a, &mut b, &mut out], &[x.len() as i64]);
    out.to_f32()
}

/// The distance in units of the last place of the true value.
fn ulps(value: f32, truth: f64) -> f64 {
    let rounded = truth as f32;
    if value == rounded || (value.is_nan() && truth.is_nan()) {
        return 0.0;
    }
    let unit = f64::from(f32::from_bits(rounded.abs().to_bits() + 1) - rounded.abs());
    (f64::from(value) - truth).abs() / unit.max(1e-45)
}

#[test]
fn elementary_functions_are_accurate_to_a_few_units_in_the_last_place() {
    let cases = [
        (Function::Exp, -100.0, 88.0, 2.0),
        (Function::Exp, -1.0, 1.0, 1.5),
        (Function::Log, 1e-30, 1e30, 1.5),
        (Function::Log, 0.5, 2.0, 1.5),
        (Function::Log1p, -0.9, 3.0, 2.5),
        (Function::Log1p, -1e-3, 1e-3, 2.0),
        (Function::Expm1, -3.0, 3.0, 2.5),
        (Function::Expm1, -1e-3, 1e-3, 2.0),
        (Function::Sin, -20.0, 20.0, 2.0),
        (Function::Cos, -20.0, 20.0, 2.0),
        (Function::Sin, 1e4, 1e6, 2.0),
        (Function::Tanh, -12.0, 12.0, 2.0),
        (Function::Erf, -5.0, 5.0, 2.0),
        (Function::Sqrt, 0.0, 1e6, 1.0),
    ];
    for target in targets() {
        let fused = target.fused();
        for (function, low, high, bound) in cases {
            let x = points(low, high, 4001);
            let out = run(function, &target, &x, &x);
            let worst = x.iter().zip(&out).map(|(&x, &y)| (ulps(y, function.apply(&[f64::from(x)])), x));
            let (error, place) = worst.fold((0.0, 0.0), |worst, next| if next.0 > worst.0 { next } else { worst });
            // Without fused operations polynomials lose about one more unit.
            let bound = if fused { bound } else { bound + 2.0 };
            assert!(error <= bound, "{} on {:?}: {error:.2} ulp at {place}", function.name(), target.level);
        }
    }
}

#[test]
fn elementary_functions_are_right_at_their_ends() {
    let x = [0.0, -0.0, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1.0, -1.0, 1e-40, 200.0, -200.0];
    let functions = [
        Function::Exp,
        Function::Log,
        Function::Log1p,
        Function::Expm1,
        Function::Tanh,
        Function::Erf,
        Function::Floor,
        Function::Negate,
        Function::Absolute,
    ];
    for target in targets() {
        for function in functions {
            let out = run(function, &target, &x, &x);
            for (&x, &y) in x.iter().zip(&out) {
                let truth = function.apply(&[f64::from(x)]) as f32;
                let near = y == truth || (y.is_nan() && truth.is_nan()) || (y - truth).abs() <= truth.abs() * 1e-6;
                assert!(near, "{}({x}) on {:?} is {y}, not {truth}", function.name(), target.level);
            }
        }
    }
}

#[test]
fn functions_of_two_arguments_mean_what_they_say() {
    use Function::*;
    let x = points(-7.5, 9.5, 53);
    let y = points(0.5, 3.5, 53);
    for target in targets() {
        for function in [Add, Subtract, Multiply, Divide, FloorDivide, Remainder, Minimum, Maximum, Power] {
            let x = if function == Power { x.iter().map(|x| x.abs()).collect() } else { x.clone() };
            let out = run(function, &target, &x, &y);
            for ((&x, &y), &value) in x.iter().zip(&y).zip(&out) {
                let truth = function.apply(&[f64::from(x), f64::from(y)]) as f32;
                assert!((value - truth).abs() <= 2e-6 * truth.abs().max(1.0), "{}({x}, {y}): {value}", function.name());
            }
        }
    }
}

#[test]
fn a_lane_computes_what_a_single_turn_computes() {
    let x = points(-4.0, 4.0, 61);
    for target in targets() {
        for function in [Function::Exp, Function::Tanh, Function::Erf, Function::Sin, Function::Expm1] {
            let together = run(function, &target, &x, &x);
            for (place, &x) in x.iter().enumerate() {
                assert_eq!(run_one(function, &target, x), together[place], "{}({x})", function.name());
                if place > 3 {
                    break;
                }
            }
        }
    }
}

#[test]
fn an_exponential_does_not_depend_on_which_instructions_multiply_by_a_power_of_two() {
    let x = points(-106.0, 90.0, 40_001);
    let fused = targets().into_iter().filter(|target| target.fused());
    let all = fused.map(|target| run(Function::Exp, &target, &x, &x)).collect::<Vec<_>>();
    assert!(all.iter().all(|one| *one == all[0]));
}

fn run_one(function: Function, target: &archc::target::Target, x: f32) -> f32 {
    run(function, target, &[x], &[x])[0]
}
