//! Instructions on registers against Rust's own numbers, for values at random and at the edges.

use crate::support::*;
use archc_ptx::Machine;

/// Results of `instruction` (from `%r1`, `%r2`, `%r3` to `%r4`) for triples of words.
fn apply(instruction: &str, triples: &[[u32; 3]]) -> Vec<u32> {
    let body = format!(
        "ld.param.b64 %d1, [p0]; ld.param.b64 %d2, [p1]; mov.u32 %r0, %tid.x;
         mul.wide.u32 %d3, %r0, 12; add.s64 %d3, %d1, %d3; mad.wide.u32 %d4, %r0, 4, %d2;
         ld.global.b32 %r1, [%d3]; ld.global.b32 %r2, [%d3+4]; ld.global.b32 %r3, [%d3+8];
         {instruction} st.global.b32 [%d4], %r4;"
    );
    let mut machine = Machine::new(4);
    let input = machine.buffer(&words(triples.iter().flatten().copied()));
    let output = machine.uninitialised(4 * triples.len());
    let threads = triples.len() as u32;
    run(&mut machine, &kernel(2, &body), threads, &[input, output]).unwrap_or_else(|fault| panic!("{fault}"));
    to_words(&machine.read(output))
}

const EDGES: [u32; 12] =
    [0, 1, 2, 31, 32, 33, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0x3f80_0000, 0x0080_0001, 0xc2f6_e979];

fn triples() -> Vec<[u32; 3]> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 16) as u32
    };
    let edges = EDGES.iter().flat_map(|a| EDGES.iter().map(move |b| [*a, *b, a ^ b]));
    edges.chain((0..200).map(|_| [next(), next(), next()])).collect()
}

fn check(instruction: &str, expected: impl Fn(u32, u32, u32) -> u32) {
    let inputs = triples();
    for (input, found) in inputs.iter().zip(apply(instruction, &inputs)) {
        let [a, b, c] = *input;
        assert_eq!(found, expected(a, b, c), "{instruction} of {a:#x}, {b:#x}, {c:#x}");
    }
}

#[test]
fn integer_arithmetic_wraps_as_rust_says() {
    check("add.s32 %r4, %r1, %r2;", |a, b, _| a.wrapping_add(b));
    check("sub.s32 %r4, %r1, %r2;", |a, b, _| a.wrapping_sub(b));
    check("mul.lo.s32 %r4, %r1, %r2;", |a, b, _| a.wrapping_mul(b));
    check("mul.hi.u32 %r4, %r1, %r2;", |a, b, _| ((u64::from(a) * u64::from(b)) >> 32) as u32);
    check("mul.hi.s32 %r4, %r1, %r2;", |a, b, _| ((i64::from(a as i32) * i64::from(b as i32)) >> 32) as u32);
    check("mad.lo.s32 %r4, %r1, %r2, %r3;", |a, b, c| a.wrapping_mul(b).wrapping_add(c));
    check("min.s32 %r4, %r1, %r2;", |a, b, _| (a as i32).min(b as i32) as u32);
    check("max.u32 %r4, %r1, %r2;", |a, b, _| a.max(b));
    check("abs.s32 %r4, %r1;", |a, _, _| (a as i32).wrapping_abs() as u32);
    check("neg.s32 %r4, %r1;", |a, _, _| a.wrapping_neg());
    check("div.s32 %r4, %r1, %r2;", |a, b, _| if b == 0 { !0 } else { (a as i32).wrapping_div(b as i32) as u32 });
    check("rem.u32 %r4, %r1, %r2;", |a, b, _| if b == 0 { a } else { a % b });
}

