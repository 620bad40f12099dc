//! The program of every kind of graph gives what the interpreter gives.

use super::build::{Build, check};
use archc::graph::{For, Op, Region, Typed, Value};
use archc::model::{Combine, Law};
use archc::tensor::*;

#[test]
fn products_and_maps_are_computed_where_they_are_read() {
    let mut build = Build::new();
    let (t, d, f) = (build.sequence("t"), build.dim("d", 5), build.dim("f", 3));
    let (x, w, b) = (build.input("x", &[BATCH, t, d]), build.parameter("w", &[d, f]), build.parameter("b", &[f]));
    let y = build.contract(&[d], x, w);
    let y = build.map(Function::Add, &[y, b]);
    let y = build.map(Function::Tanh, &[y]);
    build.output("y", y);
    check(&build.finish());
}

#[test]
fn a_norm_divides_each_row() {
    let mut build = Build::new();
    let (t, d) = (build.sequence("t"), build.dim("d", 6));
    let x = build.input("x", &[BATCH, t, d]);
    let square = build.map(Function::Multiply, &[x, x]);
    let sum = build.reduce(Combine::Sum, &[d], square);
    let root = build.map(Function::Sqrt, &[sum]);
    let y = build.map(Function::Divide, &[x, root]);
    build.output("y", y);
    check(&build.finish());
}

#[test]
fn sums_over_a_sequence_stop_at_a_rows_length() {
    let mut build = Build::new();
    let (t, d) = (build.sequence("t"), build.dim("d", 3));
    let x = build.input("x", &[BATCH, t, d]);
    let sum = build.reduce(Combine::Sum, &[t], x);
    let all = build.reduce(Combine::Maximum, &[BATCH, t, d], x);
    let first = build.reduce(Combine::First, &[t], x);
    build.output("sum", sum);
    build.output("all", all);
    build.output("first", first);
    check(&build.finish());
}

/// `t - s >= 0` and `window - 1 - t + s >= 0`.
pub fn causal(t: AxisId, s: AxisId, window: Option<i64>) -> Vec<Relation<Value>> {
    let back = Affine::axis(t).plus(&Affine::axis(s), -1);
    let mut relations = vec![Relation::AtLeastZero(back.clone())];
    relations.extend(window.map(|size| Relation::AtLeastZero(Affine::number(size - 1).plus(&back, -1))));
    relations
}

#[test]
fn attention_sees_what_its_relations_allow() {
    for window in [None, Some(3)] {
        let mut build = Build::new();
        let (t, g, r, k) = (build.sequence("t"), build.dim("g", 2), build.dim("r", 3), build.dim("k", 4));
        let s = build.axes.add_like("s", t);
        let q = build.input("q", &[BATCH, t, g, r, k]);
        let (key, val) = (build.input("key", &[BATCH, t, g, k]), build.input("val", &[BATCH, t, g, k]));
        let key = build.index(key, &[(t, Affine::axis(s))]);
        let val = build.index(val, &[(t, Affine::axis(s))]);
        let score = build.contract(&[k], q, key);
        let half = build.number(0.5);
        let score = build.map(Function::Multiply, &[score, half]);
        let score = build.keep(score, causal(t, s, window));
        let share = build.softmax(s, score);
        let out = build.contract(&[s], share, val);
        build.output("out", out);
        check(&build.finish());
    }
}

#[test]
fn look_ups_shifts_and_their_transposes_agree() {
    let mut build = Build::new();
    let (t, v, d) = (build.sequence("t"), build.dim("v", 3), build.dim("d", 4));
    let (ids, table) = (build.ints("ids", &[BATCH, t]), build.parameter("table", &[v, d]));
    let x = build.index(table, &[(v, Affine::value(ids))]);
    let back = Affine::axis(t).plus(&Affine::number(1), -1);
    let shifted = build.index(x, &[(t, back.clone())]);
    let zero = build.number(0.25);
    let shifted = build.op(Op::Else, &[shifted, zero]);
    let wanted = TensorType::new([v, d], DType::REAL);
    let gradient = build.op_wanted(Op::Scatter(vec![(v, Affine::value(ids))]), &[x], vec![], Some(wanted));
    let wanted = TensorType::new([BATCH, t, d], DType::REAL);
    let moved = build.op_wanted(Op::Scatter(vec![(t, back)]), &[x], vec![], Some(wanted));
    build.output("shifted", shifted);
    build.output("gradient", gradient);
    build.output("moved", moved);
    check(&build.finish());
}

#[test]
fn splits_and_merges_rotate_a_head() {
    let mut build = Build::new();
    let (t, k, p, i) = (build.sequence("t"), build.dim("k", 8), build.dim("p", 2), build.dim("i", 4));
    let x = build.input("x", &[BATCH, t, k]);
    let halves = Affine { terms: vec![(Term::Axis(p), 4), (Term::Axis(i), 1)], constant: 0 };
    let u = build.index(x, &[(k, halves)]);
    let second = build.index(u, &[(p, Affine::number(1))]);
    let first = build.index(u, &[(p, Affine::number(0))]);
    let negative = build.map(Function::Negate, &[second]);
    let p_is_zero = Relation::AtLeastZero(Affine::number(0).plus(&Affine::axis(p), -1));
    let ty = TensorType::new([BATCH, t, i, p], DType::REAL);
    let negative = build.op_wanted(Op::Map(Scalar::identity()), &[negative], vec![p_is_zero], Some(ty));
    let turned = build.op(Op::Else, &[negative, first]);
    let y = build.map(Function::Add, &[u, turned]);
    let merge = [(p, Affine::term(Term::Quotient(k, 4))), (i, Affine::term(Term::Remainder(k, 4)))];
    let z = build.index(y, &merge);
    build.output("z", z);
    check(&build.finish());
}

