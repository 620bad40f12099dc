//! `generate` blocks: their compiled turns, and the runtime's loop over the derived step program, choose the ids that
//! the block itself, run by the interpreter turn by turn over whole sequences, chooses under the same draws.

use super::compiled::{self, graphs, model};
use archc::graph::{self, Graph, Op, Region};
use archc::interpret::{Data, Feed, run};
use archc::model::Model;
use archc::tensor::random::{self, Stream};
use archc::verify::Array;
use archc::verify::weights::random_weights;
use archc_runtime::generate::{Decoder, Given, Limits, Sampling, Session as Rows, Turns};
use archc_runtime::model::Loaded;
use std::ops::ControlFlow;
use std::rc::Rc;

const NEW: usize = 7;
const SEED: u64 = 41;

fn tiny(sampler: &str) -> Model {
    tiny_of(sampler, 19)
}

fn tiny_of(sampler: &str, tokens: usize) -> Model {
    model(&format!(
        "model Tiny {{\n  set layers = 2\n  dim t, d = 12, v = {tokens}\n  input ids[t] : v\n  param table[v, d]\n  x = table[v: ids]\n  \
         for i in layers {{\n    x += attn: gqa(norm1: rmsnorm(x), 4, 2, width = 6)\n    \
         x += ffn: swiglu(norm2: rmsnorm(x), 16)\n  }}\n  output logits = 2 * sum[d](norm: rmsnorm(x) * table)\n  \
         train next_token(self, ids)\n  generate {sampler}(self)\n}}\n"
    ))
}

fn prompts() -> Vec<Vec<u32>> {
    vec![vec![3, 1, 4, 1, 5], vec![9, 2], vec![6], vec![9, 2]]
}

/// The graph of the `generate` line, and the paths of its draws.
fn block(model: &Model) -> (Graph, Vec<String>) {
    let generate = model.generate.as_ref().expect("it has a generate line");
    let graph = graph::build(model, &generate.program, "generate");
    let mut paths = Vec::new();
    let mut regions: Vec<&Region> = vec![&graph.root];
    while let Some(region) = regions.pop() {
        for id in region.ids() {
            let node = region.node(id);
            regions.extend(node.bodies());
            if let Op::Draw(_, path) = &node.op {
                paths.push(path.clone());
            }
        }
    }
    (graph, paths)
}

/// Settings, and those that are not given as the block has them.
fn with_defaults<'s>(settings: &[(&'s str, f64)]) -> Vec<(&'s str, f64)> {
    let defaults = [("temperature", 1.0), ("top_k", 0.0), ("top_p", 1.0), ("min_p", 0.0)];
    let all = defaults.iter().chain(settings).chain(&[("new", NEW as f64), ("end", -1.0)]);
    all.copied().collect()
}

/// The ids that the block gives each prompt, by the interpreter.
fn interpreted(model: &Model, graph: &Graph, weights: &[Array], settings: &[(&str, f64)]) -> Vec<Vec<u32>> {
    let prompts = prompts();
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
    let padded = prompts.iter().flat_map(|prompt| (0..longest).map(|at| f64::from(*prompt.get(at).unwrap_or(&0))));
    let mut feed = Feed { seed: SEED, ..Feed::default() };
    feed.inputs.insert("prompt".into(), Data::new([prompts.len(), longest], padded.collect::<Vec<_>>()));
    feed.lengths.insert("p".into(), prompts.iter().map(Vec::len).collect());
    feed.sizes.insert("batch".into(), prompts.len());
    let settings = with_defaults(settings);
    feed.settings.extend(settings.iter().map(|(name, value)| (name.to_string(), *value)));
    for (parameter, array) in model.parameters.iter().zip(weights) {
        let data = Data::new(array.shape.clone(), array.data.clone());
        feed.parameters.insert(parameter.path.clone(), Rc::new(data));
    }
    let outputs = run(graph, &feed).unwrap_or_else(|fault| panic!("{fault}"));
    let (_, ids) = &outputs.all[0];
    let width = ids.numbers.len() / prompts.len();
    let row = |(row, prompt): (usize, &Vec<u32>)| {
        ids.numbers[row * width..][..prompt.len() + NEW].iter().map(|id| *id as u32).collect()
    };
    prompts.iter().enumerate().map(row).collect()
}

fn loaded(model: &Model, weights: &[Array]) -> Loaded {
    loaded_on(model, weights, 2)
}

fn loaded_on(model: &Model, weights: &[Array], threads: usize) -> Loaded {
    compiled::loaded(model, &graphs(model), weights, threads)
}

