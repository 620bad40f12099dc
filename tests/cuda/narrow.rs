//! Factors of products that lie in memory as bf16: which they are, and that no result changes by a bit.

use super::assembled::assembled;
use super::kernels::InPtx;
use super::models::{LLAMA, loaded, with_code};
use super::operations::{compiled, compiled_for};
use crate::compiled::{graphs, model_with, programs};
use crate::native::compiled::{Runs, program};
use crate::native::gemms::{Kind, gemm};
use crate::random_models::{Numbers, batch, numbers};
use archc::driver::Graphs;
use archc::gpu::{Arch, Gpu, PANEL, Precision, narrowed};
use archc::kernel::{Amount, Form};
use archc::link::Block;
use archc::model::Model;
use archc::model::library::embedded;
use archc::plan::Program;
use archc::verify::inputs::token_input;
use archc::verify::weights::{Random, random_weights};
use archc::verify::{Batch, Native};
use archc_runtime::abi::{Element, Role, Size, names};
use archc_runtime::model::Loaded;
use std::fmt::Write;

const HOPPER: Gpu = Gpu { arch: Arch::Sm90a, precision: Precision::Bf16 };

/// Sizes that are known to be multiples of 8: what leads from row to row of A and B, and from batch to batch.
const STRIDES: [usize; 4] = [4, 5, 7, 8];

/// Which of A and B are bf16 in memory.
type Narrow = [bool; 2];

/// The product, of which some factors are bf16, with strides that are known to be multiples of 8.
fn product(kind: Kind, narrow: Narrow) -> Program {
    let mut kernel = gemm(kind);
    for (buffer, is_narrow) in kernel.buffers.iter_mut().zip(narrow) {
        buffer.element = if is_narrow { Element::Bf16 } else { Element::F32 };
    }
    let mut program = program(kernel, &vec![Size::Constant(0); 4], 1 << 40);
    let launch = super::warpgroups::launch_of(&mut program);
    for place in STRIDES {
        launch.sizes[place] = Size::Product(vec![Size::Symbol(place), Size::Constant(8)]);
    }
    program
}

/// A product's extents.
type Shape = [usize; 4];

/// Numbers with more bits than bf16 has.
fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|place| ((place * 131 + seed * 17 + 5) % 1009) as f32 / 700.3 - 0.71).collect()
}

/// In memory: whole, or rounded to the nearest and then to the even one.
fn stored(values: &[f32], narrow: bool) -> Block {
    if !narrow {
        return Block::of_f32(values);
    }
    let mut block = Block::zeroed(values.len() * 2);
    for (bytes, value) in block.bytes_mut().chunks_exact_mut(2).zip(values) {
        let bits = value.to_bits();
        let rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
        bytes.copy_from_slice(&(rounded as u16).to_ne_bytes());
    }
    block
}

/// What a compiled product makes of the same numbers, however they are stored. Rows have further elements at their ends, which
/// must not count.
fn made(compiled: &InPtx, kind: Kind, [batch, m, n, k]: Shape, narrow: Narrow) -> Vec<f32> {
    let wide = |size: usize| size.next_multiple_of(8);
    let (a_rows, a_stride) = if kind.a_transposed { (k, wide(m)) } else { (m, wide(k)) };
    let (b_rows, b_stride) = match kind.right {
        0 => (k, wide(n)),
        1 => (n, wide(k)),
        _ => (n.div_ceil(PANEL) * k, PANEL),
    };
    let (a_size, b_size, c_size) = (wide(a_rows * a_stride), wide(b_rows * b_stride), m * n);
    let mut left = stored(&values(batch * a_size, 1), narrow[0]);
    let mut right = stored(&values(batch * b_size, 2), narrow[1]);
    let mut extras = Block::of_f32(&values((batch * c_size).max(n), 3));
    let mut result = Block::of_f32(&values(batch * c_size, 4));
    let strides = [a_stride / 8, b_stride / 8, n, a_size / 8, b_size / 8, c_size];
    let sizes = [batch, m, n, k].into_iter().chain(strides).map(|size| size as i64).collect::<Vec<_>>();
    compiled.run(&mut [&mut left, &mut right, &mut extras, &mut result], &sizes);
    result.to_f32()
}

/// Each layout of A and B, with an epilogue and a beginning of its own.
fn kinds() -> Vec<Kind> {
    let kind = |place: usize| Kind {
        a_transposed: place / 3 == 1,
        right: place % 3,
        epilogue: place % 3,
        accumulate: place % 2 == 1,
    };
    (0..6).map(kind).collect()
}

