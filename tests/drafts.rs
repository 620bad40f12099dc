//! Drafts that a sampler makes itself, from a second output of its model: what the text is stays what it is without them,
//! what they are is what the block says of each turn, and the model runs once for both.

use super::compiled::{fail, loaded, model_with};
use super::generation::prompted;
use super::sources::known;
use archc::derive;
use archc::driver::{self, Failure, Graphs, Session};
use archc::graph::{self, Graph, Op};
use archc::interpret::run;
use archc::model::Model;
use archc::verify::Array;
use archc::verify::weights::random_weights;
use archc_runtime::generate::{Decoder, Given, Judgement, Limits, Lookup, Runs, Session as Rows, Turns};
use archc_runtime::model::Loaded;
use std::ops::ControlFlow;

const NEW: usize = 11;
const SEED: u64 = 23;
const CONTEXT: usize = 32;

/// A model that looks one token further with a layer of its own, over attention in a window and a recurrence or not.
const TINY: &str = "model Tiny {
  set layers = 2, window = inf, mixed = false
  dim t, d = 12, v = 19, c like d
  input ids[t] : v
  param table[v, d], wa[d, c], wb[d, c]
  x = table[v: ids]
  match mixed { true => { x += mix: faded(x) }, false => {} }
  for i in layers {
    x += attn: gqa(norm1: rmsnorm(x), 4, 2, width = 6, window = window)
    x += ffn: swiglu(norm2: rmsnorm(x), 16)
  }
  last = norm: rmsnorm(x)
  output logits = 2 * sum[d](last * table)
  z = (sum[d](table[v: ids[t: t + 1]] * wa) + sum[d](last * wb))[c: d]
  z += own: gqa(norm3: rmsnorm(z), 4, 2, width = 6, window = window)
  output guess = 2 * sum[d](norm4: rmsnorm(z) * table)
  generate sample_ahead(self.logits, self.guess)
}
block faded(x[t, d]) -> [t, d] {
  S[d] : f32 = 0
  for t {
    S = 0.6 * S + x
    yield y = S
  }
  return y
}
";

/// One that knows from a token which is the next, and looks as far ahead as that goes; or is always wrong there.
fn chain(sign: &str) -> String {
    format!(
        "model Chain {{\n  dim t, v = 19, u like v\n  input ids[t] : v\n  param after[u, v]\n  \
         output logits = (after[u: ids] else 0)\n  output guess = {sign}(after[u: ids[t: t + 1]] else 0)\n  \
         generate sample_ahead(self.logits, self.guess)\n}}\n"
    )
}

fn prompts() -> Vec<Vec<u32>> {
    vec![vec![3, 1, 4, 1, 5, 9, 2], vec![9, 2], vec![6], vec![9, 2]]
}

fn speculating(model: &Model) -> Graphs {
    let mut session = Session::new(None);
    session.speculate = true;
    driver::graphs(model, &mut session).unwrap_or_else(|failure| fail(&failure))
}

fn turns(model: &Model, chosen: &[(&str, f64)], rows: usize) -> Turns {
    let generate = model.generate.as_ref().expect("it generates");
    let fixed = [("new", NEW as f64), ("end", -1.0)];
    let default = |name: &str| match name {
        "temperature" | "top_p" | "repetition_penalty" => 1.0,
        _ => 0.0,
    };
    let value = |name: &str| chosen.iter().chain(&fixed).find(|(own, _)| *own == name).map(|(_, value)| *value);
    let settings =
        generate.settings.iter().map(|(name, _)| (name.clone(), value(name).unwrap_or_else(|| default(name))));
    Turns::new(settings.collect(), SEED, (0..rows as u32).collect())
}

fn limits() -> Limits {
    Limits { new: NEW, end_tokens: Vec::new() }
}

/// What turns one by one say.
fn one_by_one(model: &Model, loaded: &mut Loaded, chosen: &[(&str, f64)]) -> Vec<Vec<u32>> {
    let prompts = prompts();
    let decoder = Decoder::choosing(loaded, CONTEXT, Given::default(), turns(model, chosen, prompts.len()));
    let mut rows = Rows::new(decoder.expect("it has turns"), &prompts).expect("good prompts");
    rows.generate(&limits(), |_, _| Ok(ControlFlow::Continue(()))).expect("generates");
    (0..prompts.len()).map(|row| rows.ids(row).to_vec()).collect()
}

fn judging<'m>(model: &Model, loaded: &'m mut Loaded, chosen: &[(&str, f64)], prompts: &[Vec<u32>]) -> Decoder<'m> {
    let lengths = prompts.iter().map(Vec::len).collect();
    let turns = turns(model, chosen, prompts.len());
    Decoder::judging(loaded, CONTEXT, Given::default(), (turns, lengths)).expect("it has runs")
}