#[test]
fn ranks_choose_the_largest_and_break_ties_low() {
    let mut build = Build::new();
    let (t, e, h) = (build.sequence("t"), build.dim("e", 5), build.dim("h", 2));
    let x = build.ints("x", &[BATCH, t, e, h]);
    let place = build.op(Op::Rank(vec![e, h]), &[x]);
    let two = build.given(Op::Constant(vec![2.0]), &[], DType::Int);
    let chosen = build.keep(x, vec![Relation::Below { rank: place, bound: two }]);
    let sum = build.reduce(Combine::Sum, &[e, h], chosen);
    build.output("place", place);
    build.output("sum", sum);
    check(&build.finish());
}

#[test]
fn draws_give_the_same_numbers() {
    let mut build = Build::new();
    let (t, v) = (build.sequence("t"), build.dim("v", 5));
    let (low, high) = (build.number(-1.0), build.number(2.0));
    let ty = || Some(TensorType::new([BATCH, t], DType::REAL));
    let uniform = build.op_wanted(Op::Draw(Law::Uniform, "u".into()), &[low, high], vec![], ty());
    let normal = build.op_wanted(Op::Draw(Law::Normal, "n".into()), &[low, high], vec![], ty());
    let weights = build.input("weights", &[BATCH, t, v]);
    let weights = build.map(Function::Exp, &[weights]);
    let chosen = build.op(Op::Draw(Law::Categorical(v), "c".into()), &[weights]);
    build.output("uniform", uniform);
    build.output("normal", normal);
    build.output("chosen", chosen);
    check(&build.finish());
}

fn argument(body: &mut Region, place: usize, axes: &[AxisId]) -> Value {
    let typed = Typed::always(TensorType::new(axes, DType::REAL));
    body.add_one(Op::Argument(place), [], typed, "")
}

fn map(body: &mut Region, function: Function, operands: &[Value]) -> Value {
    let typed = body.typed(operands[0]).clone();
    body.add_one(Op::Map(Scalar::function(function)), operands, typed, "")
}

#[test]
fn layers_carry_slice_and_yield() {
    for (turns, reverse) in [(None, false), (None, true), (Some(vec![0, 1, 0]), false)] {
        let mut build = Build::new();
        let (t, d, layers) = (build.sequence("t"), build.dim("d", 4), build.dim("layers", 3));
        let (x, w) = (build.input("x", &[BATCH, t, d]), build.parameter("w", &[layers, d]));
        let c = build.input("c", &[BATCH, t, d]);
        let body = |function| {
            let mut body = Region::default();
            let old = argument(&mut body, 0, &[BATCH, t, d]);
            let weight = argument(&mut body, 1, &[d]);
            let whole = argument(&mut body, 2, &[BATCH, t, d]);
            let scaled = map(&mut body, function, &[old, weight]);
            let new = map(&mut body, Function::Subtract, &[scaled, whole]);
            body.results = vec![Some(new), Some(scaled)];
            body
        };
        let mut bodies = vec![body(Function::Multiply)];
        if turns.is_some() {
            bodies.push(body(Function::Add));
        }
        let region = For { turns, ..turn_by_turn(layers, reverse, bodies) };
        let always = |axes: &[AxisId]| Typed::always(TensorType::new(axes, DType::REAL));
        let results = [always(&[BATCH, t, d]), always(&[BATCH, layers, t, d])];
        let node = build.region.add(Op::For(region), [x, w, c], results, "");
        build.output("last", Value { node, result: 0 });
        build.output("all", Value { node, result: 1 });
        check(&build.finish());
    }
}

#[test]
fn a_recurrence_stops_at_a_rows_length() {
    for reverse in [false, true] {
        let mut build = Build::new();
        let (t, d) = (build.sequence("t"), build.dim("d", 3));
        let (start, x) = (build.input("start", &[BATCH, d]), build.input("x", &[BATCH, t, d]));
        let mut body = Region::default();
        let old = argument(&mut body, 0, &[BATCH, d]);
        let now = argument(&mut body, 1, &[BATCH, d]);
        let product = map(&mut body, Function::Multiply, &[old, now]);
        let new = map(&mut body, Function::Add, &[product, now]);
        body.results = vec![Some(new), Some(old)];
        let region = turn_by_turn(t, reverse, vec![body]);
        let always = |axes: &[AxisId]| Typed::always(TensorType::new(axes, DType::REAL));
        let results = [always(&[BATCH, d]), always(&[BATCH, t, d])];
        let node = build.region.add(Op::For(region), [start, x], results, "");
        build.output("last", Value { node, result: 0 });
        build.output("all", Value { node, result: 1 });
        check(&build.finish());
    }
}

/// A `for` that carries one value and slices another.
fn turn_by_turn(axis: AxisId, reverse: bool, bodies: Vec<Region>) -> For {
    For { reverse, carried: 1, sliced: 1, bodies, ..For::of_one(axis, Region::default(), "") }
}
