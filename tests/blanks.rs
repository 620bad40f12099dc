//! Turns that read the position which they write: a model that guesses what a mask hides writes token by token, each turn
//! computes its newest token and one mask, and the ids are those of the block over whole sequences.

use super::compiled::{fail, loaded, model};
use super::generation::prompted;
use super::sources::known;
use archc::derive;
use archc::driver::{self, Failure, Graphs, Session};
use archc::interpret::{Data, run};
use archc::model::Model;
use archc::verify::Array;
use archc::verify::weights::random_weights;
use archc_runtime::generate::{Decoder, Given, Limits, Session as Rows, Turns};
use archc_runtime::model::Loaded;
use std::ops::ControlFlow;

const NEW: usize = 9;
const SEED: u64 = 7;

/// Attention to the first `prefix` positions and to what is before, in a window or not, with learned positions.
fn tiny(more: &str, window: &str) -> String {
    format!(
        "model Tiny {{\n  set layers = 2\n  dim t, d = 12, v = 19, n = 64, h = 2, k = 5, s like t\n  \
         input ids[t] : v, prefix : int = 0\n  param table[v, d], places[n, d]\n  \
         x = table[v: ids] + places[n: t]\n  near[t, s] = max(t, prefix - 1) - s >= 0{window}\n{more}  \
         for i in layers {{\n    z = norm1: rmsnorm(x)\n    x += attn: mha(z, z[t: s], near)\n    \
         x += ffn: mlp(norm2: rmsnorm(x), 16, gelu)\n  }}\n  \
         output logits = 2 * sum[d](norm: rmsnorm(x) * table)\n  \
         generate sample_hidden(self(_, prefix), mask = |v| - 1)\n}}\n"
    )
}

fn prompts() -> Vec<Vec<u32>> {
    vec![vec![3, 1, 4, 1, 5], vec![9, 2], vec![6, 5, 3], vec![9, 2]]
}

fn settings(model: &Model, chosen: &[(&str, f64)], new: usize) -> Vec<(String, f64)> {
    let generate = model.generate.as_ref().expect("it generates");
    let fixed = [("new", new as f64), ("end", -1.0), ("top_p", 1.0), ("temperature", 1.0), ("repetition_penalty", 1.0)];
    let value = |name: &str| chosen.iter().chain(&fixed).find(|(own, _)| *own == name).map_or(0.0, |(_, value)| *value);
    generate.settings.iter().map(|(name, _)| (name.clone(), value(name))).collect()
}

/// What compiled turns say.
fn turned(
    model: &Model,
    loaded: &mut Loaded,
    (prompts, prefixes): (&[Vec<u32>], &[u32]),
    chosen: &[(&str, f64)],
    new: usize,
) -> Vec<Vec<u32>> {
    let mut given = Given::default();
    prefixes.iter().for_each(|prefix| given.add("prefix".into(), vec![*prefix]));
    let turns = Turns::new(settings(model, chosen, new), SEED, (0..prompts.len() as u32).collect());
    let decoder = Decoder::choosing(loaded, 48, given, turns).expect("it has turns");
    let mut rows = Rows::new(decoder, prompts).expect("good prompts");
    let limits = Limits { new, end_tokens: Vec::new() };
    rows.generate(&limits, |_, _| Ok(ControlFlow::Continue(()))).expect("generates");
    (0..prompts.len()).map(|row| rows.ids(row).to_vec()).collect()
}

/// What the block says, by the interpreter over whole sequences.
fn interpreted(
    model: &Model,
    weights: &[Array],
    (prompts, prefixes): (&[Vec<u32>], &[u32]),
    chosen: &[(&str, f64)],
    new: usize,
) -> Vec<Vec<u32>> {
    let graph = derive::build(model, &model.generate.as_ref().expect("it generates").program, "generate");
    let mut feed = prompted(model, weights, prompts, SEED);
    let prefixes = prefixes.iter().map(|prefix| f64::from(*prefix)).collect::<Vec<_>>();
    feed.inputs.insert("prefix".into(), Data::new([prompts.len()], prefixes));
    feed.settings.extend(settings(model, chosen, new));
    let outputs = run(&graph, &feed).unwrap_or_else(|fault| panic!("{fault}"));
    let numbers = &outputs.all[0].1.numbers;
    let rows = numbers.chunks(numbers.len() / prompts.len()).zip(prompts);
    rows.map(|(row, prompt)| row[..prompt.len() + new].iter().map(|id| *id as u32).collect()).collect()
}

