//! The few that rank first: they are selected without ranking the rest, and attention to them reads them alone.

use super::build::{Build, check};
use super::models::{checked, forward, train};
use archc::graph::{Graph, Op, Value};
use archc::kernel::Form;
use archc::model::{Combine, Model};
use archc::plan::{Interface, Program, schedule};
use archc::tensor::*;

/// The sum of what ranks below three along positions, of numbers made from x.
fn sum_of_best(made: impl Fn(&mut Build, Value) -> Value, asks_more: bool) -> Graph {
    let mut build = Build::new();
    let t = build.sequence("t");
    let x = build.input("x", &[BATCH, t]);
    let x = made(&mut build, x);
    let rank = build.op(Op::Rank(vec![t]), &[x]);
    let three = build.given(Op::Constant(vec![3.0]), &[], DType::Int);
    let places = build.given(Op::Coordinate(t), &[t], DType::Int);
    let ty = Some(TensorType::new([BATCH, t], DType::Int));
    let below = vec![Relation::Below { rank, bound: three }];
    let best = build.op_wanted(Op::Map(Scalar::identity()), &[places], below, ty);
    let sum = build.reduce(Combine::Sum, &[t], best);
    build.output("sum", sum);
    if asks_more {
        build.output("rank", rank);
    }
    build.finish()
}

fn names(program: &Program) -> Vec<&str> {
    program.kernels.iter().map(|kernel| kernel.name.as_str()).collect()
}

/// 4 x, rounded down, halved: few different numbers.
fn steps(build: &mut Build, x: Value) -> Value {
    let (four, half) = (build.number(4.0), build.number(0.5));
    let scaled = build.map(Function::Multiply, &[four, x]);
    let steps = build.map(Function::Floor, &[scaled]);
    build.map(Function::Multiply, &[steps, half])
}

#[test]
fn of_equal_numbers_the_earliest_are_selected() {
    let program = check(&sum_of_best(steps, false));
    assert!(names(&program).contains(&"select") && !names(&program).contains(&"rank"), "{program}");
}

#[test]
fn numbers_of_all_magnitudes_are_selected() {
    let power = |build: &mut Build, x: Value, most: f64| {
        let most = build.number(most);
        let power = build.map(Function::Multiply, &[most, x]);
        build.map(Function::Exp, &[power])
    };
    check(&sum_of_best(|_, x| x, false));
    check(&sum_of_best(|build, x| power(build, x, 80.0), false));
    check(&sum_of_best(
        |build, x| {
            let large = power(build, x, 80.0);
            build.map(Function::Negate, &[large])
        },
        false,
    ));
}

#[test]
fn infinite_numbers_are_selected_like_others() {
    let inverse = |build: &mut Build, x: Value| {
        let (one, steps) = (build.number(1.0), steps(build, x));
        build.map(Function::Divide, &[one, steps])
    };
    check(&sum_of_best(inverse, false));
    let logarithm = |build: &mut Build, x: Value| {
        let (zero, steps) = (build.number(0.0), steps(build, x));
        let some = build.map(Function::Maximum, &[zero, steps]);
        build.map(Function::Log, &[some])
    };
    check(&sum_of_best(logarithm, false));
}

#[test]
fn a_rank_that_is_asked_for_more_is_a_rank() {
    let program = check(&sum_of_best(steps, true));
    assert!(names(&program).contains(&"rank") && !names(&program).contains(&"select"), "{program}");
}

/// Attention of `heads` heads to the three keys that a score of its own likes best.
fn sparse(liked: &str) -> Model {
    checked(format!(
        "model Small {{\n  dim t, d = 6, v = 7, h = 3, k = 4, s like t\n  input ids[t] : v, keep[t] : bool = true\n\
         param table[v, d], wq[d, h, k], wk[d, k], wl[d, k], wo[h, k, d], head[v, d]\n  x = table[v: ids]\n\
         q = sum[d](x * wq);  key = sum[d](x * wk);  light = sum[d](x * wl)\n  {liked}\n\
         w = softmax[s](sum[k](q * key[t: s]) where top[s](liked where s <= t, 3))\n\
         x += sum[h, k](sum[s](w * key[t: s]) * wo)\n\
         output logits = sum[d](x * head)\n  train next_token(self.logits, ids, keep)\n}}\n"
    ))
}

const ALIKE: &str = "liked = sum[k](light * light[t: s])";
const BY_HEAD: &str = "liked = sum[k](q * light[t: s])";

fn listed(program: &Program) -> Vec<bool> {
    let of = |form: &Form| match form {
        Form::Attend(attend) => Some(attend.listed),
        _ => None,
    };
    program.kernels.iter().filter_map(|kernel| of(&kernel.form)).collect()
}

#[test]
fn heads_that_see_the_same_few_keys_list_them() {
    let model = sparse(ALIKE);
    let program = check(&forward(&model));
    assert_eq!(listed(&program), [true], "{program}");
    assert!(names(&program).contains(&"select"));
    check(&train(&model));
    assert!(listed(&schedule(&train(&model), &Interface::default())).contains(&true));
}

#[test]
fn heads_with_keys_of_their_own_are_masked() {
    let model = sparse(BY_HEAD);
    assert_eq!(listed(&check(&forward(&model))), [false]);
    check(&train(&model));
}