/// The ids that the runtime's loop gives each prompt, with the numbers that a draw of this path has in the block.
fn decoded(model: &Model, weights: &[Array], sampling: Sampling, path: Option<&String>) -> Vec<Vec<u32>> {
    let mut loaded = loaded(model, weights);
    let prompts = prompts();
    let decoder = Decoder::new(&mut loaded, prompts.len(), 16).expect("it decodes");
    let mut rows = Rows::new(decoder, sampling, SEED, &prompts).expect("good prompts");
    let draw = |row: usize, turn: u64| {
        let stream = path.map(|path| Stream::new(SEED, path, &[turn as usize]));
        stream.map_or(0.5, |stream| random::unit(stream.words(row, [])[0]))
    };
    let limits = Limits { new: NEW, end_tokens: Vec::new() };
    rows.generate_with(&limits, draw, |_, _| Ok(ControlFlow::Continue(()))).expect("generates");
    (0..prompts.len()).map(|row| rows.ids(row).to_vec()).collect()
}

/// The ids that compiled turns of the block give each prompt, rows numbered as in the interpreter.
fn turned(model: &Model, weights: &[Array], settings: &[(&str, f64)], threads: usize) -> Vec<Vec<u32>> {
    let mut loaded = loaded_on(model, weights, threads);
    let prompts = prompts();
    let settings = with_defaults(settings).into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    let turns = Turns::new(settings, SEED, (0..prompts.len() as u32).collect());
    let decoder = Decoder::choosing(&mut loaded, 16, Given::default(), turns).expect("it has turns");
    let mut rows = Rows::new(decoder, Sampling::default(), SEED, &prompts).expect("good prompts");
    let limits = Limits { new: NEW, end_tokens: Vec::new() };
    rows.generate(&limits, |_, _| Ok(ControlFlow::Continue(()))).expect("generates");
    (0..prompts.len()).map(|row| rows.ids(row).to_vec()).collect()
}

#[test]
fn a_turn_is_the_step_and_the_choice() {
    let model = tiny("greedy");
    let graphs = graphs(&model);
    let turn = graphs.turn.as_ref().expect("it has turns");
    turn.verify().expect("is sound");
    let optimized = archc::passes::optimize(turn.clone()).unwrap_or_else(|bug| panic!("{bug:?}"));
    insta::assert_snapshot!(graph::text::print(&optimized));
}

#[test]
fn compiled_turns_choose_what_the_block_chooses() {
    let all: [&[(&str, f64)]; 5] = [
        &[],
        &[("temperature", 1.5), ("top_p", 0.8)],
        &[("top_k", 5.0)],
        &[("temperature", 0.7), ("top_k", 9.0), ("top_p", 0.9), ("min_p", 0.05)],
        &[("temperature", 0.0)],
    ];
    // Few tokens are ranked by comparing each with each, many by sorting.
    for (sampler, tokens, all) in [("greedy", 19, &all[..1]), ("sample", 19, &all), ("sample", 259, &all[3..4])] {
        let model = tiny_of(sampler, tokens);
        let weights = random_weights(&model, 3);
        let (graph, _) = block(&model);
        for settings in all {
            let ids = interpreted(&model, &graph, &weights, settings);
            assert_eq!(turned(&model, &weights, settings, 2), ids, "{sampler} of {tokens}: {settings:?}");
        }
        assert_eq!(turned(&model, &weights, &[], 1), turned(&model, &weights, &[], 2), "{sampler}, one thread");
    }
}

#[test]
fn the_best_token_is_the_same_in_the_block_and_in_the_loop() {
    let model = tiny("greedy");
    let weights = random_weights(&model, 3);
    let (graph, paths) = block(&model);
    assert_eq!(paths, Vec::<String>::new());
    let ids = interpreted(&model, &graph, &weights, &[]);
    let greedy = Sampling { temperature: 0.0, ..Sampling::default() };
    assert_eq!(decoded(&model, &weights, greedy, None), ids);
    assert_eq!(ids[1], ids[3], "one prompt twice has one answer");
}

#[test]
fn drawn_tokens_are_the_same_in_the_block_and_in_the_loop() {
    let model = tiny("sample");
    let weights = random_weights(&model, 3);
    let (graph, paths) = block(&model);
    assert_eq!(paths.len(), 1, "{paths:?}");
    let mut answers = Vec::new();
    for (temperature, top_p) in [(1.0, 1.0), (1.5, 0.8), (0.6, 0.5)] {
        let ids = interpreted(&model, &graph, &weights, &[("temperature", temperature), ("top_p", top_p)]);
        let sampling = Sampling { temperature, top_p, ..Sampling::default() };
        assert_eq!(decoded(&model, &weights, sampling, paths.first()), ids, "{temperature} {top_p}");
        answers.push(ids);
    }
    assert_ne!(answers[0][1], answers[0][3], "rows draw for themselves");
    assert!(answers[0] != answers[1] && answers[1] != answers[2], "settings matter");
}

#[test]
fn other_draws_give_other_tokens() {
    let model = tiny("sample");
    let weights = random_weights(&model, 3);
    let elsewhere = "elsewhere".to_string();
    let (_, paths) = block(&model);
    let sampling = Sampling { temperature: 1.5, ..Sampling::default() };
    let own = decoded(&model, &weights, sampling, paths.first());
    assert_ne!(decoded(&model, &weights, sampling, Some(&elsewhere)), own);
}
