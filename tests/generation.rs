//! `generate` blocks: their compiled turns choose the ids that the block itself, run by the interpreter turn by turn over
//! whole sequences, chooses under the same draws.

use super::compiled::{self, graphs, model};
use archc::derive;
use archc::graph::{self, Graph, Op, Region};
use archc::interpret::{Data, Feed, run};
use archc::model::Model;
use archc::verify::Array;
use archc::verify::weights::random_weights;
use archc_runtime::generate::{Decoder, Given, Limits, Session as Rows, Turns};
use archc_runtime::model::Loaded;
use std::ops::ControlFlow;
use std::rc::Rc;

pub const NEW: usize = 7;
const SEED: u64 = 41;

fn tiny(sampler: &str) -> Model {
    tiny_of(sampler, 19)
}

pub fn tiny_of(sampler: &str, tokens: usize) -> Model {
    model(&format!(
        "model Tiny {{\n  set layers = 2\n  dim t, d = 12, v = {tokens}\n  input ids[t] : v\n  param table[v, d]\n  x = table[v: ids]\n  \
         for i in layers {{\n    x += attn: gqa(norm1: rmsnorm(x), 4, 2, width = 6)\n    \
         x += ffn: swiglu(norm2: rmsnorm(x), 16)\n  }}\n  output logits = 2 * sum[d](norm: rmsnorm(x) * table)\n  \
         train next_token(self, ids)\n  generate {sampler}(self)\n}}\n"
    ))
}

pub fn prompts() -> Vec<Vec<u32>> {
    vec![vec![3, 1, 4, 1, 5], vec![9, 2], vec![6], vec![9, 2]]
}

/// The graph of the `generate` line, and the paths of its draws.
pub fn block(model: &Model) -> (Graph, Vec<String>) {
    let generate = model.generate.as_ref().expect("it has a generate line");
    let graph = derive::build(model, &generate.program, "generate");
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
    let choice = [("temperature", 1.0), ("top_k", 0.0), ("top_p", 1.0), ("min_p", 0.0), ("repetition_penalty", 1.0)];
    let search = [("beams", 1.0), ("length_penalty", 1.0), ("new", NEW as f64), ("end", -1.0)];
    let given = |name: &str| settings.iter().any(|(own, _)| *own == name);
    let defaults = choice.iter().chain(&search).filter(|(name, _)| !given(name));
    defaults.chain(settings).copied().collect()
}

/// The ids that the block gives each prompt, by the interpreter.
pub fn interpreted(model: &Model, graph: &Graph, weights: &[Array], settings: &[(&str, f64)]) -> Vec<Vec<u32>> {
    let prompts = prompts();
    let rows = given(model, graph, weights, settings).into_iter().zip(&prompts);
    rows.map(|(row, prompt)| row[..prompt.len() + NEW].iter().map(|id| *id as u32).collect()).collect()
}

/// The same of a search: each prompt and the answer to it.
fn searched(model: &Model, graph: &Graph, weights: &[Array], settings: &[(&str, f64)]) -> Vec<Vec<u32>> {
    let rows = given(model, graph, weights, settings).into_iter().zip(prompts());
    let answer = |row: Vec<f64>| row.into_iter().take_while(|id| *id >= 0.0).map(|id| id as u32).collect::<Vec<_>>();
    rows.map(|(row, prompt)| [prompt, answer(row)].concat()).collect()
}

/// What the interpreter is told of prompts and weights.
pub fn prompted(model: &Model, weights: &[Array], prompts: &[Vec<u32>], seed: u64) -> Feed {
    let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
    let padded = prompts.iter().flat_map(|prompt| (0..longest).map(|at| f64::from(*prompt.get(at).unwrap_or(&0))));
    let mut feed = Feed { seed, ..Feed::default() };
    feed.inputs.insert("prompt".into(), Data::new([prompts.len(), longest], padded.collect::<Vec<_>>()));
    feed.lengths.insert("p".into(), prompts.iter().map(Vec::len).collect());
    feed.sizes.insert("batch".into(), prompts.len());
    for (parameter, array) in model.parameters.iter().zip(weights) {
        let data = Data::new(array.shape.clone(), array.data.clone());
        feed.parameters.insert(parameter.path.clone(), Rc::new(data));
    }
    feed
}

