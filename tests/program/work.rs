//! The work of a decode step, counted while its program runs: what is kept is not computed again.

use super::super::compiled::{graphs, model, model_with, programs};
use super::execute::execute;
use archc::plan::Program;

const LAYERS: usize = 2;
const HEADS: usize = 6;
const WIDTH: usize = 4;

fn step(text: &str, settings: &[(&str, &str)]) -> Program {
    let model = if settings.is_empty() { model(text) } else { model_with(text, settings) };
    let all = programs(&graphs(&model));
    all.into_iter().find(|program| program.name == "step").expect("it can be decoded")
}

/// Multiplications of one new token of one row after `context - 1` others.
fn work(program: &Program, context: i64) -> u64 {
    let size = |name: &String| match name.as_str() {
        "context" => context,
        _ => 1,
    };
    let symbols = program.symbols.iter().map(size).collect::<Vec<_>>();
    let memory = execute(program, &symbols, |name, size| {
        let number = match name {
            "start" => (context - 1) as f64,
            "|context|" => context as f64,
            "|chunk|" => 1.0,
            _ => 0.25,
        };
        Some(vec![number; size])
    });
    memory.multiplications
}

fn decoder(window: &str) -> String {
    format!(
        "model Small {{\n  set layers = {LAYERS}\n  dim t, d = 24, v = 50\n  input ids[t] : v\n  param table[v, d], head[v, d]\n  \
         x = table[v: ids]\n  for i in layers {{\n    x += attn: gqa(norm1: rmsnorm(x), {HEADS}, 3, width = {WIDTH}{window})\n    \
         x += ffn: swiglu(norm2: rmsnorm(x), 40)\n  }}\n  output logits = sum[d](norm: rmsnorm(x) * head)\n  \
         train next_token(self, ids)\n}}\n"
    )
}

#[test]
fn a_step_at_twice_the_context_differs_by_attention_alone() {
    let program = step(&decoder(""), &[]);
    let [short, long] = [512, 1024].map(|context| work(&program, context));
    let attention = (LAYERS * HEADS * 512 * 2 * WIDTH) as u64;
    // One piece of keys more: a product for each result.
    let piece = (LAYERS * HEADS * WIDTH) as u64;
    assert_eq!(long - short, attention + piece, "{program}");
    // The rest is that of one position: the projections and a little for norms and angles.
    let projections = LAYERS * (24 * WIDTH * (2 * HEADS + 2 * 3) + 3 * 24 * 40) + 24 * 50;
    let rest = short - attention;
    assert!((projections as u64..=projections as u64 * 11 / 10).contains(&rest), "{rest} for {projections}");
}

#[test]
fn the_reported_work_of_a_step_is_the_counted_one() {
    let program = step(&decoder(""), &[]);
    let reported = |context: i64| {
        let symbols = program.symbols.iter().map(|name| if name == "context" { context } else { 1 });
        program.multiply_adds.evaluate(&symbols.chain(vec![0; program.counters]).collect::<Vec<_>>()) as u64
    };
    for context in [512, 1024] {
        let counted = work(&program, context);
        assert!((reported(context)..=reported(context) * 11 / 10).contains(&counted), "{counted} at {context}");
    }
}

#[test]
fn a_mixer_of_ones_own_works_on_the_past_once() {
    let text = include_str!("../model/homemade.arch");
    let program = step(text, &[]);
    let [short, long] = [512, 1024].map(|context| work(&program, context));
    // Two layers of five channels: one product for the age, at most one for the sum.
    let past = long - short;
    assert!((2 * 5 * 512..=2 * 5 * 512 * 2).contains(&past), "{past}\n{program}");
    let twice = work(&program, 2048) - long;
    assert_eq!(twice, 2 * past, "it grows with the context, not with its square");
}

#[test]
fn work_does_not_grow_with_layers_that_are_not_there() {
    let [two, four] = ["2", "4"].map(|layers| work(&step(&decoder(""), &[("layers", layers)]), 512));
    let head = 24 * 50;
    assert!(four - two >= two - head - 200 && four - two <= two - head, "{two} {four}");
}
