//! Runs of tokens that are judged at once: whatever drafts say, rows say what turns one by one say, draws included, and
//! good drafts make calls fewer. States that hold one thing for each position forget the rest of a run; others, a
//! recurrence or a ring, go back.

use super::compiled::{fail, loaded, model};
use archc::driver::{self, Session};
use archc::model::Model;
use archc::verify::Array;
use archc::verify::weights::random_weights;
use archc_runtime::error::Result;
use archc_runtime::generate::{Decoder, Draft, Given, Limits, Lookup, Runs, Session as Rows, Turns};
use archc_runtime::model::Loaded;
use std::ops::ControlFlow;

const NEW: usize = 13;
const SEED: u64 = 11;
const CONTEXT: usize = 24;

const RECURRENCE: &str = "  S[d] : f32 = 0\n  for t {\n    S = 0.6 * S + x\n    yield y = S\n  }\n  x += y\n";
const SHIFTS: &str = "  x += 0.5 * x[t: t - 2 else 0]\n";

/// A model with attention over `window` positions, whose input is mixed before.
fn tiny(sampler: &str, window: &str, mixed: &str) -> Model {
    model(&format!(
        "model Tiny {{\n  set layers = 2\n  dim t, d = 12, v = 19\n  input ids[t] : v\n  param table[v, d]\n  \
         x = table[v: ids]\n{mixed}  for i in layers {{\n    \
         x += attn: gqa(norm1: rmsnorm(x), 4, 2, width = 6, window = {window})\n    \
         x += ffn: swiglu(norm2: rmsnorm(x), 16)\n  }}\n  output logits = 2 * sum[d](norm: rmsnorm(x) * table)\n  \
         generate {sampler}(self)\n}}\n"
    ))
}

fn prompts() -> Vec<Vec<u32>> {
    vec![vec![3, 1, 4, 1, 5], vec![9, 2], vec![6], vec![9, 2]]
}

fn with_runs(model: &Model, weights: &[Array]) -> Loaded {
    let mut session = Session::new(None);
    session.speculate = true;
    let graphs = driver::graphs(model, &mut session).unwrap_or_else(|failure| fail(&failure));
    let run = graphs.run.as_ref().expect("it judges runs");
    run.verify().expect("is sound");
    loaded(model, &graphs, weights, 2)
}

fn turns(chosen: &[(&str, f64)]) -> Turns {
    let defaults = [("temperature", 1.0), ("top_k", 0.0), ("top_p", 1.0), ("min_p", 0.0), ("repetition_penalty", 1.0)];
    let all = chosen.iter().chain(&[("new", NEW as f64), ("end", -1.0)]).chain(&defaults);
    let mut settings: Vec<(String, f64)> = Vec::new();
    for (name, value) in all {
        if !settings.iter().any(|(known, _)| known == name) {
            settings.push((name.to_string(), *value));
        }
    }
    Turns::new(settings, SEED, (0..prompts().len() as u32).collect())
}

fn limits() -> Limits {
    Limits { new: NEW, end_tokens: Vec::new() }
}

/// What turns one by one say.
fn one_by_one(loaded: &mut Loaded, chosen: &[(&str, f64)]) -> Vec<Vec<u32>> {
    let decoder = Decoder::choosing(loaded, CONTEXT, Given::default(), turns(chosen)).expect("it has turns");
    let mut rows = Rows::new(decoder, &prompts()).expect("good prompts");
    rows.generate(&limits(), |_, _| Ok(ControlFlow::Continue(()))).expect("generates");
    (0..prompts().len()).map(|row| rows.ids(row).to_vec()).collect()
}

/// What runs say, and in how many calls.
fn in_runs(loaded: &mut Loaded, chosen: &[(&str, f64)], draft: &mut dyn Draft, most: usize) -> (Vec<Vec<u32>>, usize) {
    let lengths = prompts().iter().map(Vec::len).collect();
    let decoder = Decoder::judging(loaded, CONTEXT, Given::default(), (turns(chosen), lengths)).expect("it has runs");
    let mut runs = Runs::new(decoder, &prompts()).expect("good prompts");
    runs.generate(&limits(), draft, most, |_, _| Ok(ControlFlow::Continue(()))).expect("generates");
    ((0..prompts().len()).map(|row| runs.ids(row).to_vec()).collect(), runs.calls())
}

/// Knows what will be said, and is wrong at every `wrong`-th position.
struct Oracle {
    said: Vec<Vec<u32>>,
    wrong: usize,
}

impl Draft for Oracle {
    fn guess(&mut self, row: usize, text: &[u32], most: usize) -> Result<Vec<u32>> {
        let rest = self.said[row].iter().enumerate().skip(text.len()).take(most);
        Ok(rest.map(|(at, id)| if at % self.wrong == 0 { (id + 1) % 19 } else { *id }).collect())
    }
}

/// Another model, which takes its best token.
struct Other(Loaded);

impl Draft for Other {
    fn guess(&mut self, _: usize, text: &[u32], most: usize) -> Result<Vec<u32>> {
        let mut decoder = Decoder::new(&mut self.0, 1, CONTEXT + most)?;
        let (mut said, mut next) = (Vec::new(), text.to_vec());
        while said.len() < most {
            decoder.feed(&[&next])?;
            let scores = decoder.scores(0).iter().enumerate();
            let best = scores.max_by(|(_, left), (_, right)| left.total_cmp(right)).map_or(0, |(id, _)| id as u32);
            said.push(best);
            next = vec![best];
        }
        Ok(said)
    }
}

#[test]
fn runs_say_what_turns_say() {
    let all: [(&str, &[(&str, f64)]); 3] = [
        ("greedy", &[]),
        ("sample", &[("temperature", 0.0), ("repetition_penalty", 1.5)]),
        ("sample", &[("temperature", 0.9), ("top_k", 7.0)]),
    ];
    for (window, mixed) in [("inf", ""), ("3", ""), ("inf", RECURRENCE), ("inf", SHIFTS)] {
        for (sampler, chosen) in all {
            let model = tiny(sampler, window, mixed);
            let weights = random_weights(&model, 3);
            let mut loaded = with_runs(&model, &weights);
            let said = one_by_one(&mut loaded, chosen);
            let what = format!("{sampler} {chosen:?}, window {window}, mixed by `{mixed}`");
            assert_eq!(in_runs(&mut loaded, chosen, &mut Lookup { alike: 2 }, 4).0, said, "{what}");
            for (wrong, most) in [(usize::MAX, 4), (3, 4), (1, 2)] {
                let (runs, calls) = in_runs(&mut loaded, chosen, &mut Oracle { said: said.clone(), wrong }, most);
                assert_eq!(runs, said, "{what}: a draft that is wrong at every {wrong}th");
                let fewest = if wrong == usize::MAX { NEW.div_ceil(most + 1) } else { 1 };
                let most = if wrong == usize::MAX { fewest } else { NEW };
                assert!((fewest..=most).contains(&calls), "{what}: {calls} calls");
            }
        }
    }
}

#[test]
fn a_draft_model_of_other_weights_changes_nothing() {
    let model = tiny("greedy", "inf", "");
    let weights = random_weights(&model, 3);
    let mut judge = with_runs(&model, &weights);
    let said = one_by_one(&mut judge, &[]);
    for seed in [3, 4] {
        let mut draft = Other(with_runs(&model, &random_weights(&model, seed)));
        let (runs, calls) = in_runs(&mut judge, &[], &mut draft, 3);
        assert_eq!(runs, said);
        // The same weights guess everything.
        assert!(seed != 3 || calls == NEW.div_ceil(4), "{calls} calls");
    }
}