/// What the block gives each prompt, by the interpreter.
fn given(model: &Model, graph: &Graph, weights: &[Array], settings: &[(&str, f64)]) -> Vec<Vec<f64>> {
    let prompts = prompts();
    let mut feed = prompted(model, weights, &prompts, SEED);
    let settings = with_defaults(settings);
    feed.settings.extend(settings.iter().map(|(name, value)| (name.to_string(), *value)));
    let outputs = run(graph, &feed).unwrap_or_else(|fault| panic!("{fault}"));
    let (_, ids) = &outputs.all[0];
    ids.numbers.chunks(ids.numbers.len() / prompts.len()).map(<[f64]>::to_vec).collect()
}

fn loaded(model: &Model, weights: &[Array]) -> Loaded {
    loaded_on(model, weights, 2)
}

fn loaded_on(model: &Model, weights: &[Array], threads: usize) -> Loaded {
    compiled::loaded(model, &graphs(model), weights, threads)
}

/// The ids that compiled turns of the block give each prompt, rows numbered as in the interpreter.
fn turned(model: &Model, weights: &[Array], settings: &[(&str, f64)], threads: usize) -> Vec<Vec<u32>> {
    turned_from(&mut loaded_on(model, weights, threads), &prompts(), settings, NEW)
}

/// The same from prompts of one's own, for so many turns.
pub fn turned_from(loaded: &mut Loaded, prompts: &[Vec<u32>], settings: &[(&str, f64)], new: usize) -> Vec<Vec<u32>> {
    let settings = with_defaults(settings).into_iter().map(|(name, value)| (name.to_string(), value)).collect();
    let turns = Turns::new(settings, SEED, (0..prompts.len() as u32).collect());
    let decoder = Decoder::choosing(loaded, 16, Given::default(), turns).expect("it has turns");
    let mut rows = Rows::new(decoder, prompts).expect("good prompts");
    let limits = Limits { new, end_tokens: Vec::new() };
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

/// Settings of samplers.
pub type Settings = &'static [(&'static str, f64)];

const ALL_OF: &[(&str, f64)] = &[("temperature", 0.7), ("top_k", 9.0), ("top_p", 0.9), ("min_p", 0.05)];

/// Samplers, the number of tokens that they choose from, and settings. Few tokens are ranked by comparing each with each,
/// many by sorting.
pub const CHOICES: [(&str, usize, &[Settings]); 3] = [
    ("greedy", 19, &[&[]]),
    (
        "sample",
        19,
        &[
            &[],
            &[("temperature", 1.5), ("top_p", 0.8)],
            &[("top_k", 5.0)],
            ALL_OF,
            &[("temperature", 0.0)],
            &[("temperature", 0.0), ("repetition_penalty", 1.8)],
            &[("temperature", 0.8), ("top_k", 3.0), ("repetition_penalty", 0.7)],
        ],
    ),
    ("sample", 259, &[ALL_OF]),
];