#[test]
fn shifts_clamp_and_bit_fields_follow_their_definition() {
    check("shl.b32 %r4, %r1, %r2;", |a, b, _| a.checked_shl(b).unwrap_or(0));
    check("shr.u32 %r4, %r1, %r2;", |a, b, _| a.checked_shr(b).unwrap_or(0));
    check("shr.s32 %r4, %r1, %r2;", |a, b, _| ((a as i32) >> b.min(31)) as u32);
    check("bfe.u32 %r4, %r1, 5, 9;", |a, _, _| (a >> 5) & 0x1ff);
    check("bfe.s32 %r4, %r1, 5, 9;", |a, _, _| (((a << 18) as i32) >> 23) as u32);
    check("bfi.b32 %r4, %r1, %r2, 8, 4;", |a, b, _| (b & !0xf00) | ((a & 15) << 8));
    check("popc.b32 %r4, %r1;", |a, _, _| a.count_ones());
    check("clz.b32 %r4, %r1;", |a, _, _| a.leading_zeros());
    check("brev.b32 %r4, %r1;", |a, _, _| a.reverse_bits());
    check("bfind.u32 %r4, %r1;", |a, _, _| a.checked_ilog2().unwrap_or(!0));
    check("shf.l.wrap.b32 %r4, %r1, %r2, %r3;", |a, b, c| {
        (((u64::from(b) << 32 | u64::from(a)) << (c & 31)) >> 32) as u32
    });
    check("shf.r.clamp.b32 %r4, %r1, %r2, %r3;", |a, b, c| ((u64::from(b) << 32 | u64::from(a)) >> c.min(32)) as u32);
    check("lop3.b32 %r4, %r1, %r2, %r3, 0xE8;", |a, b, c| (a & b) | (a & c) | (b & c));
    check("prmt.b32 %r4, %r1, %r2, 0x5410;", |a, b, _| (a & 0xffff) | (b << 16));
    check("prmt.b32 %r4, %r1, %r2, 0x7632;", |a, b, _| (a >> 16) | (b & 0xffff_0000));
}

#[test]
fn carries_make_64_bit_sums_of_words() {
    let both = "mov.b32 %r5, 7; add.cc.u32 %r6, %r1, %r2; addc.u32 %r4, %r3, %r5;";
    check(both, |a, b, c| c.wrapping_add(7).wrapping_add(u32::from(a.checked_add(b).is_none())));
    check("sub.cc.u32 %r6, %r1, %r2; subc.u32 %r4, %r3, 0;", |a, b, c| c.wrapping_sub(u32::from(a < b)));
}

#[test]
fn single_precision_follows_ieee() {
    let f = f32::from_bits;
    let same = |instruction: &str, expected: &dyn Fn(f32, f32, f32) -> f32| {
        let inputs = triples();
        for (input, found) in inputs.iter().zip(apply(instruction, &inputs)) {
            let wanted = expected(f(input[0]), f(input[1]), f(input[2]));
            assert!(
                f(found) == wanted || wanted.is_nan() && f(found).is_nan(),
                "{instruction} of {input:x?}: {found:x}"
            );
        }
    };
    same("add.rn.f32 %r4, %r1, %r2;", &|a, b, _| a + b);
    same("mul.f32 %r4, %r1, %r2;", &|a, b, _| a * b);
    same("fma.rn.f32 %r4, %r1, %r2, %r3;", &|a, b, c| a.mul_add(b, c));
    same("div.rn.f32 %r4, %r1, %r2;", &|a, b, _| a / b);
    same("sqrt.rn.f32 %r4, %r1;", &|a, _, _| a.sqrt());
    same("min.f32 %r4, %r1, %r2;", &|a, b, _| a.min(b));
    same("max.f32 %r4, %r1, %r2;", &|a, b, _| a.max(b));
    same("neg.f32 %r4, %r1;", &|a, _, _| -a);
    let flush = |x: f32| if x.is_subnormal() { 0.0 * x } else { x };
    same("add.ftz.f32 %r4, %r1, %r2;", &|a, b, _| flush(flush(a) + flush(b)));
    same("add.sat.f32 %r4, %r1, %r2;", &|a, b, _| if (a + b).is_nan() { 0.0 } else { (a + b).clamp(0.0, 1.0) });
}

#[test]
fn directed_rounding_encloses_the_exact_result() {
    let f = |bits: u32| f64::from(f32::from_bits(bits));
    let inputs: Vec<[u32; 3]> = triples().iter().map(|t| t.map(|x| (x & 0x83ff_ffff) | 0x3c00_0000)).collect();
    let down = apply("fma.rm.f32 %r4, %r1, %r2, %r3;", &inputs);
    let up = apply("fma.rp.f32 %r4, %r1, %r2, %r3;", &inputs);
    let zero = apply("fma.rz.f32 %r4, %r1, %r2, %r3;", &inputs);
    for (at, [a, b, c]) in inputs.iter().enumerate() {
        let exact = f(*a) * f(*b) + f(*c);
        assert!(f(down[at]) <= exact && exact <= f(up[at]), "{at}");
        assert!(f32::from_bits(up[at]) <= f32::from_bits(down[at]).next_up());
        assert!(f(zero[at]).abs() <= exact.abs());
    }
}

