//! Kernels by hand as PTX: streamed attention and products in every shape and layout, with sizes that are not known while
//! compiling, and functions of 64-bit floats.

use super::emulated::Emulated;
use super::operations::{compiled, run};
use crate::native::attention::{Shape, check_all, check_known};
use crate::native::compiled::{Runs, program, size};
use crate::native::gemms::Family;
use archc::gpu::{PANEL, Precision};
use archc::kernel::{
    Address, AddressTerm, Amount, Form, Index, Kernel, KernelBuffer, Nest, ParallelLoop, Register, Statement,
};
use archc::link::Block;
use archc::plan::Program;
use archc::tensor::Function;
use archc_runtime::abi::{DevicePlan, Element, Size};

/// A program as PTX, for a machine of this seed.
pub struct InPtx {
    pub plan: DevicePlan,
    pub ptx: String,
    pub seed: u64,
}

impl InPtx {
    pub fn new(program: &Program, seed: u64, precision: Precision) -> InPtx {
        let (plan, ptx) = compiled(std::slice::from_ref(program), precision);
        InPtx { plan, ptx, seed }
    }
}

impl Runs for InPtx {
    fn run(&self, blocks: &mut [&mut Block], sizes: &[i64]) {
        run(&self.plan, 0, &mut Emulated::new(&self.plan, &self.ptx, self.seed), blocks, sizes);
    }
}

#[test]
fn streamed_attention_and_its_gradient_are_right_in_ptx_for_widths_that_only_a_launch_knows() {
    let shapes = [[2, 2, 2, 5, 8, 6, 6], [1, 1, 1, 2, 35, 300, 261], [1, 1, 1, 2, 3, 2, 520]].map(Shape::from);
    check_all(&shapes, "in PTX", |program| InPtx::new(program, 5, Precision::F32));
}

/// Tiles of fragments, in two parts of tf32 each: as exact as 32-bit floats, in widths that none of them divides.
#[test]
fn attention_by_fragments_and_its_gradient_are_right_in_ptx() {
    let shapes = [
        [2, 1, 2, 5, 8, 6, 6],
        [1, 2, 1, 70, 75, 16, 20],
        [1, 1, 2, 4, 67, 33, 9],
        [1, 1, 1, 9, 40, 136, 40],
        // Sums in two parts, and in four.
        [1, 1, 1, 6, 30, 144, 12],
        [1, 1, 1, 5, 20, 32, 256],
        [1, 1, 1, 5, 20, 8, 288],
    ]
    .map(Shape::from);
    check_known(&shapes, "in PTX", |program| {
        let compiled = InPtx::new(program, 5, Precision::F32);
        assert!(compiled.ptx.contains("mma.sync"), "tiles of fragments");
        compiled
    });
}

#[test]
fn products_of_every_layout_are_right_in_ptx_and_write_nothing_else() {
    let mut family = Family::new(PANEL, |program| InPtx::new(program, 6, Precision::F32));
    family.check_layouts(&[(1, 70, 37), (5, 3, 260), (9, 65, 131), (67, 66, 17), (3, 5, 0)]);
}

/// `y[i] = f(x[i])` of 64-bit floats.
fn of_doubles(function: Function) -> Program {
    let at = |buffer| Address { buffer, terms: vec![(AddressTerm::Index(Index(0)), Amount::Constant(1))], offset: 0 };
    let body = vec![
        Statement::Load(Register(0), at(0)),
        Statement::Call(Register(1), function, vec![Register(0)]),
        Statement::Store(at(1), Register(1)),
    ];
    let parallel = vec![ParallelLoop { index: Index(0), extent: size(0) }];
    let buffers = [false, true].map(|written| KernelBuffer { element: Element::F64, written });
    let form = Form::Nest(Nest { parallel, body, ..Nest::default() });
    let kernel = Kernel { name: "map".into(), buffers: buffers.to_vec(), sizes: 1, form };
    program(kernel, &[Size::Symbol(0), Size::Symbol(0)], 1)
}

fn block_of(numbers: &[f64]) -> Block {
    let mut block = Block::zeroed(numbers.len() * 8);
    for (bytes, number) in block.bytes_mut().chunks_exact_mut(8).zip(numbers) {
        bytes.copy_from_slice(&number.to_ne_bytes());
    }
    block
}

fn doubles(function: Function, x: &[f64]) -> Vec<f64> {
    let compiled = InPtx::new(&of_doubles(function), 7, Precision::F32);
    let (mut input, mut output) = (block_of(x), Block::zeroed(x.len() * 8));
    compiled.run(&mut [&mut input, &mut output], &[x.len() as i64]);
    let number = |bytes: &[u8]| f64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
    output.bytes().chunks_exact(8).map(number).collect()
}

#[test]
fn functions_of_64_bit_floats_are_accurate_in_ptx() {
    let cases = [
        (Function::Exp, -700.0, 700.0),
        (Function::Log, 1e-300, 1e300),
        (Function::Log1p, -0.9, 3.0),
        (Function::Expm1, -3.0, 3.0),
        (Function::Tanh, -12.0, 12.0),
        (Function::Sin, -20.0, 20.0),
        (Function::Cos, -20.0, 20.0),
        (Function::Sin, 1e4, 1e6),
        (Function::Cos, 1e4, 1e6),
    ];
    for (function, low, high) in cases {
        let x = (0..997).map(|place| low + (high - low) * (f64::from(place) + 0.37) / 997.0).collect::<Vec<_>>();
        for (x, y) in x.iter().zip(doubles(function, &x)) {
            let truth = function.apply(&[*x]);
            let error = (y - truth).abs() / (truth.abs() * f64::EPSILON).max(f64::MIN_POSITIVE);
            assert!(error <= 4.0, "{} of {x}: {y} for {truth}, {error:.1} units", function.name());
        }
    }
}

/// By a library of many digits: what `eval` says is itself right to 1e-14 only.
#[test]
fn the_error_function_of_64_bit_floats_is_accurate_in_ptx() {
    let known = [
        (1e-5, 1.128_379_167_057_9e-5),
        (0.01, 0.011_283_415_555_849_618),
        (0.3, 0.328_626_759_459_127_4),
        (0.75, 0.711_155_633_653_515_1),
        (0.99, 0.838_508_069_555_369_8),
        (1.01, 0.846_810_496_228_276_8),
        (1.25, 0.922_900_128_256_458_3),
        (1.7, 0.983_790_458_590_774_5),
        (2.2, 0.998_137_153_702_018_2),
        (2.9, 0.999_958_902_121_900_5),
        (3.6, 0.999_999_644_137_007),
        (4.4, 0.999_999_999_510_829),
        (5.5, 0.999_999_999_999_992_7),
        (-0.5, -0.520_499_877_813_046_5),
        (-1.5, -0.966_105_146_475_310_8),
        (-2.5, -0.999_593_047_982_555),
    ];
    let x = known.map(|(x, _)| x);
    for ((x, truth), y) in known.into_iter().zip(doubles(Function::Erf, &x)) {
        assert!((y - truth).abs() <= 4.0 * f64::EPSILON * truth.abs(), "erf of {x}: {y} for {truth}");
    }
}

#[test]
fn functions_of_64_bit_floats_keep_their_ends_in_ptx() {
    let ends = [0.0, 1e9, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    let erf = doubles(Function::Erf, &ends);
    assert_eq!(erf[..4], [0.0, 1.0, 1.0, -1.0]);
    for function in [Function::Erf, Function::Sin, Function::Cos] {
        assert!(doubles(function, &ends)[4].is_nan(), "{}", function.name());
    }
}
