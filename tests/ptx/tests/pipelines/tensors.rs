//! TMA into a ring of three slots under mbarriers, `wgmma` one group behind, the result through shared memory
//! and back by TMA: what sm_90a runs. Threads 0 to 127 multiply, thread 128 copies.

use std::fmt::Write;

use archc_ptx::{Fault, Machine, Parameter, Swizzle, TensorMap};

use super::{SIZE, assembled, expected, factors, hunt, mutant};
use crate::support::{parse, to_floats};

/// Elements of depth in one slot: a row is 128 bytes.
const DEPTH: usize = 64;
const TILE: usize = SIZE * DEPTH * 2;
const SLOTS: usize = 3;
/// Behind the ring: the result, then the barriers.
const RESULT: usize = SLOTS * 2 * TILE;
const BARRIERS: usize = RESULT + 4 * SIZE * SIZE;

/// Waits at the barrier at `%r{barrier}` for the phase of parity `%r{parity}`.
fn wait(label: &str, barrier: u32, parity: u32) -> String {
    format!(
        "{label}: mbarrier.try_wait.parity.shared::cta.b64 %p7, [%r{barrier}], %r{parity};\n@!%p7 bra {label}; // wait"
    )
}

/// Four products of depth 16; a descriptor advances by 32 bytes.
fn products() -> String {
    let sums = (0..32).map(|at| format!("%f{at}")).collect::<Vec<_>>().join(", ");
    let mut text = String::new();
    for step in 0..4 {
        let _ = writeln!(
            text,
            "add.s64 %d14, %d12, {advance}; add.s64 %d15, %d13, {advance};
             wgmma.mma_async.sync.aligned.m64n64k16.f32.bf16.bf16 {{{sums}}}, %d14, %d15, {accumulates}, 1, 1, 0, 0;",
            advance = 2 * step,
            accumulates = if step == 0 { "%p6" } else { "%p5" }
        );
    }
    text
}

fn store_sums() -> String {
    let mut text = String::from(
        "shr.u32 %r50, %r4, 2; shl.b32 %r51, %r5, 4; add.s32 %r50, %r50, %r51; shl.b32 %r50, %r50, 8;
         and.b32 %r52, %r4, 3; shl.b32 %r52, %r52, 3; add.s32 %r50, %r50, %r52; add.s32 %r50, %r50, %r6;\n",
    );
    for tile in 0..8 {
        for half in 0..2 {
            let first = 4 * tile + 2 * half;
            let place = RESULT + 32 * tile + 8 * 256 * half;
            let _ = writeln!(text, "st.shared.v2.f32 [%r50+{place}], {{%f{first}, %f{}}};", first + 1);
        }
    }
    text
}

/// Descriptor of a tile of 128-byte rows, exchanged within them, 1024 bytes from eight rows to the next.
fn descriptor(register: u32, address: u32) -> String {
    format!(
        "and.b32 %r60, %r{address}, 0x3ffff; shr.u32 %r60, %r60, 4; cvt.u64.u32 %d{register}, %r60;
         or.b64 %d{register}, %d{register}, 0x4000004000010000; // descriptor"
    )
}

/// The kernel: maps of both factors and of the product, and the number of slots' worth of depth.
fn kernel() -> String {
    let full: String = (0..SLOTS)
        .map(|slot| {
            let (full, empty) = (BARRIERS + 16 * slot, BARRIERS + 16 * slot + 8);
            format!(
                "mbarrier.init.shared::cta.b64 [%r6+{full}], 1; mbarrier.init.shared::cta.b64 [%r6+{empty}], 128;\n"
            )
        })
        .collect();
    let place = format!(
        "rem.u32 %r20, %r16, {SLOTS}; div.u32 %r21, %r16, {SLOTS}; and.b32 %r21, %r21, 1;
         mad.lo.u32 %r22, %r20, 16, %r6; add.s32 %r22, %r22, {BARRIERS}; add.s32 %r23, %r22, 8;
         mad.lo.u32 %r24, %r20, {}, %r6; add.s32 %r25, %r24, {TILE};",
        2 * TILE
    );
    let (wait_empty, wait_full) = (wait("EMPTY", 23, 26), wait("FULL", 22, 21));
    let (left, right) = (descriptor(12, 24), descriptor(13, 25));
    let (products, store, bytes) = (products(), store_sums(), 2 * TILE);
    include_str!("tensors.ptx")
        .replace("<RESULT>", &RESULT.to_string())
        .replace("<BYTES>", &bytes.to_string())
        .replace("<FULL>", &full)
        .replace("<LEFT>", &left)
        .replace("<PLACE>", &place)
        .replace("<PRODUCTS>", &products)
        .replace("<RIGHT>", &right)
        .replace("<STORE>", &store)
        .replace("<WAIT_EMPTY>", &wait_empty)
        .replace("<WAIT_FULL>", &wait_full)
}

