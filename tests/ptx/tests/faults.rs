//! Every rule of the machine, broken once: the fault names the rule and the line.

use crate::support::*;
use archc_ptx::{Fault, Machine, Module, Rule};

/// The fault of a kernel with one buffer of 64 bytes.
fn fault(threads: u32, body: &str) -> Fault {
    let module = kernel(1, &format!("ld.param.b64 %d1, [p0]; mov.u32 %r1, %tid.x;\n{body}"));
    let mut machine = Machine::new(5);
    let buffer = machine.buffer(&[0; 64]);
    run(&mut machine, &module, threads, &[buffer]).expect_err("a fault")
}

#[test]
fn accesses_outside_of_a_buffer_are_found() {
    assert_eq!(fault(1, "ld.global.b32 %r2, [%d1+64];").rule, Rule::Bounds);
    assert_eq!(fault(1, "st.global.b32 [%d1+-4], %r1;").rule, Rule::Bounds);
    assert_eq!(fault(1, "mov.b64 %d2, 64; ld.b32 %r2, [%d2];").rule, Rule::Bounds);
    assert_eq!(fault(1, ".shared .b8 t[8]; mov.b32 %r3, t; st.shared.b32 [%r3+8], 0;").rule, Rule::Bounds);
}

#[test]
fn a_buffer_that_was_given_back_is_out_of_bounds() {
    let module = kernel(1, "ld.param.b64 %d1, [p0]; ld.global.b32 %r1, [%d1];");
    let mut machine = Machine::new(1);
    let buffer = machine.buffer(&[0; 4]);
    run(&mut machine, &module, 1, &[buffer]).expect("no fault");
    machine.release(buffer);
    assert_eq!(run(&mut machine, &module, 1, &[buffer]).expect_err("a fault").rule, Rule::Bounds);
}

#[test]
fn unaligned_accesses_are_found_with_their_line() {
    let fault = fault(1, "\nld.global.v2.b32 {%r2, %r3}, [%d1+4];");
    assert_eq!((fault.rule, fault.line), (Rule::Alignment, 7));
}

#[test]
fn reading_what_nobody_wrote_is_found() {
    let module = kernel(1, "ld.param.b64 %d1, [p0]; st.global.b16 [%d1], 1; ld.global.b32 %r1, [%d1];");
    let mut machine = Machine::new(0);
    let buffer = machine.uninitialised(4);
    assert_eq!(run(&mut machine, &module, 1, &[buffer]).expect_err("a fault").rule, Rule::Uninitialised);
    assert_eq!(machine.unwritten(buffer), [2, 3]);
}

#[test]
fn shared_memory_between_warps_needs_a_barrier_both_ways() {
    let write = "st.shared.b32 [%r3], %r1;";
    let body = |middle: &str, last: &str| {
        format!(
            ".shared .align 4 .b8 t[256]; mov.b32 %r2, t; shl.b32 %r3, %r1, 2; add.s32 %r3, %r2, %r3;
             xor.b32 %r4, %r1, 32; shl.b32 %r4, %r4, 2; add.s32 %r4, %r4, %r2;
             {write} {middle} ld.shared.b32 %r5, [%r4]; {last}"
        )
    };
    assert_eq!(fault(64, &body("", "")).rule, Rule::Race);
    assert_eq!(fault(64, &body("bar.sync 0;", "st.shared.b32 [%r3], %r5;")).rule, Rule::Race);
    let whole = body("bar.sync 0;", "bar.sync 0; st.shared.b32 [%r3], %r5;");
    let module = kernel(1, &format!("mov.u32 %r1, %tid.x; {whole}"));
    run(&mut Machine::new(0), &module, 64, &[0]).expect("no fault");
}

#[test]
fn lanes_that_part_before_an_aligned_barrier_are_found() {
    let found = fault(32, "setp.lt.u32 %p1, %r1, 7; @%p1 bra A;\n bar.sync 0; bra E;\n A: bar.sync 0;\n E:");
    assert_eq!(found.rule, Rule::Divergence);
}

#[test]
fn a_shuffle_from_a_lane_that_is_not_there_is_found() {
    let found = fault(32, "setp.gt.u32 %p1, %r1, 15; @%p1 bra E; shfl.sync.bfly.b32 %r2, %r1, 16, 31, 0xffff; E:");
    assert_eq!(found.rule, Rule::Illegal);
}

#[test]
fn a_barrier_that_nobody_else_reaches_is_a_deadlock_with_its_line() {
    let found = fault(64, "setp.lt.u32 %p1, %r1, 32; @%p1 bra E;\nbar.sync 1, 64;\nE:");
    assert_eq!((found.rule, found.line), (Rule::Deadlock, 7));
    assert!(found.message.contains("32 threads at line 7"), "{found}");
}

#[test]
fn a_loop_that_changes_nothing_is_found() {
    assert_eq!(
        fault(1, "L: ld.volatile.global.b32 %r2, [%d1]; setp.eq.s32 %p1, %r2, 0; @%p1 bra L;").rule,
        Rule::Livelock
    );
}

#[test]
fn a_trap_and_a_wrong_table_index_are_found() {
    assert_eq!(fault(1, "trap;").rule, Rule::Illegal);
    assert_eq!(fault(2, "T: .branchtargets A; brx.idx %r1, T; A:").rule, Rule::Illegal);
}

#[test]
fn a_launch_must_fit_its_kernel() {
    let text = format!("{HEAD}.visible .entry k(.param .b64 p0) .maxntid 64, 1, 1 {{ ret; }}");
    let module = parse(&text);
    let mut machine = Machine::new(0);
    assert_eq!(run(&mut machine, &module, 65, &[0]).expect_err("too many threads").rule, Rule::Launch);
    assert_eq!(run(&mut machine, &module, 64, &[]).expect_err("no parameter").rule, Rule::Launch);
    let bytes = 228 * 1024;
    let shared =
        format!("{HEAD}.shared .b8 big[{bytes}]; .visible .entry k() {{ .reg .b32 %r<2>; mov.b32 %r1, big; ret; }}");
    assert_eq!(run(&mut machine, &parse(&shared), 1, &[]).expect_err("too much").rule, Rule::Launch);
}

#[test]
fn text_that_is_not_understood_is_an_error_with_its_line() {
    let error = |body: &str| Module::parse(&kernel_text(0, body)).map(|_| ()).expect_err("an error");
    assert_eq!(error("\nfrobnicate.b32 %r1, %r2;").line, 6);
    assert_eq!(error("mov.b32 %r1, %q7;").line, 5);
    assert_eq!(error("\n\nbra NOWHERE;").line, 7);
    assert_eq!(error("add.q32 %r1, %r2, %r3;").line, 5);
    assert!(error("ld.global.v2.b32 {%r1}, [%d1];").message.contains("registers expected"));
}
