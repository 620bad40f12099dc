//! The entries that move parameters, by themselves: to the bit what the runtime does on a CPU.

use super::assembled::{assembled, resources};
use super::emulated::Emulated;
use crate::runtime::fake;
use archc::gpu::{Arch, Entries, plan};
use archc::{llvm, mlir};
use archc_runtime::abi::{DevicePlan, Update};
use archc_runtime::device::{Kept, Numbers, Shared, Updates};
use archc_runtime::model::{Code, DeviceCode, Loaded};
use archc_runtime::optimizer::{Gradient, Optimizer, Settings};
use archc_runtime::recipe::{Method, Recipe};
use std::ffi::CString;

/// Numbers of the parameter: more than a block goes over, and the last few are no four.
const SHAPE: [i64; 2] = [29, 37];
const COUNT: usize = 29 * 37;
/// Steps of a trajectory.
const STEPS: usize = 5;

fn code(arch: Arch) -> (DevicePlan, String) {
    let mut entries = Entries::default();
    entries.updates = Update::ALL.to_vec();
    let text = mlir::gpu::write(&entries);
    let context = mlir::context();
    let module = mlir::lower(&context, &text).unwrap_or_else(|bug| panic!("{}\n{}", bug.guarantee, bug.detail));
    let ptx = llvm::ptx(&module, arch).unwrap_or_else(|bug| panic!("{}", bug.detail));
    (plan(&[], &entries, arch.into()), ptx)
}

/// A model with one parameter and no programs, on a machine of this seed.
fn machine(seed: u64) -> Loaded {
    let (plan, ptx) = code(Arch::Sm90a);
    let mut manifest = fake::manifest();
    manifest.parameters[0].shape = SHAPE.to_vec();
    let driver = Emulated::new(&plan, &ptx, seed);
    let code = Code::for_device(manifest, DeviceCode { plan, text: CString::default() });
    let mut model = Loaded::on_device(code, 1, Shared::new(driver)).expect("nothing declines");
    model.initialize(2).expect("it fits");
    model
}

/// A gradient of both signs, in which there are zeros.
fn gradient(step: usize) -> Vec<f32> {
    (0..256 * 256).map(|at| ((at * 31 + step * 7) % 101) as f32 / 50.0 - 1.0).collect()
}

fn settings(method: Method, momentum: f64) -> Settings {
    let recipe = Recipe { weight_decay: 0.01, momentum, ..Recipe::default() };
    Settings { method, ..Settings::of(&recipe) }
}