const BOTH: [Narrow; 3] = [[true, true], [true, false], [false, true]];
/// Few rows and many; parts that are cut, and whole ones; more stages than a ring has.
const SHAPES: [Shape; 5] = [[1, 17, 65, 37], [2, 129, 137, 69], [1, 13, 129, 125], [1, 1, 72, 321], [1, 136, 64, 448]];

fn assert_alike(arch: Arch, instruction: &str) {
    let gpu = Gpu { arch, ..HOPPER };
    for (place, kind) in kinds().into_iter().enumerate() {
        let in_ptx = |narrow| {
            let (plan, ptx) = compiled_for(&[product(kind, narrow)], gpu);
            assert!(ptx.contains(instruction), "{ptx}");
            InPtx { plan, ptx, seed: place as u64 }
        };
        let whole = in_ptx([false; 2]);
        let wanted = SHAPES.map(|shape| made(&whole, kind, shape, [false; 2]));
        for narrow in BOTH {
            let compiled = in_ptx(narrow);
            for (shape, wanted) in SHAPES.into_iter().zip(&wanted) {
                assert!(wanted.iter().all(|value| value.is_finite()), "{kind:?} {shape:?}");
                assert_eq!(&made(&compiled, kind, shape, narrow), wanted, "{kind:?} {shape:?} {narrow:?}");
            }
        }
    }
}

#[test]
fn products_by_warpgroups_of_bf16_in_memory_are_those_of_32_bit_floats_to_the_bit() {
    assert_alike(Arch::Sm90a, "wgmma");
}

#[test]
fn products_by_fragments_of_bf16_in_memory_are_those_of_32_bit_floats_to_the_bit() {
    assert_alike(Arch::Sm80, "mma.sync");
}

#[test]
fn what_is_bf16_in_memory_passes_no_register_on_its_way_to_a_product() {
    for arch in [Arch::Sm80, Arch::Sm90a] {
        let (_, ptx) = compiled_for(&[product(kinds()[2], [true; 2])], Gpu { arch, ..HOPPER });
        assert!(ptx.contains("cp.async.cg.shared.global") && !ptx.contains("cvt.rn.bf16"), "{ptx}");
    }
}

#[test]
fn products_of_bf16_in_memory_assemble_without_spills_and_are_not_serialised() {
    for kind in kinds() {
        for (narrow, columns) in BOTH.into_iter().flat_map(|narrow| [(narrow, None), (narrow, Some(4096))]) {
            let mut program = product(kind, narrow);
            if let (Form::Gemm(form), Some(columns)) = (&mut program.kernels[0].form, columns) {
                form.n = Amount::Constant(columns);
            }
            let (_, code) = compiled_for(&[program], HOPPER);
            let Some(said) = assembled(&code, Arch::Sm90a) else { return };
            assert!(!said.contains("serialized"), "{said}");
        }
    }
}

/// The code without the lines that have a word.
fn without(compiled: &InPtx, word: &str) -> InPtx {
    assert!(compiled.ptx.contains(word), "{word}");
    let ptx = compiled.ptx.lines().filter(|line| !line.contains(word)).collect::<Vec<_>>().join("\n");
    InPtx { plan: compiled.plan.clone(), ptx, seed: compiled.seed }
}

#[test]
fn who_multiplies_copies_that_are_not_there_yet_is_found() {
    let (kind, shape, narrow) = (kinds()[2], [1, 72, 136, 64 * 9], [true; 2]);
    for seed in 1..4 {
        let (plan, ptx) = compiled_for(&[product(kind, narrow)], HOPPER);
        let whole = InPtx { plan, ptx, seed };
        let wanted = made(&whole, kind, shape, narrow);
        for word in ["cp.async.mbarrier.arrive.noinc", "wgmma.wait_group.sync.aligned"] {
            let broken = without(&whole, word);
            let found = std::panic::catch_unwind(|| made(&broken, kind, shape, narrow));
            assert!(found.is_err() || found.is_ok_and(|found| found != wanted), "without {word}");
        }
    }
}

/// A model whose programs keep all values as they are.
fn as_planned(model: &Model, graphs: &Graphs, seed: u64) -> Loaded {
    let (plan, ptx) = compiled(&programs(graphs), Precision::Bf16);
    assert!(plan.programs.iter().all(|program| program.narrow.is_empty()));
    with_code(model, graphs, (plan, ptx), seed).0
}