#[test]
fn compiled_turns_choose_what_the_block_chooses() {
    for (sampler, tokens, all) in CHOICES {
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
fn rows_draw_for_themselves_and_settings_matter() {
    let model = tiny("sample");
    let weights = random_weights(&model, 3);
    let answers = |settings: &[(&str, f64)]| turned(&model, &weights, settings, 2);
    let [best, drawn, flat] =
        [("temperature", 0.0), ("temperature", 1.0), ("temperature", 1.5)].map(|one| answers(&[one]));
    assert_eq!(best[1], best[3], "one prompt twice has one best answer");
    assert_ne!(drawn[1], drawn[3], "and two that are drawn");
    assert!(best != drawn && drawn != flat);
}

#[test]
fn a_sampler_of_turns_refuses_settings_in_its_own_words() {
    let model = tiny("sample");
    let mut loaded = loaded(&model, &random_weights(&model, 3));
    for (setting, words) in [
        (("top_p", 0.0), "`top_p` is more than 0"),
        (("top_p", f64::NAN), "`top_p` is more than 0"),
        (("temperature", -1.0), "`temperature` and `top_k` are 0 or more"),
        (("top_k", 1.5), "--top-k is a whole number"),
        (("min_p", 2.0), "`min_p` is from 0 to 1"),
        (("repetition_penalty", 0.0), "`repetition_penalty` is more than 0"),
    ] {
        let settings = with_defaults(&[setting]).into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        let turns = Turns::new(settings, SEED, vec![0]);
        let fault = Decoder::choosing(&mut loaded, 16, Given::default(), turns).expect_err("it makes no sense");
        assert!(fault.to_string().contains(words), "{setting:?}: {fault}");
    }
}

#[test]
fn rows_of_a_batch_stop_each_at_its_own_end() {
    let model = tiny("greedy");
    let weights = random_weights(&model, 3);
    let (graph, _) = block(&model);
    let whole = interpreted(&model, &graph, &weights, &[]);
    let end = whole[0][prompts()[0].len() + 2];
    let until_end = |(ids, prompt): (&Vec<u32>, &Vec<u32>)| {
        let new = &ids[prompt.len()..];
        let length = new.iter().position(|id| *id == end).map_or(NEW, |place| place + 1);
        ids[..prompt.len() + length].to_vec()
    };
    let expected = whole.iter().zip(&prompts()).map(until_end).collect::<Vec<_>>();
    assert_eq!(turned(&model, &weights, &[("end", f64::from(end))], 2), expected);
    assert_ne!(expected, whole, "something stopped");
}

#[test]
fn what_is_drawn_lies_in_the_nucleus_and_among_the_best() {
    let model = tiny_of("sample", 300);
    let weights = random_weights(&model, 3);
    let mut loaded = loaded(&model, &weights);
    let prompt = vec![3, 1, 4];
    let scores = {
        let mut decoder = Decoder::new(&mut loaded, 1, 8).expect("it decodes");
        decoder.feed(&[&prompt]).expect("good ids");
        decoder.scores(0).iter().map(|score| f64::from(*score)).collect::<Vec<_>>()
    };
    let mut order = (0..scores.len()).collect::<Vec<_>>();
    order.sort_by(|left, right| scores[*right].total_cmp(&scores[*left]));
    let whole: f64 = scores.iter().map(|score| score.exp()).sum();
    let mut above = 0.0;
    let nucleus = order.iter().take_while(|id| {
        let inside = above < 0.3;
        above += scores[**id].exp() / whole;
        inside
    });
    let nucleus = nucleus.map(|id| *id as u32).collect::<Vec<_>>();
    assert!((4..200).contains(&nucleus.len()), "{} tokens", nucleus.len());
    for (setting, allowed) in [(("top_p", 0.3), nucleus.as_slice()), (("top_k", 4.0), &nucleus[..4])] {
        let rows = turned_from(&mut loaded, &vec![prompt.clone(); 150], &[setting], 1);
        let drawn = rows.iter().map(|ids| ids[prompt.len()]).collect::<Vec<_>>();
        assert!(drawn.iter().all(|id| allowed.contains(id)), "{drawn:?} of {allowed:?}");
        assert!(allowed[..4].iter().all(|id| drawn.contains(id)), "{drawn:?} of {allowed:?}");
    }
}

#[test]
fn a_search_with_one_text_takes_the_best_token() {
    let weights = random_weights(&tiny("greedy"), 3);
    let greedy = tiny("greedy");
    let best = interpreted(&greedy, &block(&greedy).0, &weights, &[]);
    assert_eq!(turned(&tiny("beam"), &weights, &[("beams", 1.0)], 2), best);
}

#[test]
fn compiled_searches_find_what_the_block_finds() {
    let model = tiny("beam");
    let weights = random_weights(&model, 3);
    let (graph, _) = block(&model);
    let all: [&[(&str, f64)]; 3] = [
        &[("beams", 3.0)],
        &[("beams", 4.0), ("end", 7.0), ("length_penalty", 0.6)],
        &[("beams", 2.0), ("end", 11.0), ("length_penalty", 2.0)],
    ];
    for settings in all {
        let ids = searched(&model, &graph, &weights, settings);
        let mut loaded = loaded(&model, &weights);
        let by_hand =
            prompts().iter().map(|prompt| searched_by_hand(&mut loaded, prompt, settings)).collect::<Vec<_>>();
        assert_eq!(turned(&model, &weights, settings, 2), by_hand, "turns: {settings:?}");
        assert_eq!(ids, by_hand, "{settings:?}");
    }
    assert_eq!(turned(&model, &weights, all[0], 1), turned(&model, &weights, all[0], 2), "one thread");
}

#[test]
fn a_search_that_keeps_all_texts_finds_the_best_of_all() {
    const END: u32 = 2;
    let model = tiny_of("beam", 5);
    let weights = random_weights(&model, 5);
    for penalty in [0.0, 1.0, 3.0] {
        let mut loaded = loaded(&model, &weights);
        let prompts = [vec![3, 1, 4], vec![0], vec![1, 1]];
        let best = prompts.iter().map(|prompt| best_of_all(&mut loaded, prompt, END, penalty)).collect::<Vec<_>>();
        let settings = [("beams", 25.0), ("end", f64::from(END)), ("new", 3.0), ("length_penalty", penalty)];
        let found = turned_from(&mut loaded, &prompts, &settings, 3);
        assert_eq!(found, best, "{penalty}");
    }
}

/// A prompt and the answer to it, found by a search that keeps its texts in lists.
fn searched_by_hand(loaded: &mut Loaded, prompt: &[u32], settings: &[(&str, f64)]) -> Vec<u32> {
    let settings = with_defaults(settings).into_iter().collect::<std::collections::HashMap<_, _>>();
    let beams = settings["beams"] as usize;
    let mut open = vec![(prompt.to_vec(), 0.0)];
    let mut ended: Vec<(Vec<u32>, f64)> = Vec::new();
    let new = settings["new"] as usize;
    for turn in 1..=new {
        let mark = |score: f64| score / (turn as f64).powf(settings["length_penalty"]);
        let mut next = open.iter().flat_map(|(text, score)| followers(loaded, text, *score)).collect::<Vec<_>>();
        next.sort_by(|left, right| right.1.total_cmp(&left.1));
        next.truncate(2 * beams);
        open.clear();
        for (place, (text, score)) in next.into_iter().enumerate() {
            if turn < new && text.last().map(|id| f64::from(*id)) != Some(settings["end"]) {
                open.push((text, score));
            } else if place < beams {
                ended.push((text, mark(score)));
            }
        }
        open.truncate(beams);
        ended.sort_by(|left, right| right.1.total_cmp(&left.1));
        ended.truncate(beams);
        let worst = if ended.len() == beams { ended[beams - 1].1 } else { -1e9 };
        if open.first().is_none_or(|(_, score)| mark(*score) <= worst) {
            break;
        }
    }
    ended.swap_remove(0).0
}

/// All texts of one more token, and their scores.
fn followers(loaded: &mut Loaded, text: &[u32], score: f64) -> Vec<(Vec<u32>, f64)> {
    let mut decoder = Decoder::new(loaded, 1, 16).expect("it decodes");
    decoder.feed(&[text]).expect("good ids");
    let scores = decoder.scores(0).iter().map(|score| f64::from(*score)).collect::<Vec<_>>();
    let whole = scores.iter().map(|score| score.exp()).sum::<f64>().ln();
    (0..).zip(scores).map(|(id, own)| ([text, &[id]].concat(), score + own - whole)).collect()
}

/// The best of all texts of up to three tokens after a prompt, by their score for each token.
fn best_of_all(loaded: &mut Loaded, prompt: &[u32], end: u32, penalty: f64) -> Vec<u32> {
    let (mut best, mut most) = (Vec::new(), f64::NEG_INFINITY);
    let mut open = vec![(prompt.to_vec(), 0.0)];
    while let Some((text, score)) = open.pop() {
        let new = text.len() - prompt.len();
        if new == 3 || (new > 0 && text.last() == Some(&end)) {
            let score = score / (new as f64).powf(penalty);
            if score > most {
                (best, most) = (text, score);
            }
            continue;
        }
        open.extend(followers(loaded, &text, score));
    }
    best
}
