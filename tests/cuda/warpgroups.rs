//! Products by warpgroups: right in every layout and shape, in any order of events, and a fault where an order is missing.

use super::assembled::assembled;
use super::emulated::Emulated;
use super::kernels::InPtx;
use super::operations::compiled;
use crate::native::compiled::{Runs, program};
use crate::native::gemms::{Family, Kind, Shape, gemm};
use archc::gpu::{Arch, Entries, Gpu, PANEL, Precision};
use archc::kernel::{Amount, Form};
use archc::link::Block;
use archc::plan::{Launch, Program, Step};
use archc_runtime::abi::{DevicePlan, Size};
use archc_runtime::device::{self, Driver};

/// Sizes that are known to be multiples of 4: what leads from row to row of A and B, and from batch to batch.
const STRIDES: [usize; 4] = [4, 5, 7, 8];

/// The program, with such strides.
fn aligned(program: &Program) -> Program {
    let mut program = program.clone();
    let launch = launch_of(&mut program);
    for place in STRIDES {
        launch.sizes[place] = Size::Product(vec![Size::Symbol(place), Size::Constant(4)]);
    }
    program
}

/// The launch of a program that does nothing else.
pub fn launch_of(program: &mut Program) -> &mut Launch {
    let Step::Launch(launch) = &mut program.steps[0] else { panic!("it launches") };
    launch
}

/// A product in bf16 whose strides are known to be multiples of 4.
struct Aligned(InPtx);

impl Aligned {
    fn new(program: &Program, seed: u64) -> Aligned {
        Aligned(InPtx::new(&aligned(program), seed, Precision::Bf16))
    }
}

impl Runs for Aligned {
    fn run(&self, blocks: &mut [&mut Block], sizes: &[i64]) {
        let mut sizes = sizes.to_vec();
        for place in STRIDES {
            assert_eq!(sizes[place] % 4, 0, "the size {place}");
            sizes[place] /= 4;
        }
        self.0.run(blocks, &sizes);
    }
}

const PLAIN: Kind = Kind { a_transposed: false, right: 0, epilogue: 0, accumulate: false };

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

#[test]
fn products_of_warpgroups_are_right_in_every_layout_and_write_nothing_else() {
    for seed in [1, 2] {
        let mut family = Family::new(PANEL, |program| {
            let compiled = Aligned::new(program, seed);
            let products = compiled.0.ptx.contains("wgmma");
            assert!(products || compiled.0.ptx.contains("pack"), "by warpgroups");
            compiled
        });
        for kind in kinds() {
            // Few rows and many; parts that are cut, and whole ones; more stages than the ring has.
            for [batch, m, n, k] in [[1, 17, 65, 37], [2, 129, 137, 69], [1, 13, 129, 125], [1, 137, 1, 321]] {
                family.check(kind, &Shape { batch, m, n, k, slack: 3 });
            }
            family.check(kind, &Shape { batch: 1, m: 136, n: 72, k: 192, slack: 0 });
        }
    }
}

#[test]
fn products_of_many_columns_have_wide_tiles_and_are_right() {
    const COLUMNS: usize = 2056;
    let mut family = Family::new(PANEL, |program| {
        let mut program = program.clone();
        if let Form::Gemm(form) = &mut program.kernels[0].form {
            form.n = Amount::Constant(COLUMNS as i64);
        }
        let compiled = Aligned::new(&program, 3);
        assert!(compiled.0.ptx.contains("m64n256k16") || compiled.0.ptx.contains("pack"), "wide");
        compiled
    });
    for kind in kinds().into_iter().step_by(2) {
        family.check(kind, &Shape { batch: 1, m: 20, n: COLUMNS, k: 72, slack: 0 });
    }
}

/// Numbers with more bits than bf16 has.
fn values(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|place| ((place * 131 + seed * 17 + 5) % 1009) as f32 / 700.3 - 0.71).collect()
}

#[test]
fn a_row_has_the_same_result_alone_and_among_others_by_warpgroups() {
    let [m, n, k] = [130, 72, 84];
    let (a, b) = (values(m * k, 3), values(k * n, 4));
    let compiled = Aligned::new(&program(gemm(PLAIN), &vec![Size::Constant(0); 4], 1 << 40), 4);
    let product = |rows: usize| {
        let (mut left, mut right) = (Block::of_f32(&a[..rows * k]), Block::of_f32(&b));
        let (mut extras, mut result) = (Block::zeroed(4), Block::zeroed(rows * n * 4));
        let sizes = [1, rows, n, k, k, n, n, 0, 0, 0].map(|size| size as i64);
        compiled.run(&mut [&mut left, &mut right, &mut extras, &mut result], &sizes);
        result.to_f32()
    };
    let all = product(m);
    for rows in [1, 16, 17] {
        assert_eq!(product(rows)[..], all[..rows * n], "{rows} rows");
    }
}

