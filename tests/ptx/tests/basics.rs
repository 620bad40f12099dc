//! Plain kernels: threads, memory, warps, barriers, atomics, calls.

use crate::support::*;
use archc_ptx::{Machine, Parameter};

#[test]
fn threads_of_all_blocks_add_two_vectors_up_to_their_length() {
    let module = kernel(
        3,
        "ld.param.b64 %d1, [p0]; ld.param.b64 %d2, [p1]; ld.param.b64 %d3, [p2];
         mov.u32 %r1, %ctaid.x; mov.u32 %r2, %ntid.x; mov.u32 %r3, %tid.x;
         mad.lo.s32 %r4, %r1, %r2, %r3;
         setp.ge.s32 %p1, %r4, 100;
         @%p1 bra DONE;
         mul.wide.s32 %d4, %r4, 4;
         add.s64 %d5, %d1, %d4; add.s64 %d6, %d2, %d4; add.s64 %d7, %d3, %d4;
         ld.global.f32 %r5, [%d5]; ld.global.nc.f32 %r6, [%d6];
         add.rn.f32 %r7, %r5, %r6;
         st.global.f32 [%d7], %r7;
         DONE:",
    );
    let mut machine = Machine::new(3);
    let a = machine.buffer(&floats((0..100).map(|at| at as f32)));
    let b = machine.buffer(&floats((0..100).map(|at| 0.5 * at as f32)));
    let sum = machine.uninitialised(400);
    launch(&mut machine, &module, [4, 1, 1], 32, &[a, b, sum]).expect("no fault");
    assert_eq!(to_floats(&machine.read(sum)), (0..100).map(|at| 1.5 * at as f32).collect::<Vec<_>>());
    assert!(machine.unwritten(sum).is_empty());
}

/// Sums 256 numbers: within warps by butterflies, between them through shared memory.
const BLOCK_SUM: &str = "
    .shared .align 4 .b8 parts[32];
    ld.param.b64 %d1, [p0]; ld.param.b64 %d2, [p1];
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %d3, %r1, 4; add.s64 %d4, %d1, %d3;
    ld.global.f32 %r2, [%d4];
    shfl.sync.bfly.b32 %r3, %r2, 16, 31, -1; add.f32 %r2, %r2, %r3;
    shfl.sync.bfly.b32 %r3, %r2, 8, 31, -1; add.f32 %r2, %r2, %r3;
    shfl.sync.bfly.b32 %r3, %r2, 4, 31, -1; add.f32 %r2, %r2, %r3;
    shfl.sync.bfly.b32 %r3, %r2, 2, 31, -1; add.f32 %r2, %r2, %r3;
    shfl.sync.bfly.b32 %r3, %r2, 1, 31, -1; add.f32 %r2, %r2, %r3;
    and.b32 %r4, %r1, 31; shr.u32 %r5, %r1, 5;
    mov.b32 %r6, parts; shl.b32 %r7, %r5, 2; add.s32 %r7, %r7, %r6;
    setp.ne.s32 %p1, %r4, 0;
    @%p1 bra JOIN;
    st.shared.f32 [%r7], %r2;
    JOIN: bar.sync 0;
    setp.ne.s32 %p2, %r1, 0;
    @%p2 bra DONE;
    ld.shared.v4.f32 {%r10, %r11, %r12, %r13}, [parts];
    ld.shared.v4.f32 {%r14, %r15, %r16, %r17}, [parts+16];
    add.f32 %r10, %r10, %r11; add.f32 %r12, %r12, %r13; add.f32 %r14, %r14, %r15; add.f32 %r16, %r16, %r17;
    add.f32 %r10, %r10, %r12; add.f32 %r14, %r14, %r16; add.f32 %r10, %r10, %r14;
    st.global.f32 [%d2], %r10;
    DONE:";

#[test]
fn a_block_sums_by_butterflies_and_shared_memory() {
    for seed in 0..8 {
        let mut machine = Machine::new(seed);
        let data = machine.buffer(&floats((0..256).map(|at| at as f32)));
        let sum = machine.uninitialised(4);
        run(
            &mut machine,
            &kernel(2, &BLOCK_SUM.replace("[parts]", "[%r6]").replace("[parts+16]", "[%r6+16]")),
            256,
            &[data, sum],
        )
        .expect("no fault");
        assert_eq!(to_floats(&machine.read(sum)), [255.0 * 128.0]);
    }
}

