//! Models that read a source while they write: their compiled turns say what the published code said, and what the
//! block itself says by the interpreter, alone and side by side with sources of other lengths.

use super::compiled::{graphs, loaded};
use archc::derive;
use archc::driver::{self, Request, Session, find_family};
use archc::interpret::{Data, Feed, run};
use archc::model::Model;
use archc::verify::layout::parameters_of;
use archc::verify::{Array, Case};
use archc_runtime::generate::{Decoder, Given, Limits, Session as Rows, Turns};
use archc_runtime::model::Loaded;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::rc::Rc;

const SEED: u64 = 5;

/// A case of the repository, its model with a sampler, and its weights.
pub fn known(name: &str, sampler: Option<&str>) -> (Case, Model, Vec<Array>) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracles").join(name);
    let case = Case::read(&folder).expect("a case of the repository");
    let file = find_family(case.architecture(), &[name]).expect("there is a map");
    let settings = sampler.map(|sampler| ("sampler".to_string(), sampler.to_string())).into_iter().collect();
    let request = Request { file, settings, config: Some(case.config_file()), model: None };
    let model = driver::check(&request, &mut Session::default()).expect("a model of the repository");
    let weights = parameters_of(&model, &model.weights[0], &case.weights).expect("they fit");
    (case, model, weights)
}

fn settings(chosen: &[(&str, f64)]) -> Vec<(String, f64)> {
    let defaults = [("temperature", 1.0), ("top_k", 0.0), ("top_p", 1.0), ("min_p", 0.0), ("repetition_penalty", 1.0)];
    let search = [("beams", 1.0), ("length_penalty", 1.0), ("end", -1.0)];
    let known = |name: &str| chosen.iter().any(|(own, _)| *own == name);
    let rest = defaults.iter().chain(&search).filter(|(name, _)| !known(name));
    chosen.iter().chain(rest).map(|(name, value)| (name.to_string(), *value)).collect()
}

fn value(settings: &[(String, f64)], name: &str) -> f64 {
    settings.iter().find(|(own, _)| own == name).expect("is set").1
}

/// What turns say after `start` to each source.
fn turned(loaded: &mut Loaded, sources: &[Vec<u32>], start: u32, settings: &[(String, f64)]) -> Vec<Vec<u32>> {
    let new = value(settings, "new") as usize;
    let mut given = Given::default();
    sources.iter().for_each(|source| given.add("source".into(), source.clone()));
    let turns = Turns::new(settings.to_vec(), SEED, (0..sources.len() as u32).collect());
    let decoder = Decoder::choosing(loaded, 1 + new, given, turns).expect("it has turns");
    let prompts = vec![vec![start]; sources.len()];
    let mut rows = Rows::new(decoder, &prompts).expect("good prompts");
    let limits = Limits { new, end_tokens: Vec::new() };
    rows.generate(&limits, |_, _| Ok(ControlFlow::Continue(()))).expect("generates");
    (0..sources.len()).map(|row| rows.ids(row)[1..].to_vec()).collect()
}

/// What the block says by the interpreter.
fn interpreted(model: &Model, weights: &[Array], sources: &[Vec<u32>], settings: &[(String, f64)]) -> Vec<Vec<u32>> {
    let start = model.generate.as_ref().and_then(|generate| generate.inputs[0].default);
    let start = start.expect("rows begin with a token");
    let (rows, longest) = (sources.len(), sources.iter().map(Vec::len).max().unwrap_or(0));
    let mut feed = Feed { seed: SEED, ..Feed::default() };
    let padded = sources.iter().flat_map(|row| (0..longest).map(|at| f64::from(*row.get(at).unwrap_or(&0))));
    feed.inputs.insert("source".into(), Data::new([rows, longest], padded.collect::<Vec<_>>()));
    feed.inputs.insert("shown".into(), Data::new([rows, longest], vec![1.0; rows * longest]));
    feed.inputs.insert("prompt".into(), Data::new([rows, 1], vec![start; rows]));
    feed.lengths.insert("s".into(), sources.iter().map(Vec::len).collect());
    feed.lengths.insert("p".into(), vec![1; rows]);
    feed.sizes.insert("batch".into(), rows);
    said(model, weights, feed, settings)
}

/// The ids of each row that the block gives to what is fed, by the interpreter.
fn said(model: &Model, weights: &[Array], mut feed: Feed, settings: &[(String, f64)]) -> Vec<Vec<u32>> {
    let generate = model.generate.as_ref().expect("it generates");
    let graph = derive::build(model, &generate.program, "generate");
    let rows = feed.sizes["batch"];
    feed.settings.extend(settings.iter().cloned());
    for (parameter, array) in model.parameters.iter().zip(weights) {
        let data = Data::new(array.shape.clone(), array.data.clone());
        feed.parameters.insert(parameter.path.clone(), Rc::new(data));
    }
    let outputs = run(&graph, &feed).unwrap_or_else(|fault| panic!("{fault}"));
    let (_, ids) = &outputs.all[0];
    let row = |row: &[f64]| row.iter().take_while(|id| **id >= 0.0).map(|id| *id as u32).collect();
    ids.numbers.chunks(ids.numbers.len() / rows).map(row).collect()
}