/// Logits of whole rows and of a step that reads them, loss, and gradients.
fn all_numbers(model: &Model, loaded: Loaded, batch: &Batch) -> Numbers {
    let mut native = Native::of(model, loaded);
    let weights = random_weights(model, 4);
    let mut all = numbers(&mut native, &weights, model, batch);
    let length = batch.inputs[&token_input(model).expect("it reads tokens").name].shape[1];
    let stepper = native.begin(&weights, batch, length);
    let (begin, counts) = (vec![0; batch.rows], vec![length; batch.rows]);
    let logits = stepper.and_then(|mut stepper| stepper.advance(batch, &begin, &counts));
    all.insert("step".into(), logits.unwrap_or_else(|failure| panic!("{failure:?}")).concat());
    all
}

fn assert_same_model(example: &str, settings: &[(&str, &str)]) {
    let model = model_with(embedded(&format!("examples/{example}.arch")).expect("an example"), settings);
    let graphs = graphs(&model);
    let device = loaded(&model, &graphs, 13, Precision::Bf16);
    let narrow = narrowed(&programs(&graphs).iter().collect::<Vec<_>>(), HOPPER);
    let count = |role: fn(&Role) -> bool| {
        let buffers = narrow.iter().flat_map(|program| &program.buffers);
        buffers.filter(|buffer| buffer.element == Element::Bf16 && role(&buffer.role)).count()
    };
    let counts = [count(|role| *role == Role::Packed), count(|role| matches!(role, Role::Temporary { .. }))];
    assert!(counts.iter().all(|count| *count > 0), "{example}: {counts:?}");
    let batch = batch(&model, &mut Random::new(4));
    let wanted = all_numbers(&model, as_planned(&model, &graphs, 13), &batch);
    let found = all_numbers(&model, device, &batch);
    assert!(wanted.keys().eq(found.keys()));
    for (name, wanted) in wanted {
        let alike = wanted.iter().zip(&found[&name]).all(|(wanted, found)| wanted.to_bits() == found.to_bits());
        assert!(alike, "{example}: {name}");
    }
}

#[test]
fn a_decoder_with_factors_in_bf16_is_the_same_to_the_bit() {
    assert_same_model("llama", &LLAMA);
}

#[test]
fn experts_with_factors_in_bf16_are_the_same_to_the_bit() {
    let sizes = [("layers", "1"), ("heads", "4"), ("kv_heads", "2"), ("hidden", "48"), ("d", "40"), ("v", "61")];
    assert_same_model("mixtral", &[sizes.as_slice(), &[("e", "4")]].concat());
}

#[test]
fn a_recurrence_with_factors_in_bf16_is_the_same_to_the_bit() {
    let sizes = [("layers", "1"), ("inner", "48"), ("low", "8"), ("state", "8"), ("d", "40"), ("v", "61")];
    assert_same_model("mamba", &sizes);
}

/// The buffers of a program that are bf16, and the bytes of what it reads of parameters.
fn table(program: &Program) -> String {
    let mut text = format!("{}\n", program.name);
    let mut bytes = 0;
    for buffer in &program.buffers {
        let elements = buffer.shape.iter().map(|size| size.constant()).product::<Option<i64>>();
        if matches!(buffer.role, Role::Parameter | Role::Packed) {
            bytes += elements.unwrap_or(0) * buffer.element.bytes() as i64;
        }
        if buffer.element == Element::Bf16 {
            let _ = writeln!(text, "  {}", buffer.name);
        }
    }
    text + &format!("  {bytes} bytes of parameters\n")
}

#[test]
fn factors_of_a_decoder_in_bf16() {
    let graphs = graphs(&model_with(embedded("examples/llama.arch").expect("an example"), &[]));
    let programs = programs(&graphs);
    let all = programs.iter().collect::<Vec<_>>();
    let asked = |program: &&Program| [names::STEP, names::TRAIN].contains(&program.name.as_str());
    let before = all.iter().copied().find(|program| program.name == names::STEP).map(table).expect("it decodes");
    let narrow = narrowed(&all, HOPPER);
    let after = narrow.iter().filter(asked).map(table).collect::<String>();
    insta::assert_snapshot!(format!("as planned: {before}in bf16: {after}"));
}

#[test]
fn nothing_is_narrow_where_products_are_not_of_bf16() {
    let graphs = graphs(&model_with(embedded("examples/llama-tiny.arch").expect("an example"), &[]));
    let programs = programs(&graphs);
    for precision in [Precision::F32, Precision::Tf32] {
        let all = narrowed(&programs.iter().collect::<Vec<_>>(), Gpu { precision, ..HOPPER });
        assert_eq!(all, programs, "{}", precision.name());
    }
}