/// Numbers on the machine, and where.
fn placed(updates: &Updates, numbers: &[f32]) -> (Kept, Numbers) {
    let mut kept = Kept::zeros(&[numbers.len() as i64], Some(updates)).expect("memory");
    kept.write(numbers).expect("it is that large");
    let place = kept.on_device().expect("it is there");
    (kept, place)
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

/// The parameter after some steps here, whose first numbers are those of the machine's.
fn moved_here(settings: Settings) -> Vec<f32> {
    let mut model = fake::model(1, 2);
    let mut optimizer = Optimizer::new(settings, &model).expect("memory");
    for step in 0..STEPS {
        let gradient = gradient(step);
        optimizer.step(&mut model, &[Some(Gradient::Here(&gradient))], 1e-2, 0.3).expect("it is here");
    }
    model.parameters()[0].slice::<f32>()[..COUNT].to_vec()
}

fn moved_there(settings: Settings, seed: u64) -> Vec<f32> {
    let mut model = machine(seed);
    let updates = model.updates().expect("it is on a machine");
    let mut optimizer = Optimizer::new(settings, &model).expect("memory");
    for step in 0..STEPS {
        let (_kept, gradient) = placed(&updates, &gradient(step)[..COUNT]);
        optimizer.step(&mut model, &[Some(Gradient::OnDevice(gradient))], 1e-2, 0.3).expect("nothing declines");
    }
    model.bring_back().expect("nothing declines");
    model.parameters()[0].slice().to_vec()
}

#[test]
fn five_steps_on_a_machine_are_those_of_a_cpu_to_the_bit() {
    for (method, momentum) in [(Method::AdamW, 0.0), (Method::Sgd, 0.9), (Method::Sgd, 0.0)] {
        let settings = settings(method, momentum);
        let truth = moved_here(settings.clone());
        for seed in [1, 2] {
            assert_eq!(bits(&moved_there(settings.clone(), seed)), bits(&truth), "{method:?} {momentum}");
        }
    }
}

#[test]
fn a_parameter_without_gradient_stays_as_it_is_on_a_machine() {
    let mut model = machine(3);
    let start = model.parameters()[0].slice::<f32>().to_vec();
    let mut optimizer = Optimizer::new(settings(Method::AdamW, 0.0), &model).expect("memory");
    optimizer.step(&mut model, &[None], 1e-2, 1.0).expect("nothing declines");
    model.bring_back().expect("nothing declines");
    assert_eq!(model.parameters()[0].slice::<f32>(), start);
}

#[test]
fn gradients_are_added_up_and_nothing_beside_them_is_written() {
    let updates = machine(4).updates().expect("it is on a machine");
    let (left, right) = (gradient(1), gradient(2));
    for count in [1, 3, 4, 5, 1023, 1024, 1026, COUNT] {
        let (sum, place) = placed(&updates, &left[..COUNT + 5]);
        let (_kept, gradient) = placed(&updates, &right[..count]);
        updates.launch(Update::Add, count, &[place.address, gradient.address], &[]).expect("nothing declines");
        let wanted = (0..COUNT + 5).map(|at| if at < count { left[at] + right[at] } else { left[at] });
        assert_eq!(sum.read().expect("it is there"), wanted.collect::<Vec<_>>(), "{count}");
    }
}

#[test]
fn the_norm_is_the_same_in_any_order_of_events_and_not_a_number_where_a_gradient_is_none() {
    let counts = [COUNT, 3, Update::PIECE, 2 * Update::PIECE + 7];
    let arrays = counts.map(|count| gradient(count)[..count].to_vec());
    let norm = |seed, arrays: &[Vec<f32>]| {
        let updates = machine(seed).updates().expect("it is on a machine");
        let placed = arrays.iter().map(|numbers| placed(&updates, numbers)).collect::<Vec<_>>();
        let room = updates.room_for_norm(counts.into_iter()).expect("memory");
        updates.norm(placed.iter().map(|(_, numbers)| *numbers), &room).expect("nothing declines")
    };
    let square = |number: &f32| f64::from(*number) * f64::from(*number);
    let truth = arrays.iter().flatten().map(square).sum::<f64>().sqrt();
    let found = [5, 6].map(|seed| norm(seed, &arrays));
    assert_eq!(found[0].to_bits(), found[1].to_bits());
    assert!((found[0] - truth).abs() < 1e-13 * truth, "{found:?}, {truth}");
    let mut damaged = arrays.clone();
    damaged[3][2 * Update::PIECE + 6] = f32::NAN;
    assert!(norm(7, &damaged).is_nan());
    damaged[3][2 * Update::PIECE + 6] = f32::INFINITY;
    assert!(norm(7, &damaged).is_infinite());
}

#[test]
fn nothing_is_rounded_once_where_a_cpu_rounds_twice_and_accesses_are_wide() {
    let (_, ptx) = code(Arch::Sm90a);
    let of = |update: Update| {
        let text = ptx.split(".visible .entry ").find(|text| text.starts_with(update.symbol())).expect("is written");
        text.to_string()
    };
    for update in [Update::Add, Update::Adam, Update::Sgd, Update::Momentum] {
        let text = of(update);
        assert!(!text.contains("fma.") && !text.contains("approx"), "{text}");
        // Without a rounding that is said, NVIDIA's assembler may join a product and a sum.
        assert!(!text.contains("mul.f32") && !text.contains("add.f32"), "{text}");
        assert_eq!(text.matches("ld.global.v4").count(), update.buffers(), "{text}");
    }
    assert!(of(Update::Squares).contains("ld.global.v4"), "{}", of(Update::Squares));
}

#[test]
fn what_moves_parameters_assembles_for_every_gpu_without_spills() {
    let mut table = Vec::new();
    for arch in [Arch::Sm80, Arch::Sm89, Arch::Sm90a, Arch::Sm100] {
        let Some(said) = assembled(&code(arch).1, arch) else { return };
        table.push(format!("{}\n{}", arch.name(), resources(&said)));
    }
    insta::assert_snapshot!(table.join("\n"));
}
