//! `cp.async` into a ring of three slots, `ldmatrix` from swizzled rows, `mma.sync`: what sm_80 to sm_89 run.

use std::fmt::Write;

use archc_ptx::{Fault, Machine, Parameter};

use super::{SIZE, assembled, expected, factors, hunt, mutant};
use crate::support::{parse, to_floats};

/// Elements of depth in one slot, and bytes of a slot: 64 rows of each factor.
const DEPTH: usize = 32;
const SLOT: usize = 2 * SIZE * DEPTH * 2;
const SLOTS: usize = 3;

/// Copies 64 rows of both factors at depth `%r20` to the slot at `%r21`, 16 bytes at a time.
fn fill_slot() -> String {
    let mut text = String::new();
    for part in 0..2 {
        // Row and piece of this copy; pieces of neighbouring pairs of rows change places.
        let _ = writeln!(
            text,
            "add.s32 %r30, %r1, {};
             shr.u32 %r31, %r30, 2; and.b32 %r32, %r30, 3;
             shr.u32 %r33, %r31, 1; and.b32 %r33, %r33, 3; xor.b32 %r33, %r33, %r32;
             shl.b32 %r34, %r31, 6; shl.b32 %r33, %r33, 4; add.s32 %r34, %r34, %r33; add.s32 %r34, %r34, %r21;
             shl.b32 %r35, %r32, 3; add.s32 %r35, %r35, %r20; mad.lo.s32 %r35, %r31, %r3, %r35;
             mul.wide.u32 %d10, %r35, 2; add.s64 %d11, %d1, %d10; add.s64 %d12, %d2, %d10;
             cp.async.cg.shared.global [%r34], [%d11], 16;
             cp.async.cg.shared.global [%r34+4096], [%d12], 16;",
            128 * part
        );
    }
    text
}

/// One step of 16 in depth: the fragments from the slot at `%r22`, then eight products.
fn step(step: usize) -> String {
    let mut text = format!(
        "add.s32 %r40, %r12, {chunk}; xor.b32 %r40, %r40, %r11; shl.b32 %r40, %r40, 4; add.s32 %r40, %r40, %r10;
         add.s32 %r40, %r40, %r22;
         ldmatrix.sync.aligned.m8n8.x4.shared.b16 {{%a0, %a1, %a2, %a3}}, [%r40];\n",
        chunk = 2 * step
    );
    for pair in 0..4 {
        let rows = 64 * 16 * pair;
        let _ = writeln!(
            text,
            "add.s32 %r41, %r15, {chunk}; xor.b32 %r41, %r41, %r14; shl.b32 %r41, %r41, 4; add.s32 %r41, %r41, %r13;
             add.s32 %r41, %r41, %r22;
             ldmatrix.sync.aligned.m8n8.x4.shared.b16 {{%b0, %b1, %b2, %b3}}, [%r41+{place}];",
            chunk = 2 * step,
            place = 4096 + rows
        );
        for half in 0..2 {
            let sums = (0..4).map(|at| format!("%f{}", 8 * pair + 4 * half + at)).collect::<Vec<_>>().join(", ");
            let (low, high) = (2 * half, 2 * half + 1);
            let _ = writeln!(
                text,
                "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {{{sums}}}, {{%a0, %a1, %a2, %a3}}, {{%b{low}, %b{high}}}, {{{sums}}};"
            );
        }
    }
    text
}

fn store_sums() -> String {
    let mut text = String::from(
        "shr.u32 %r50, %r4, 2; shl.b32 %r51, %r5, 4; add.s32 %r50, %r50, %r51; shl.b32 %r50, %r50, 8;
         and.b32 %r52, %r4, 3; shl.b32 %r52, %r52, 3; add.s32 %r50, %r50, %r52; cvt.u64.u32 %d20, %r50; add.s64 %d20, %d20, %d3;\n",
    );
    for tile in 0..8 {
        for half in 0..2 {
            let first = 4 * tile + 2 * half;
            let place = 32 * tile + 8 * 256 * half;
            let _ = writeln!(text, "st.global.v2.f32 [%d20+{place}], {{%f{first}, %f{}}};", first + 1);
        }
    }
    text
}