#[test]
fn halves_and_packed_halves_round_once() {
    let half = |bits: u32| half::f16::from_bits(bits as u16);
    let brain = |bits: u32| half::bf16::from_bits(bits as u16);
    let packed =
        |a: u32, b: u32, step: &dyn Fn(u32, u32) -> u32| step(a & 0xffff, b & 0xffff) | step(a >> 16, b >> 16) << 16;
    check("and.b32 %r1, %r1, 0x3fff3fff; and.b32 %r2, %r2, 0x3fff3fff; add.rn.f16x2 %r4, %r1, %r2;", |a, b, _| {
        packed(a & 0x3fff_3fff, b & 0x3fff_3fff, &|a, b| {
            half::f16::from_f32(half(a).to_f32() + half(b).to_f32()).to_bits().into()
        })
    });
    check("and.b32 %r1, %r1, 0x3fff3fff; and.b32 %r2, %r2, 0x3fff3fff; mul.rn.bf16x2 %r4, %r1, %r2;", |a, b, _| {
        packed(a & 0x3fff_3fff, b & 0x3fff_3fff, &|a, b| {
            half::bf16::from_f32(brain(a).to_f32() * brain(b).to_f32()).to_bits().into()
        })
    });
    check("and.b32 %r4, %r1, 0x3fff3fff; fma.rn.bf16x2 %r4, %r4, 0x3f803f80, 0x80008000;", |a, _, _| a & 0x3fff_3fff);
}

#[test]
fn comparisons_know_order_sign_and_nan() {
    let set = |comparison: &str| format!("setp.{comparison} %p1, %r1, %r2; selp.b32 %r4, 1, 0, %p1;");
    let f = f32::from_bits;
    check(&set("lt.s32"), |a, b, _| u32::from((a as i32) < b as i32));
    check(&set("hs.u32"), |a, b, _| u32::from(a >= b));
    check(&set("lt.f32"), |a, b, _| u32::from(f(a) < f(b)));
    check(&set("geu.f32"), |a, b, _| u32::from(f(a).partial_cmp(&f(b)) != Some(std::cmp::Ordering::Less)));
    check(&set("neu.f32"), |a, b, _| u32::from(f(a) != f(b)));
    check(&set("num.f32"), |a, b, _| u32::from(!f(a).is_nan() && !f(b).is_nan()));
    let both = "setp.eq.s32 %p2, %r3, 0; setp.gt.or.u32 %p1|%p3, %r1, %r2, !%p2; selp.b32 %r5, 2, 0, %p3; selp.b32 %r4, 1, 0, %p1; or.b32 %r4, %r4, %r5;";
    check(both, |a, b, c| u32::from(a > b || c != 0) + 2 * u32::from(a <= b || c != 0));
}

#[test]
fn conversions_reach_registers_of_every_width() {
    check("cvt.s32.s8 %r4, %r1;", |a, _, _| a as i8 as u32);
    check("cvt.u16.u32 %h1, %r1; cvt.s32.s16 %r4, %h1;", |a, _, _| a as i16 as u32);
    check("cvt.rn.f32.s32 %r4, %r1;", |a, _, _| (a as i32 as f32).to_bits());
    check("cvt.rzi.s32.f32 %r4, %r1;", |a, _, _| f32::from_bits(a) as i32 as u32);
    let finite = "and.b32 %r1, %r1, 0xbfffffff; and.b32 %r2, %r2, 0xbfffffff; cvt.rn.bf16x2.f32 %r4, %r1, %r2;";
    check(finite, |a, b, _| {
        let to = |bits: u32| u32::from(half::bf16::from_f32(f32::from_bits(bits & 0xbfff_ffff)).to_bits());
        to(a) << 16 | to(b)
    });
    check("mov.b32 {%h1, %h2}, %r1; mov.b32 %r4, {%h2, %h1};", |a, _, _| a.rotate_left(16));
}