/// The plain product in bf16.
fn plain() -> (DevicePlan, String) {
    compiled(&[aligned(&program(gemm(PLAIN), &vec![Size::Constant(0); 4], 1 << 40))], Precision::Bf16)
}

/// What a machine makes of the plain product with some code, or the fault that it finds.
fn made(plan: &DevicePlan, code: &str, seed: u64) -> Result<Vec<u8>, String> {
    let [m, n, k] = [72, 136, 64 * 9];
    let mut machine = Emulated::new(plan, code, seed);
    let blocks = [Block::of_f32(&values(m * k, 1)), Block::of_f32(&values(k * n, 2)), Block::zeroed(4)];
    let mut addresses = Vec::new();
    for block in blocks.iter().chain([&Block::zeroed(m * n * 4)]) {
        let address = machine.allocate(block.bytes().len()).expect("memory");
        machine.upload(address, block.bytes()).expect("it is that large");
        addresses.push(address);
    }
    let sizes = [1, m, n, k, k / 4, n / 4, n, 0, 0, 0].map(|size| size as i64);
    device::run(plan, 0, &addresses, &sizes, &mut machine, &mut |_, _| Ok(true)).map_err(|error| error.to_string())?;
    let mut product = vec![0; m * n * 4];
    machine.download(addresses[3], &mut product).map_err(|error| error.to_string())?;
    Ok(product)
}

/// The code without the lines that have one of some words, from one number to another of them.
fn without(code: &str, word: &str, skipped: usize, count: usize) -> String {
    let mut found = 0;
    let line = |line: &&str| {
        let has = line.contains(word);
        found += usize::from(has);
        !(has && (skipped + 1..=skipped + count).contains(&found))
    };
    code.lines().filter(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn without_a_fence_or_a_wait_the_machine_finds_a_fault_or_another_product() {
    let (plan, code) = plain();
    let last = code.rfind("_warpgroups(").expect("a product by warpgroups");
    let (few, many) = code.split_at(code[..last].rfind(".entry").expect("its entry"));
    let right = made(&plan, &code, 1);
    assert!(right.is_ok() && (2..4).all(|seed| made(&plan, &code, seed) == right));
    let is_found = |broken: &str| (1..4).any(|seed| made(&plan, broken, seed) != right);
    for word in ["fence.proxy.async", "wgmma.wait_group.sync.aligned", "wgmma.fence"] {
        assert!(many.contains(word), "{word}\n{many}");
        let broken = format!("{few}{}", without(many, word, 0, 99));
        assert!(is_found(&broken), "without {word}");
    }
    // Of the waits the last is the producers': in the machine they are never so fast that they would have to wait.
    let consumers = many.matches("try_wait").count() - 1;
    assert!(is_found(&format!("{few}{}", without(many, "try_wait", 0, consumers))), "without the consumers' waits");
}

#[test]
fn products_of_warpgroups_assemble_without_spills_and_are_not_serialised() {
    for kind in kinds() {
        for columns in [None, Some(4096)] {
            let mut program = program(gemm(kind), &vec![Size::Constant(0); 4], 1 << 40);
            if let (Form::Gemm(form), Some(columns)) = (&mut program.kernels[0].form, columns) {
                form.n = Amount::Constant(columns);
            }
            let (_, code) = compiled(&[aligned(&program)], Precision::Bf16);
            let Some(said) = assembled(&code, Arch::Sm90a) else { return };
            assert!(!said.contains("serialized"), "{said}");
        }
    }
}

/// The entries of the plain product.
fn entries(arch: Arch, precision: Precision, is_aligned: bool) -> Vec<&'static str> {
    let plain = program(gemm(PLAIN), &vec![Size::Constant(0); 4], 1 << 40);
    let program = if is_aligned { aligned(&plain) } else { plain };
    let entries = Entries::of(&[&program], Gpu { arch, precision }).unwrap_or_else(|error| panic!("{}", error.message));
    entries.kernels[0].entries.iter().map(|(_, entry)| entry.word()).collect()
}

#[test]
fn what_is_not_bf16_in_whole_runs_on_hopper_stays_with_fragments() {
    let fragments = ["few_fragments", "fragments"];
    assert_eq!(entries(Arch::Sm90a, Precision::Bf16, true), ["few_warpgroups", "warpgroups"]);
    assert_eq!(entries(Arch::Sm90a, Precision::Bf16, false), fragments);
    assert_eq!(entries(Arch::Sm90a, Precision::Tf32, true), fragments);
    assert_eq!(entries(Arch::Sm80, Precision::Bf16, true), fragments);
    assert_eq!(entries(Arch::Sm100, Precision::Bf16, true), fragments);
}