/// What runs say with drafts of up to `most` tokens; how many calls they took, and how many drafted tokens stood.
fn in_runs(model: &Model, loaded: &mut Loaded, chosen: &[(&str, f64)], most: usize) -> (Vec<Vec<u32>>, usize, usize) {
    let prompts = prompts();
    let mut runs = Runs::new(judging(model, loaded, chosen, &prompts), &prompts).expect("good prompts");
    let mut draft = Lookup { alike: 2 };
    runs.generate(&limits(), &mut draft, most, |_, _| Ok(ControlFlow::Continue(()))).expect("generates");
    ((0..prompts.len()).map(|row| runs.ids(row).to_vec()).collect(), runs.calls(), runs.judged().1)
}

/// What the block says of each row, by the interpreter: its text, and the draft of each turn.
fn interpreted(model: &Model, weights: &[Array], chosen: &[(&str, f64)]) -> (Vec<Vec<u32>>, Vec<Vec<i64>>) {
    let generate = model.generate.as_ref().expect("it generates");
    let graph = derive::build(model, &generate.program, "generate");
    let prompts = prompts();
    let mut feed = prompted(model, weights, &prompts, SEED);
    feed.settings.extend(turns(model, chosen, prompts.len()).settings);
    let outputs = run(&graph, &feed).unwrap_or_else(|fault| panic!("{fault}"));
    let rows = |place: usize| {
        let numbers = &outputs.all[place].1.numbers;
        numbers.chunks(numbers.len() / prompts.len()).map(<[f64]>::to_vec).collect::<Vec<_>>()
    };
    let texts = rows(0).into_iter().zip(&prompts);
    let texts = texts.map(|(row, prompt)| row[..prompt.len() + NEW].iter().map(|id| *id as u32).collect());
    (texts.collect(), rows(1).iter().map(|row| row.iter().map(|id| *id as i64).collect()).collect())
}

#[test]
fn drafts_change_no_text_and_are_what_the_block_says_of_each_turn() {
    let all: [&[(&str, f64)]; 3] = [
        &[("temperature", 0.0)],
        &[("temperature", 0.0), ("repetition_penalty", 1.5)],
        &[("temperature", 0.9), ("top_k", 7.0)],
    ];
    for (window, mixed) in [("inf", "false"), ("3", "false"), ("inf", "true")] {
        let model = model_with(TINY, &[("window", window), ("mixed", mixed)]);
        let weights = random_weights(&model, 5);
        let mut loaded = loaded(&model, &speculating(&model), &weights, 2);
        for chosen in all {
            let what = format!("{chosen:?}, window {window}, mixed {mixed}");
            let (said, drafts) = interpreted(&model, &weights, chosen);
            assert_eq!(one_by_one(&model, &mut loaded, chosen), said, "{what}");
            for most in [1, 3] {
                assert_eq!(in_runs(&model, &mut loaded, chosen, most).0, said, "{what}, drafts of {most}");
            }
            // Each whole text is a prompt now: all but the last id have a follower that is settled.
            let texts = said.iter().map(|text| text[..text.len() - 1].to_vec()).collect::<Vec<_>>();
            let judged = judged_in_pieces(&model, &mut loaded, chosen, &texts);
            for (row, prompt) in prompts().iter().enumerate() {
                let expected = drafts[row].iter().map(|draft| u32::try_from(*draft).ok()).collect::<Vec<_>>();
                let own = judged[row][prompt.len() - 1..].iter().map(|one| one.draft).collect::<Vec<_>>();
                // The last turn's choice is none of the prompt: it is drawn for another turn there.
                assert_eq!(own[..NEW - 1], expected[..NEW - 1], "{what}, row {row}");
            }
        }
    }
}

/// What a run says at every position of texts that are prompts.
fn judged_in_pieces(
    model: &Model,
    loaded: &mut Loaded,
    chosen: &[(&str, f64)],
    texts: &[Vec<u32>],
) -> Vec<Vec<Judgement>> {
    let mut decoder = judging(model, loaded, chosen, texts);
    decoder.feed(&texts.iter().map(Vec::as_slice).collect::<Vec<_>>()).expect("has room");
    (0..texts.len()).map(|row| decoder.run(row).to_vec()).collect()
}

#[test]
fn drafts_that_are_right_halve_the_calls_and_wrong_ones_are_taken_back() {
    for (sign, calls) in [("", NEW.div_ceil(2)..=NEW.div_ceil(2) + 1), ("-", NEW..=NEW)] {
        let model = model_with(&chain(sign), &[]);
        let mut loaded = loaded(&model, &speculating(&model), &random_weights(&model, 2), 2);
        let chosen = [("temperature", 0.0)];
        let said = one_by_one(&model, &mut loaded, &chosen);
        let (runs, own, accepted) = in_runs(&model, &mut loaded, &chosen, 1);
        assert_eq!(runs, said);
        assert!(calls.contains(&own), "`{sign}`: {own} calls");
        let wanted = if sign.is_empty() { prompts().len() * (NEW - *calls.end()) } else { 0 };
        assert!(accepted >= wanted && (accepted > 0) == sign.is_empty(), "`{sign}`: {accepted} stood");
    }
}

