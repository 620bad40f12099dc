//! Products on tensor cores: their factors are rounded as their precision says, and nothing else is.

use super::kernels::InPtx;
use super::models::{LLAMA, loaded};
use crate::compiled::{graphs, model_with};
use crate::native::compiled::{Runs, program};
use crate::native::gemms::{Family, Kind, gemm};
use crate::random_models::{batch, numbers};
use archc::gpu::{PANEL, Precision};
use archc::link::Block;
use archc::model::library::embedded;
use archc::verify::weights::{Random, random_weights};
use archc::verify::{Interpreted, Native};
use archc_runtime::abi::Size;

const ON_TENSOR_CORES: [Precision; 2] = [Precision::Tf32, Precision::Bf16];

/// Both have all bits of the numbers that are multiplied here, so that only sums are rounded.
#[test]
fn products_of_every_layout_are_right_on_tensor_cores_and_write_nothing_else() {
    for precision in ON_TENSOR_CORES {
        let mut family = Family::new(PANEL, |program| InPtx::new(program, 8, precision));
        family.check_layouts(&[(1, 70, 37), (16, 3, 50), (17, 130, 33), (131, 129, 17), (3, 5, 0)]);
    }
}

/// Numbers with more bits than any of the precisions has.
fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|place| ((place * 131 + seed * 17 + 5) % 1009) as f32 / 700.3 - 0.71).collect()
}

/// To the nearest, half away from zero for tf32 and to even for bf16.
fn rounded(value: f32, precision: Precision) -> f64 {
    f64::from(match precision {
        Precision::F32 => value,
        Precision::Tf32 => f32::from_bits((value.to_bits() + 0x1000) & !0x1fff),
        Precision::Bf16 => {
            let bits = value.to_bits();
            f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
        }
    })
}

/// The product of A and B by rows and columns that lie densely, from a compiled kernel.
fn product(compiled: &InPtx, a: &[f32], b: &[f32], [m, n, k]: [usize; 3]) -> Vec<f32> {
    let (mut left, mut right) = (Block::of_f32(a), Block::of_f32(b));
    let (mut extras, mut result) = (Block::zeroed(4), Block::zeroed(m * n * 4));
    let sizes = [1, m, n, k, k, n, n, 0, 0, 0].map(|size| size as i64);
    compiled.run(&mut [&mut left, &mut right, &mut extras, &mut result], &sizes);
    result.to_f32()
}

fn plain(precision: Precision) -> InPtx {
    let kind = Kind { a_transposed: false, right: 0, epilogue: 0, accumulate: false };
    InPtx::new(&program(gemm(kind), &vec![Size::Constant(0); 4], 1 << 40), 9, precision)
}

#[test]
fn factors_are_rounded_to_the_nearest_and_sums_are_not() {
    let [m, n, k] = [19, 21, 75];
    let (a, b) = (values(m * k, 1), values(k * n, 2));
    for precision in [Precision::F32, Precision::Tf32, Precision::Bf16] {
        let found = product(&plain(precision), &a, &b, [m, n, k]);
        let far = |by: Precision| {
            let wanted = |place: usize| {
                let (row, column) = (place / n, place % n);
                let term = |k_at: usize| rounded(a[row * k + k_at], by) * rounded(b[k_at * n + column], by);
                (0..k).map(term).sum::<f64>()
            };
            let errors = found.iter().enumerate().map(|(place, &value)| (f64::from(value) - wanted(place)).abs());
            errors.fold(0.0, f64::max)
        };
        assert!(far(precision) < 2e-5, "{}: {:e}", precision.name(), far(precision));
        for other in [Precision::F32, Precision::Tf32, Precision::Bf16] {
            assert!(other == precision || far(other) > 2e-4, "{} is not {}", precision.name(), other.name());
        }
    }
}

#[test]
fn a_row_has_the_same_result_alone_and_among_others_on_tensor_cores() {
    let [m, n, k] = [130, 70, 45];
    let (a, b) = (values(m * k, 3), values(k * n, 4));
    for precision in ON_TENSOR_CORES {
        let compiled = plain(precision);
        let all = product(&compiled, &a, &b, [m, n, k]);
        for rows in [1, 16, 17] {
            assert_eq!(product(&compiled, &a, &b, [rows, n, k])[..], all[..rows * n], "{rows} rows");
        }
    }
}

fn norm(numbers: impl Iterator<Item = f64>) -> f64 {
    numbers.map(|number| number * number).sum::<f64>().sqrt()
}

/// Logits, loss and each gradient of a decoder differ from the interpreter's by a few roundings of the factors: by more
/// than without them, and by less than a wrong product would.
#[test]
fn a_decoder_learns_on_tensor_cores() {
    let model = model_with(embedded("examples/llama.arch").expect("an example"), &LLAMA);
    let graphs = graphs(&model);
    let weights = random_weights(&model, 4);
    let batch = batch(&model, &mut Random::new(4));
    let truth = numbers(&mut Interpreted::new(&model, &graphs), &weights, &model, &batch);
    for (precision, least, most) in [(Precision::Tf32, 1e-5, 4e-3), (Precision::Bf16, 1e-4, 3e-2)] {
        let mut native = Native::of(&model, loaded(&model, &graphs, 13, precision));
        let found = numbers(&mut native, &weights, &model, &batch);
        for (name, wanted) in &truth {
            let difference = norm(wanted.iter().zip(&found[name]).map(|(wanted, found)| wanted - found));
            let share = difference / norm(wanted.iter().copied());
            println!("{} {name}: {share:.2e}", precision.name());
            assert!(share < most, "{} {name}: {share:e}", precision.name());
            assert!(name == "loss" || share > least, "{} {name}: {share:e}", precision.name());
        }
    }
}