/// The kernel: parameters are both factors, the product, and the number of slots' worth of depth.
fn kernel() -> String {
    let zeros: String = (0..32).map(|at| format!("mov.b32 %f{at}, 0; ")).collect();
    let (fill, steps, store) = (fill_slot(), step(0) + &step(1), store_sums());
    include_str!("copies.ptx")
        .replace("<DEPTH>", &DEPTH.to_string())
        .replace("<SLOT>", &SLOT.to_string())
        .replace("<SLOTS>", &SLOTS.to_string())
        .replace("<FILL>", &fill)
        .replace("<STEPS>", &steps)
        .replace("<STORE>", &store)
        .replace("<ZEROS>", &zeros)
}

/// Whether the product is right.
fn run(text: &str, seed: u64) -> Result<bool, Fault> {
    let slots = 7;
    let module = parse(text);
    let mut machine = Machine::new(seed);
    let (left, right) = factors(slots * DEPTH);
    let (left, right) = (machine.buffer(&left), machine.buffer(&right));
    let product = machine.uninitialised(4 * SIZE * SIZE);
    let parameters = [left.into(), right.into(), product.into(), Parameter::from(slots as u32)];
    machine.launch(&module, "k", [1, 1, 1], [128, 1, 1], SLOTS * SLOT, &parameters)?;
    Ok(to_floats(&machine.read(product)) == expected(slots * DEPTH))
}

#[test]
fn a_ring_of_copies_feeds_the_product() {
    for seed in 0..6 {
        assert!(run(&kernel(), seed).unwrap_or_else(|fault| panic!("seed {seed}: {fault}")), "seed {seed}");
    }
}

#[test]
fn every_mutant_of_the_ring_shows() {
    let copy = "cp.async.cg.shared.global [%r34+4096], [%d12], 16;";
    let mutants = [
        mutant("wait for one copy less", "cp.async.wait_group 1; // ring", "cp.async.wait_group 2;"),
        mutant("no wait", "cp.async.wait_group 1; // ring", ""),
        mutant("no barrier", "bar.sync 0; // ring", ""),
        mutant(
            "barrier before the wait",
            "cp.async.wait_group 1; // ring\nbar.sync 0; // ring",
            "bar.sync 0;\ncp.async.wait_group 1;",
        ),
        mutant("second group not committed", "cp.async.commit_group; // second", ""),
        mutant("no group in the loop", "cp.async.commit_group; // ring", ""),
        mutant("one slot too far ahead", "add.s32 %r17, %r16, 2; // ahead", "add.s32 %r17, %r16, 3;"),
        mutant("one slot less", format!("rem.u32 %r18, %r17, {SLOTS};"), "rem.u32 %r18, %r17, 2;"),
        mutant("copies beyond the end", "@%p1 bra COMMIT; // guard", ""),
        mutant("pieces not exchanged", "xor.b32 %r33, %r33, %r32;", "mov.b32 %r33, %r32;"),
        mutant("pieces exchanged by another row", "shr.u32 %r11, %r10, 1;", "shr.u32 %r11, %r10, 2;"),
        mutant("a wrong row of the right factor", "[%r41+5120];", "[%r41+5184];"),
        mutant("a wrong piece", "add.s32 %r40, %r12, 2;", "add.s32 %r40, %r12, 1;"),
        mutant("halves of depth exchanged", "{%b0, %b1}, {%f0", "{%b1, %b0}, {%f0"),
        mutant("half a copy", copy, "cp.async.cg.shared.global [%r34+4096], [%d12], 16, 8;"),
        mutant("a copy missing", copy, ""),
        mutant("transposed fragments", "x4.shared.b16 {%a0", "x4.trans.shared.b16 {%a0"),
        mutant("unaligned rows", "[%r40];", "[%r40+8];"),
    ];
    print!("{}", hunt(&kernel(), &mutants, run));
}

#[test]
fn the_assembler_takes_the_text() {
    assembled(&kernel(), "sm_80");
}