fn graphs(model: &Model) -> Graphs {
    driver::graphs(model, &mut Session::default()).unwrap_or_else(|failure| fail(&failure))
}

#[test]
fn what_a_mask_hides_is_said_token_by_token() {
    let all: [&[(&str, f64)]; 3] =
        [&[("temperature", 0.0)], &[("temperature", 0.0), ("repetition_penalty", 1.6)], &[("temperature", 0.9)]];
    // What is read two positions back is kept for the turn that writes the mask's position again.
    let shifts = "  x += 0.5 * x[t: t - 2 else 0]\n";
    for (mixed, window) in [("", ""), ("", " and t - s < 3"), (shifts, "")] {
        let model = model(&tiny(mixed, window));
        let mask = f64::from(18_u8);
        let weights = random_weights(&model, 3);
        let graphs = graphs(&model);
        let turn = graphs.turn.as_ref().expect("it has turns");
        turn.verify().expect("is sound");
        let mut loaded = loaded(&model, &graphs, &weights, 2);
        for prefixes in [[5, 2, 1, 0], [0, 0, 0, 0]] {
            // In a window nothing is read ahead.
            if !window.is_empty() && prefixes[0] > 0 {
                continue;
            }
            for chosen in all {
                let chosen = [chosen, &[("mask", mask)]].concat();
                let rows = prompts();
                let said = turned(&model, &mut loaded, (&rows, &prefixes), &chosen, NEW);
                let expected = interpreted(&model, &weights, (&rows, &prefixes), &chosen, NEW);
                assert_eq!(said, expected, "`{mixed}`, window `{window}`, prefixes {prefixes:?}, {chosen:?}");
            }
        }
    }
}

#[test]
fn a_mask_that_a_recurrence_would_carry_on_is_refused_by_its_place() {
    let carried = "  S[d] : f32 = 0\n  for t {\n    S = 0.6 * S + x\n    yield y = S\n  }\n  x += y\n";
    let graphs = graphs(&model(&tiny(carried, "")));
    assert!(graphs.turn.is_none());
    let why = graphs.whole.expect("it says why").to_string();
    assert!(why.contains("a recurrence would carry on what it has read"), "{why}");
}

#[test]
fn drafts_of_what_a_mask_hides_are_refused() {
    let mut session = Session::new(None);
    session.speculate = true;
    match driver::graphs(&model(&tiny("", "")), &mut session) {
        Err(Failure::Fault(fault)) => assert!(format!("{fault:?}").contains("reads the position that it writes")),
        other => panic!("{other:?}"),
    }
}

/// UniLM with published weights of the reference case: a source, seen in both directions, and a target after it.
#[test]
fn a_published_model_writes_its_target_behind_the_source() {
    let (case, model, weights) = known("unilm", None);
    let prefixes = case.tensors["prefix_len"].data.iter().map(|length| *length as u32).collect::<Vec<_>>();
    let ids = &case.tensors["input_ids"];
    let rows = ids.data.chunks(ids.shape[1]).zip(&prefixes);
    let rows = rows.map(|(row, prefix)| row[..*prefix as usize].iter().map(|id| *id as u32).collect::<Vec<_>>());
    let rows = rows.collect::<Vec<_>>();
    let mut loaded = loaded(&model, &graphs(&model), &weights, 2);
    let chosen = [("temperature", 0.0), ("mask", 4.0)];
    let said = turned(&model, &mut loaded, (&rows, &prefixes), &chosen, NEW);
    assert_eq!(said, interpreted(&model, &weights, (&rows, &prefixes), &chosen, NEW));
    assert_ne!(said[0][rows[0].len()..], said[1][rows[1].len()..], "each row says something of its own");
}
