//! What threads do together beyond the pipelines: matrices in shared memory, bulk copies, reductions at
//! barriers, mbarriers with states.

use crate::support::*;
use archc_ptx::{Machine, Rule};

#[test]
fn matrices_stored_by_a_warp_lie_row_by_row_and_come_back_transposed() {
    let module = kernel(
        1,
        ".shared .align 16 .b8 tile[128]; ld.param.b64 %d1, [p0]; mov.u32 %r1, %tid.x; mov.b32 %r2, tile;
         and.b32 %r3, %r1, 7; shl.b32 %r3, %r3, 4; add.s32 %r4, %r2, %r3;
         shl.b32 %r5, %r1, 1; add.s32 %r6, %r5, 1; shl.b32 %r6, %r6, 16; or.b32 %r5, %r5, %r6;
         stmatrix.sync.aligned.m8n8.x1.shared.b16 [%r4], {%r5};
         ldmatrix.sync.aligned.m8n8.x1.trans.shared.b16 {%r7}, [%r4];
         movmatrix.sync.aligned.m8n8.trans.b16 %r8, %r7;
         mad.wide.u32 %d2, %r1, 8, %d1; st.global.v2.b32 [%d2], {%r7, %r8};",
    );
    let mut machine = Machine::new(1);
    let out = machine.uninitialised(256);
    run(&mut machine, &module, 32, &[out]).expect("no fault");
    let found = to_words(&machine.read(out));
    for lane in 0..32 {
        // Element (row, column) is 8 · row + column; this lane gets two rows of one column.
        let (column, row) = (lane / 4, 2 * (lane % 4));
        assert_eq!(found[2 * lane], ((8 * row + column) | ((8 * (row + 1) + column) << 16)) as u32);
        assert_eq!(found[2 * lane + 1], ((2 * lane) | ((2 * lane + 1) << 16)) as u32);
    }
}

/// One thread brings 64 bytes in, all double them, one adds them to what is there.
fn bulk(fence: &str) -> String {
    format!(
        ".shared .align 16 .b8 data[64]; .shared .align 8 .b8 bar[8];
         ld.param.b64 %d1, [p0]; ld.param.b64 %d2, [p1]; mov.u32 %r1, %tid.x; mov.b32 %r2, data; mov.b32 %r3, bar;
         setp.eq.s32 %p1, %r1, 0;
         @%p1 mbarrier.init.shared.b64 [%r3], 16;
         bar.sync 0;
         @%p1 mbarrier.expect_tx.relaxed.cta.shared::cta.b64 [%r3], 64;
         @%p1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%r2], [%d1], 64, [%r3];
         mbarrier.arrive.shared.b64 %d3, [%r3];
         W: mbarrier.test_wait.shared.b64 %p2, [%r3], %d3;
         @!%p2 bra W;
         shl.b32 %r4, %r1, 2; add.s32 %r4, %r4, %r2;
         ld.shared.f32 %r5, [%r4]; add.f32 %r5, %r5, %r5; st.shared.f32 [%r4], %r5;
         {fence} bar.sync 0;
         @!%p1 bra E;
         cp.reduce.async.bulk.global.shared::cta.bulk_group.add.f32 [%d2], [%r2], 64;
         cp.async.bulk.commit_group; cp.async.bulk.wait_group.read 0; cp.async.bulk.wait_group 0;
         E:"
    )
}

#[test]
fn bulk_copies_come_and_go_under_states_of_an_mbarrier() {
    for seed in 0..6 {
        let mut machine = Machine::new(seed);
        let data = machine.buffer(&floats((0..16).map(|at| at as f32)));
        let sums = machine.buffer(&floats([100.0; 16]));
        let module = kernel(2, &bulk("fence.proxy.async.shared::cta;"));
        run(&mut machine, &module, 16, &[data, sums]).unwrap_or_else(|fault| panic!("{fault}"));
        assert_eq!(to_floats(&machine.read(sums)), (0..16).map(|at| 100.0 + 2.0 * at as f32).collect::<Vec<_>>());
        let fault = run(&mut machine, &kernel(2, &bulk("")), 16, &[data, sums]).expect_err("no fence");
        assert_eq!(fault.rule, Rule::Proxy);
    }
}

#[test]
fn copies_of_all_threads_arrive_at_an_mbarrier() {
    let body = |wait: &str| {
        format!(
            ".shared .align 16 .b8 data[256]; .shared .align 8 .b8 bar[8];
             ld.param.b64 %d1, [p0]; ld.param.b64 %d2, [p1]; mov.u32 %r1, %tid.x; mov.b32 %r2, data; mov.b32 %r3, bar;
             setp.eq.s32 %p1, %r1, 0;
             @%p1 mbarrier.init.shared.b64 [%r3], 64;
             bar.sync 0;
             shl.b32 %r4, %r1, 2; add.s32 %r5, %r4, %r2; cvt.u64.u32 %d3, %r4; add.s64 %d4, %d1, %d3;
             cp.async.ca.shared.global [%r5], [%d4], 4;
             cp.async.mbarrier.arrive.noinc.shared.b64 [%r3];
             {wait}
             xor.b32 %r6, %r4, 252; add.s32 %r6, %r6, %r2; ld.shared.b32 %r7, [%r6];
             add.s64 %d5, %d2, %d3; st.global.b32 [%d5], %r7;"
        )
    };
    let wait = "W: mbarrier.try_wait.parity.shared.b64 %p2, [%r3], 0; @!%p2 bra W;";
    let mut machine = Machine::new(3);
    let data = machine.buffer(&words(0..64));
    let out = machine.uninitialised(256);
    run(&mut machine, &kernel(2, &body(wait)), 64, &[data, out]).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(to_words(&machine.read(out)), (0..64).rev().collect::<Vec<_>>());
    let fault = run(&mut machine, &kernel(2, &body("bar.sync 0;")), 64, &[data, out]).expect_err("no wait");
    assert!(matches!(fault.rule, Rule::Pending | Rule::Race), "{fault}");
}

#[test]
fn barriers_count_and_combine_predicates() {
    let module = kernel(
        1,
        "ld.param.b64 %d1, [p0]; mov.u32 %r1, %tid.x; setp.lt.u32 %p1, %r1, 40;
         barrier.red.popc.sync.aligned.u32 %r2, 1, 64, %p1;
         bar.red.and.pred %p2, 2, %p1; bar.red.or.pred %p3, 3, %p1;
         selp.b32 %r3, 1, 0, %p2; selp.b32 %r4, 1, 0, %p3;
         setp.ne.s32 %p4, %r1, 63; @%p4 bra E;
         st.global.b32 [%d1], %r2; st.global.b32 [%d1+4], %r3; st.global.b32 [%d1+8], %r4;
         E:",
    );
    let mut machine = Machine::new(3);
    let out = machine.uninitialised(12);
    run(&mut machine, &module, 64, &[out]).unwrap_or_else(|fault| panic!("{fault}"));
    assert_eq!(to_words(&machine.read(out)), [40, 0, 1]);
}

#[test]
fn parts_of_buffers_are_written_and_read_by_the_host() {
    let mut machine = Machine::new(0);
    let buffer = machine.uninitialised(8);
    machine.write_at(buffer + 3, &[7, 9]).expect("inside");
    assert_eq!(machine.read_at(buffer + 3, 2).expect("written"), [7, 9]);
    assert_eq!(machine.read_at(buffer, 4).expect_err("never written").rule, Rule::Uninitialised);
    assert_eq!(machine.unwritten(buffer), [0, 1, 2, 5, 6, 7]);
    assert!(machine.write_at(buffer + 7, &[0, 0]).is_err());
}