#[test]
fn without_its_barrier_the_sum_is_a_race() {
    let module = kernel(2, &BLOCK_SUM.replace("bar.sync 0;", ""));
    let found = (0..4).filter(|seed| {
        let mut machine = Machine::new(*seed);
        let data = machine.buffer(&floats((0..256).map(|at| at as f32)));
        let sum = machine.uninitialised(4);
        match run(&mut machine, &module, 256, &[data, sum]) {
            Err(fault) => fault.rule == archc_ptx::Rule::Race,
            Ok(()) => to_floats(&machine.read(sum)) != [255.0 * 128.0],
        }
    });
    assert_eq!(found.count(), 4);
}

#[test]
fn atomics_of_all_blocks_count_every_thread_once() {
    let module = kernel(
        1,
        "ld.param.b64 %d1, [p0];
         atom.global.add.u32 %r1, [%d1], 1;
         red.global.add.u64 [%d1+8], 2;
         atom.global.max.u32 %r2, [%d1+4], %r1;",
    );
    let mut machine = Machine::new(1);
    let counter = machine.buffer(&[0; 16]);
    launch(&mut machine, &module, [5, 1, 1], 96, &[counter]).expect("no fault");
    assert_eq!(to_words(&machine.read(counter)), [480, 479, 960, 0]);
}

/// Every block adds one and waits until all have.
const GRID_BARRIER: &str = "
    ld.param.b64 %d1, [p0]; mov.u32 %r3, %nctaid.x;
    fence.acq_rel.gpu;
    atom.global.add.u32 %r1, [%d1], 1;
    WAIT: ld.acquire.gpu.global.b32 %r2, [%d1];
    setp.lt.u32 %p1, %r2, %r3;
    @%p1 bra WAIT;";

#[test]
fn blocks_that_wait_for_each_other_need_a_cooperative_launch() {
    let module = kernel(1, GRID_BARRIER);
    let mut machine = Machine::new(2);
    let counter = machine.buffer(&[0; 4]);
    let parameters = [Parameter::from(counter)];
    machine.launch_cooperative(&module, "k", [12, 1, 1], [1, 1, 1], 0, &parameters).expect("no fault");
    assert_eq!(to_words(&machine.read(counter)), [12]);
    machine.write(counter, &[0; 4]).expect("a buffer");
    let fault = machine.launch(&module, "k", [12, 1, 1], [1, 1, 1], 0, &parameters).expect_err("blocks wait for ever");
    assert_eq!(fault.rule, archc_ptx::Rule::Livelock);
}

#[test]
fn many_threads_that_compute_for_long_before_they_write_do_not_stand_still() {
    let module = kernel(
        1,
        "ld.param.b64 %d1, [p0]; mov.u32 %r1, %tid.x; mov.u32 %r2, 0;
         L: add.u32 %r2, %r2, 1; setp.lt.u32 %p1, %r2, 5000; @%p1 bra L;
         shl.b32 %r1, %r1, 2; cvt.u64.u32 %d2, %r1; add.u64 %d1, %d1, %d2; st.global.b32 [%d1], %r2;",
    );
    let mut machine = Machine::new(3);
    let buffer = machine.buffer(&[0; 4 * 512]);
    run(&mut machine, &module, 512, &[buffer]).expect("no fault");
    assert_eq!(to_words(&machine.read(buffer)), [5000; 512]);
}

#[test]
fn functions_take_arguments_and_return_results() {
    let text = format!(
        "{HEAD}.func (.param .b32 out) twice(.param .b32 in) {{
            .reg .b32 %r<4>; ld.param.b32 %r1, [in]; shl.b32 %r2, %r1, 1; st.param.b32 [out], %r2; ret; }}
         .visible .entry k(.param .b64 p0) {{
            .reg .b32 %r<4>; .reg .b64 %d<2>;
            ld.param.b64 %d1, [p0]; mov.u32 %r1, %tid.x;
            {{ .param .b32 param0; st.param.b32 [param0], %r1; .param .b32 retval0;
               call.uni (retval0), twice, (param0); ld.param.b32 %r2, [retval0]; }}
            mad.wide.u32 %d1, %r1, 4, %d1; st.global.b32 [%d1], %r2; ret; }}"
    );
    let mut machine = Machine::new(0);
    let out = machine.uninitialised(40);
    run(&mut machine, &parse(&text), 10, &[out]).expect("no fault");
    assert_eq!(to_words(&machine.read(out)), (0..10).map(|at| 2 * at).collect::<Vec<_>>());
}

