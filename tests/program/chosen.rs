//! A bound on a rank: what is not chosen is not computed, forward and backward, and the meaning stays.

use super::build::{Call, check, feed};
use super::models::{checked, forward, train};
use archc::derive;
use archc::graph::{self, Graph, Op, Region};
use archc::interpret;
use archc::model::Model;
use archc::plan::{Interface, Program, Step, schedule};

/// A model with one layer of experts, `line` says how they are used; `dims` are its axes.
fn experts(dims: &str, line: &str, blocks: &str) -> Model {
    checked(format!(
        "model Small {{\n  dim t, d = 6, v = 11, {dims}\n  input ids[t] : v, keep[t] : bool = true\n  param table[v, d], head[v, d]\n\
         x = table[v: ids]\n  {line}\n  output logits = sum[d](x * head)\n  train next_token(self.logits, ids, keep)\n}}\n{blocks}"
    ))
}

const PLAIN: &str = "y, score, chosen = moe(x, swiglu(_, 4), 2);  x += y";
const LAYERED: &str = "for i { y, score, chosen = moe(x, swiglu(_, 4), 2);  x += y }";
const BIASED: &str = "y, score, chosen = moe(x, mlp(_, 4, gelu), 2, renorm = false);  x += y";
const GROUPS: &str = "x += sigmoid_moe(x, swiglu(_, 4), swiglu(_, 3), 2, 3, 1.5)";
const LIMITED: &str = "x += crowd(x, swiglu(_, 4))";

/// First and second choices of which each expert takes no more than two a row.
const CROWD: &str = "block crowd[t, d, e](x[t, d], expert(x[d]) -> [d]) -> [t, d] {\n  param router[d, e]\n  dim s like t\n\
    p = softmax[e](sum[d](x * router));  best = top[e](p, 2)\n\
    kept = best and sum[s](best[t: s] where s <= t) <= 2\n\
    for e { yield out = expert: expert(x where kept) }\n  return sum[e](out * p where kept)\n}\n";

fn variants() -> Vec<Model> {
    vec![
        experts("e = 5", PLAIN, ""),
        experts("e = 5", BIASED, ""),
        experts("g = 3, j = 4", GROUPS, ""),
        experts("e = 4", LIMITED, CROWD),
        experts("e = 5, i = 2", LAYERED, ""),
    ]
}

/// The axes that the `for`s of a region run along.
fn loops(graph: &Graph, region: &Region, found: &mut Vec<String>) {
    for id in region.ids() {
        if let Op::For(own) = &region.node(id).op {
            found.push(graph.axes[own.axis].name.clone());
            own.bodies.iter().for_each(|body| loops(graph, body, found));
        }
    }
}

#[test]
fn no_turn_of_an_expert_is_left() {
    for model in variants() {
        for graph in [forward(&model), train(&model)] {
            let mut found = Vec::new();
            loops(&graph, &graph.root, &mut found);
            assert!(found.iter().all(|axis| axis == "i"), "{found:?}\n{}", graph::text::print(&graph));
        }
    }
}

#[test]
fn the_chosen_alone_mean_what_all_of_them_mean() {
    for model in variants() {
        let plain = derive::build(&model, &model.forward, "forward");
        for (batch, extent) in [(1, 1), (3, 7)] {
            let call = Call::ragged(batch, extent);
            let given = feed(&plain, &call);
            let wanted = interpret::run(&plain, &given).unwrap_or_else(|fault| panic!("{fault:?}"));
            let found = interpret::run(&forward(&model), &given).unwrap_or_else(|fault| panic!("{fault:?}"));
            for (name, wanted) in &wanted.all {
                let found = found.get(name).expect("the same outputs");
                let pairs = wanted.numbers.iter().zip(&found.numbers).enumerate();
                let far = pairs
                    .filter(|(at, _)| wanted.is_present(*at))
                    .find(|(_, (one, other))| (*one - *other).abs() > 1e-9);
                assert_eq!(far, None, "{name}");
            }
        }
    }
}

#[test]
fn sorted_rows_give_what_the_interpreter_gives() {
    for model in variants() {
        check(&forward(&model));
        check(&train(&model));
    }
}

fn multiply_adds(program: &Program) -> i64 {
    let symbols = program.symbols.iter().map(|name| if name == "t" { 64 } else { 1 }).collect::<Vec<_>>();
    program.multiply_adds.evaluate(&symbols)
}

/// Multiply-adds grow by the router's alone: 6 for each further expert and token, in training three times that and one
/// each for the gradients of its softmax and of the sum of the weights.
#[test]
fn work_follows_the_chosen() {
    for (make, router) in [(forward as fn(&Model) -> Graph, 6), (train, 20)] {
        let [few, many] = [4, 32].map(|count| {
            let model = experts(&format!("e = {count}"), PLAIN, "");
            multiply_adds(&schedule(&make(&model), &Interface::default()))
        });
        assert_eq!(many - few, (32 - 4) * 64 * router);
    }
}

fn counted(steps: &[Step]) -> usize {
    let of = |step: &Step| match step {
        Step::Count { .. } => 1,
        Step::Loop { body, .. } | Step::Ask { body, .. } => counted(body),
        Step::Switch { arms, .. } => arms.iter().map(|arm| counted(arm)).sum(),
        Step::Launch(_) | Step::Lookup { .. } | Step::Tally(_) => 0,
    };
    steps.iter().map(of).sum()
}

/// Three products forward; backward a product and a sum for each. The rows of every one are counted while it runs, and
/// no buffer holds a matrix for every token: inside a `for` over layers neither, where the backward turns come later.
#[test]
fn every_product_of_an_expert_is_over_the_rows_that_chose_it() {
    let (model, layered) = (experts("e = 5", PLAIN, ""), experts("e = 5, i = 2", LAYERED, ""));
    let graphs = [(forward(&model), 3), (train(&model), 9), (forward(&layered), 3), (train(&layered), 9)];
    for (graph, products) in graphs {
        let program = schedule(&graph, &Interface::default());
        assert_eq!(counted(&program.steps), 2 * products, "{program}");
        let size = |shape: &[archc_runtime::abi::Size]| {
            let symbols = program.symbols.iter().map(|name| if name == "t" { 4096 } else { 1 }).collect::<Vec<_>>();
            shape.iter().map(|size| size.evaluate(&symbols)).product::<i64>()
        };
        let largest = program.buffers.iter().map(|buffer| size(&buffer.shape)).max();
        assert!(largest < Some(4096 * 2 * 6 * 4), "{program}");
    }
}

/// The sizes of what `for`s carry that has the axis of their own turns.
fn carried_stacks(region: &Region) -> usize {
    let own = region.ids().into_iter().map(|id| match &region.node(id).op {
        Op::For(own) => {
            let carried = &region.node(id).results[..own.carried];
            let stacks = carried.iter().filter(|typed| typed.ty.has(own.axis)).count();
            stacks + own.bodies.iter().map(carried_stacks).sum::<usize>()
        }
        _ => 0,
    });
    own.sum()
}

#[test]
fn each_layer_writes_its_own_part_of_the_gradient_of_experts() {
    let graph = train(&experts("e = 5, i = 2", LAYERED, ""));
    assert_eq!(carried_stacks(&graph.root), 0, "{}", graph::text::print(&graph));
}