fn run_with(text: &str, seed: u64, swizzle: Swizzle) -> Result<bool, Fault> {
    let slots = 8;
    let depth = slots * DEPTH;
    let module = parse(text);
    let mut machine = Machine::new(seed);
    let (left, right) = factors(depth);
    let (left, right) = (machine.buffer(&left), machine.buffer(&right));
    let product = machine.uninitialised(4 * SIZE * SIZE);
    let box_rows = SIZE as u32;
    let factor = |base| TensorMap::matrix(base, 2, SIZE as u64, depth as u64, [box_rows, DEPTH as u32], swizzle);
    let result = TensorMap::matrix(product, 4, SIZE as u64, SIZE as u64, [box_rows, box_rows], Swizzle::None);
    let parameters = [factor(left).into(), factor(right).into(), result.into(), Parameter::from(slots as u32)];
    machine.launch(&module, "k", [1, 1, 1], [256, 1, 1], BARRIERS + 16 * SLOTS, &parameters)?;
    Ok(to_floats(&machine.read(product)) == expected(depth))
}

fn run(text: &str, seed: u64) -> Result<bool, Fault> {
    run_with(text, seed, Swizzle::Bytes128)
}

#[test]
fn a_ring_of_tiles_feeds_the_warpgroup() {
    for seed in 0..6 {
        assert!(run(&kernel(), seed).unwrap_or_else(|fault| panic!("seed {seed}: {fault}")), "seed {seed}");
    }
}

#[test]
fn a_tile_that_is_not_exchanged_gives_wrong_numbers() {
    assert!(!run_with(&kernel(), 0, Swizzle::None).unwrap_or(false));
}

#[test]
fn every_mutant_of_the_tiles_shows() {
    let bytes = 2 * TILE;
    let arrive = "@%p6 mbarrier.arrive.shared::cta.b64 _, [%r29];";
    let early = format!("wgmma.wait_group.sync.aligned 1; // behind\n{arrive}");
    let mutants = [
        mutant("consumers do not wait for the tiles", "@!%p7 bra FULL; // wait", ""),
        mutant("the producer does not wait for the slot", "@!%p7 bra EMPTY; // wait", ""),
        mutant("the slot is never given back", arrive, ""),
        mutant("the slot is given back too early", early, format!("{arrive}\nwgmma.wait_group.sync.aligned 1;")),
        mutant(
            "wait for one product less",
            "wgmma.wait_group.sync.aligned 1; // behind",
            "wgmma.wait_group.sync.aligned 2;",
        ),
        mutant("no last wait", "wgmma.wait_group.sync.aligned 0; // last", ""),
        mutant("a weak last wait", "wgmma.wait_group.sync.aligned 0; // last", "wgmma.wait_group.sync.aligned 1;"),
        mutant("no fence of registers", "wgmma.fence.sync.aligned; // fence", ""),
        mutant("half of the bytes expected", format!("[%r22], {bytes};"), format!("[%r22], {TILE};")),
        mutant("too many bytes expected", format!("[%r22], {bytes};"), format!("[%r22], {};", bytes + 16)),
        mutant("no barrier after the init", "bar.sync 0; // init", ""),
        mutant("one arrival too many", "], 128;\nmbarrier", "], 129;\nmbarrier"),
        mutant("half of the arrivals", "], 128;\nmbarrier", "], 64;\nmbarrier"),
        mutant("parity of the producer", "xor.b32 %r26, %r21, 1;", "mov.b32 %r26, %r21;"),
        mutant("parity of the consumers", "[%r22], %r21;", "[%r22], %r26;"),
        mutant("swizzle of the left descriptor", "0x4000004000010000", "0x8000004000010000"),
        mutant("stride of the left descriptor", "0x4000004000010000", "0x4000002000010000"),
        mutant("sums begin anew", "setp.ne.s32 %p6, %r16, 0;", "setp.gt.u32 %p6, %r16, 1;"),
        mutant("sums never begin anew", "%d14, %d15, %p6,", "%d14, %d15, %p5,"),
        mutant("a product at the wrong depth", "add.s64 %d14, %d12, 4;", "add.s64 %d14, %d12, 2;"),
        mutant("the tile of the other factor", "[%r25], [%d2,", "[%r25], [%d1,"),
        mutant("no proxy fence", "fence.proxy.async.shared::cta; // result", ""),
        mutant(
            "a proxy fence of one warp only",
            "fence.proxy.async.shared::cta; // result",
            "@!%p1 fence.proxy.async.shared::cta;",
        ),
        mutant("no barrier before the store", "bar.sync 1, 128; // result", ""),
        mutant("the store is not waited for", "cp.async.bulk.wait_group 0; // store", ""),
        mutant("a tile off its alignment", "add.s32 %r25, %r24,", "add.s32 %r24, %r24, 64; add.s32 %r25, %r24,"),
    ];
    print!("{}", hunt(&kernel(), &mutants, run));
}

#[test]
fn the_assembler_takes_the_text() {
    assembled(&kernel(), "sm_90a");
}