/// The sources of a case, and what the published code said to each after its first token.
fn published(case: &Case) -> (Vec<Vec<u32>>, u32, Vec<Vec<u32>>) {
    let rows = |name: &str| {
        let array = &case.tensors[name];
        let row = |row: &[f64]| row.iter().map(|id| *id as u32).collect::<Vec<_>>();
        array.data.chunks(array.shape[1]).map(row).collect::<Vec<_>>()
    };
    let (sources, ids) = (rows("decode_prompt"), rows("decode_ids"));
    let start = ids[0][0];
    (sources, start, ids.into_iter().map(|row| row[1..].to_vec()).collect())
}

#[test]
fn greedy_turns_say_what_the_published_code_said() {
    for name in ["t5", "bart"] {
        for (sampler, chosen) in [("sample", ("temperature", 0.0)), ("beam", ("beams", 1.0))] {
            let (case, model, weights) = known(name, Some(sampler));
            let (sources, start, said) = published(&case);
            assert_eq!(model.generate.as_ref().and_then(|own| own.inputs[0].default), Some(f64::from(start)));
            let graphs = graphs(&model);
            assert!(graphs.turn_begin.is_some(), "the source is read once");
            let mut loaded = loaded(&model, &graphs, &weights, 2);
            let settings = settings(&[chosen, ("new", said[0].len() as f64)]);
            assert_eq!(turned(&mut loaded, &sources, start, &settings), said, "{name} {sampler}");
        }
    }
}

#[test]
fn turns_over_sources_of_other_lengths_say_what_the_block_says() {
    for name in ["t5", "bart"] {
        for (sampler, chosen) in [("sample", vec![("top_k", 6.0)]), ("beam", vec![("beams", 3.0), ("end", 7.0)])] {
            let (case, model, weights) = known(name, Some(sampler));
            let (sources, start, _) = published(&case);
            let own = &sources[0];
            let sources = [own.clone(), own[2..7].to_vec(), own[3..10].to_vec()];
            let mut loaded = loaded(&model, &graphs(&model), &weights, 2);
            let settings = settings(&[chosen.as_slice(), &[("new", 6.0)]].concat());
            let mut said = interpreted(&model, &weights, &sources, &settings);
            if sampler == "sample" {
                said = said.into_iter().map(|row| row[1..].to_vec()).collect();
            }
            assert_eq!(turned(&mut loaded, &sources, start, &settings), said, "{name} {sampler}");
            let alone = turned(&mut loaded, &sources[..1], start, &settings);
            assert_eq!(alone[0], said[0], "{name} {sampler} alone");
        }
    }
}

/// Rows of which the first positions see each other: those are read at once, then turns go on one by one.
#[test]
fn a_prefix_is_read_whole_before_turns_go_on() {
    let (_, model, weights) = known("prefix_lm", None);
    let mut loaded = loaded(&model, &graphs(&model), &weights, 2);
    let settings = settings(&[("temperature", 0.7), ("new", 5.0)]);
    let prompts = vec![vec![3, 1, 4, 1, 5, 9], vec![2, 7, 1, 8]];
    for prefix in [0, 2, 4] {
        let mut feed = Feed { seed: SEED, ..Feed::default() };
        let padded = prompts.iter().flat_map(|row| (0..6).map(|at| f64::from(*row.get(at).unwrap_or(&0))));
        feed.inputs.insert("prompt".into(), Data::new([2, 6], padded.collect::<Vec<_>>()));
        feed.inputs.insert("prefix".into(), Data::new([2], vec![f64::from(prefix); 2]));
        feed.lengths.insert("p".into(), prompts.iter().map(Vec::len).collect());
        feed.sizes.insert("batch".into(), 2);
        let said = said(&model, &weights, feed, &settings);
        let given = Given(vec![("prefix".into(), vec![vec![prefix]])]);
        let turns = Turns::new(settings.clone(), SEED, vec![0, 1]);
        let decoder = Decoder::choosing(&mut loaded, 11, given, turns).expect("it has turns");
        let mut rows = Rows::new(decoder, &prompts).expect("good prompts");
        let limits = Limits { new: 5, end_tokens: Vec::new() };
        rows.generate(&limits, |_, _| Ok(ControlFlow::Continue(()))).expect("generates");
        for (row, said) in said.iter().enumerate() {
            assert_eq!(rows.ids(row), &said[..prompts[row].len() + 5], "a prefix of {prefix}");
        }
    }
    let given = Given(vec![("prefix".into(), vec![vec![5]])]);
    let mut decoder = Decoder::with(&mut loaded, 2, 11, given).expect("it decodes");
    let fault = decoder.feed(&[&prompts[0], &prompts[1]]).expect_err("the second row is too short");
    assert!(fault.to_string().contains("the first 5 tokens are read as a whole"), "{fault}");
}