/// How many `for`s and products a program has at its top.
fn work(graph: &Graph) -> (usize, usize) {
    let count = |wanted: &dyn Fn(&Op) -> bool| {
        graph.root.ids().into_iter().filter(|id| wanted(&graph.root.node(*id).op)).count()
    };
    (count(&|op| matches!(op, Op::For(_))), count(&|op| matches!(op, Op::Contract(_))))
}

#[test]
fn the_model_runs_once_for_choice_and_draft() {
    let with = model_with(TINY, &[]);
    let without = model_with(&TINY.replace("sample_ahead(self.logits, self.guess)", "sample(self.logits)"), &[]);
    let run = |model: &Model| {
        let run = speculating(model).run.expect("it judges runs");
        run.verify().expect("is sound");
        archc::passes::optimize(run).unwrap_or_else(|bug| panic!("{bug:?}")).into_inner()
    };
    let (with, without) = (run(&with), run(&without));
    assert_eq!(work(&with).0, work(&without).0, "the layers stand there once");
    // The layer that looks ahead, with its two ways in and its way out: eight products, and no second trunk.
    let more = work(&with).1 - work(&without).1;
    assert!((3..=9).contains(&more), "{more} products more");
    // Its own keys and values, and what was kept is kept.
    assert_eq!(states(&with).len(), states(&without).len() + 2, "{:?}", states(&with));
    assert_eq!(states(&with)[..states(&without).len()], states(&without));
}

/// What a program keeps: the axes of each state.
fn states(graph: &Graph) -> Vec<String> {
    let named = graph.outputs.iter().zip(graph.root.results.iter().flatten());
    let states = named.filter(|(name, _)| name.starts_with("state."));
    let axes = |value: &graph::Value| graph.root.typed(*value).ty.axes.clone();
    let text = |value| axes(value).iter().map(|axis| graph.axes[*axis].name.as_str()).collect::<Vec<_>>().join(" ");
    states.map(|(_, value)| text(value)).collect()
}

#[test]
fn a_turn_without_drafts_asks_for_none() {
    let model = model_with(TINY, &[]);
    let graphs = speculating(&model);
    let turn = graphs.turn.expect("it has turns");
    assert!(!turn.outputs.iter().any(|name| name == "draft"), "{:?}", turn.outputs);
    assert!(graphs.run.expect("it judges runs").outputs.iter().any(|name| name == "draft"));
}

#[test]
fn what_a_draft_would_have_to_read_of_the_new_position_is_refused_by_its_place() {
    let refused = |from: &str, to: &str| {
        let text = TINY.replace(from, to);
        assert_ne!(text, TINY);
        let mut session = Session::new(None);
        session.speculate = true;
        match driver::graphs(&model_with(&text, &[]), &mut session) {
            Err(Failure::Fault(fault)) => format!("{fault:?}"),
            other => panic!("{other:?}"),
        }
    };
    let message = refused("sum[d](last * wb)", "sum[d](last[t: t + 1] * wb)");
    assert!(message.contains("reads more of the new position than its token"), "{message}");
    let message = refused("ids[t: t + 1]", "ids[t: t + 2]");
    assert!(message.contains("further than one position ahead"), "{message}");
}

/// The published module's logits, given what follows, have their best where a run of the same text drafts.
#[test]
fn a_module_that_predicts_the_token_after_the_next_drafts_it() {
    let (case, model, weights) = known("deepseek_v3_mtp", None);
    let mut loaded = loaded(&model, &speculating(&model), &weights, 2);
    let greedy = [("temperature", 0.0)];
    let ids = &case.tensors["input_ids"];
    let texts = ids.data.chunks(ids.shape[1]).map(|row| row.iter().map(|id| *id as u32).collect::<Vec<_>>());
    let judged = judged_in_pieces(&model, &mut loaded, &greedy, &texts.collect::<Vec<_>>());
    let scores = &case.tensors["mtp_logits.0"];
    let (length, tokens) = (scores.shape[1], scores.shape[2]);
    for (place, scores) in scores.data.chunks(tokens).enumerate() {
        let best = (0..tokens).max_by(|left, right| scores[*left].total_cmp(&scores[*right]).then(right.cmp(left)));
        let own = judged[place / length][place % length].draft;
        assert_eq!(own, best.map(|best| best as u32), "row {}, position {}", place / length, place % length);
    }
    let said = one_by_one(&model, &mut loaded, &greedy);
    for most in [1, 3] {
        let (runs, calls, _) = in_runs(&model, &mut loaded, &greedy, most);
        assert_eq!(runs, said);
        assert!(calls <= NEW);
    }
}