#[test]
fn a_table_of_branches_and_constant_memory_choose_by_thread() {
    let text = format!(
        "{HEAD}.const .align 4 .b32 table[4] = {{11, 22, 33, -1}};
         .visible .entry k(.param .b64 p0) {{
            .reg .b32 %r<8>; .reg .b64 %d<4>; .reg .pred %p<2>;
            ld.param.b64 %d1, [p0]; mov.u32 %r1, %tid.x; mov.b64 %d2, table;
            mul.wide.u32 %d3, %r1, 4; add.s64 %d2, %d2, %d3; add.s64 %d1, %d1, %d3;
            ld.const.b32 %r2, [%d2];
            TABLE: .branchtargets A, B, A, B;
            brx.idx %r1, TABLE;
            A: add.s32 %r2, %r2, 1; bra DONE;
            B: sub.s32 %r2, %r2, 1;
            DONE: st.global.b32 [%d1], %r2; ret; }}"
    );
    let mut machine = Machine::new(0);
    let out = machine.uninitialised(16);
    run(&mut machine, &parse(&text), 4, &[out]).expect("no fault");
    assert_eq!(to_words(&machine.read(out)), [12, 21, 34, 0xffff_fffe]);
}

#[test]
fn local_memory_and_generic_addresses_reach_the_same_bytes() {
    let module = kernel(
        1,
        ".local .align 8 .b8 depot[16]; .shared .align 8 .b8 tile[8];
         mov.b64 %d1, depot; cvta.local.u64 %d2, %d1;
         st.local.b32 [%d1+4], 7; ld.b32 %r1, [%d2+4];
         mov.b64 %d3, tile; cvta.shared.u64 %d4, %d3;
         st.shared.b32 [tile+4], 35; ld.b32 %r2, [%d4+4];
         add.s32 %r3, %r1, %r2; ld.param.b64 %d5, [p0]; st.b32 [%d5], %r3;
         cvta.to.shared.u64 %d6, %d4; sub.s64 %d7, %d6, %d3; st.b32 [%d5+4], %d7;"
            .replace("st.b32 [%d5+4], %d7", "cvt.u32.u64 %r4, %d7; st.b32 [%d5+4], %r4")
            .as_str(),
    );
    let mut machine = Machine::new(0);
    let out = machine.uninitialised(8);
    run(&mut machine, &module, 1, &[out]).expect("no fault");
    assert_eq!(to_words(&machine.read(out)), [42, 0]);
}

#[test]
fn votes_matches_and_reductions_see_all_lanes() {
    let module = kernel(
        1,
        "ld.param.b64 %d1, [p0]; mov.u32 %r1, %laneid; and.b32 %r2, %r1, 3;
         setp.eq.s32 %p1, %r2, 0;
         vote.sync.ballot.b32 %r3, %p1, -1;
         vote.sync.any.pred %p2, %p1, -1; selp.b32 %r4, 1, 0, %p2;
         match.any.sync.b32 %r5, %r2, -1;
         redux.sync.max.s32 %r6, %r1, -1;
         elect.sync _|%p3, -1; selp.b32 %r7, 1, 0, %p3; redux.sync.add.u32 %r7, %r7, -1;
         setp.ne.s32 %p4, %r1, 1; @%p4 bra DONE;
         st.global.v4.b32 [%d1], {%r3, %r4, %r5, %r6}; st.global.b32 [%d1+16], %r7;
         DONE:",
    );
    let mut machine = Machine::new(9);
    let out = machine.uninitialised(20);
    // Buffers start at multiples of 256, so 16-byte stores are aligned.
    run(&mut machine, &module, 32, &[out]).expect("no fault");
    assert_eq!(to_words(&machine.read(out)), [0x1111_1111, 1, 0x2222_2222, 31, 1]);
}
