//! Samplers that change positions anywhere: compiled to one program, they leave what the block itself, run by the
//! interpreter, leaves under the same draws; the runtime looks at turns, refuses what the block refuses, fills in blanks.

use super::compiled::{graphs, loaded, model, programs};
use archc::driver::Graphs;
use archc::kernel::{Form, Kernel, Statement};
use archc::model::Model;
use archc::verify::weights::random_weights;
use archc::verify::{Array, Batch, Engine, Interpreted};
use archc_runtime::bench::{Limit, whole};
use archc_runtime::generate::{Moment, Whole};
use archc_runtime::model::Loaded;
use std::collections::BTreeMap;

/// Settings that are not the block's own.
type Others<'s> = &'s [(&'s str, f64)];

const MASK: i32 = 19;
const SEED: u64 = 0;

fn tiny() -> Model {
    model(
        "model Tiny {\n  set layers = 2\n  dim t, d = 12, v = 20\n  set mask = |v| - 1\n  input ids[t] : v\n  \
         param table[v, d]\n  x = table[v: ids]\n  for i in layers {\n    \
         x += attn: gqa(norm1: rmsnorm(x), 4, 2, width = 6, sight = |t|)\n    \
         x += ffn: swiglu(norm2: rmsnorm(x), 16)\n  }\n  output logits = 2 * sum[d](norm: rmsnorm(x) * table)\n  \
         train masked_diffusion(self, ids, mask)\n  generate low_confidence(self, mask = mask)\n}\n",
    )
}

fn rows() -> Vec<Vec<u32>> {
    vec![vec![3, 1, 4, 1, 5], vec![9, 2], vec![6, 19, 7, 19]]
}

/// The settings of the block, and others in place of some.
pub fn settings(model: &Model, others: &[(&str, f64)]) -> Vec<(String, f64)> {
    let generate = model.generate.as_ref().expect("it has a generate line");
    let own = generate.settings.iter().filter_map(|(name, setting)| Some((name.clone(), setting.number()?)));
    let other = |name: &String| others.iter().find(|(other, _)| other == name).map(|(_, value)| *value);
    own.map(|(name, value)| (name.clone(), other(&name).unwrap_or(value))).collect()
}

/// What the block leaves of each row, by the interpreter.
pub fn interpreted(
    model: &Model,
    graphs: &Graphs,
    weights: &[Array],
    settings: &[(String, f64)],
    rows: &[Vec<u32>],
) -> Vec<Vec<i32>> {
    let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
    let data = rows.iter().flat_map(|row| (0..longest).map(|at| f64::from(*row.get(at).unwrap_or(&0)))).collect();
    let prompt = Array { shape: vec![rows.len(), longest], data };
    let lengths = BTreeMap::from([("p".to_string(), rows.iter().map(Vec::len).collect())]);
    let batch = Batch { rows: rows.len(), lengths, inputs: BTreeMap::from([("prompt".to_string(), prompt)]) };
    let settings: BTreeMap<String, f64> = settings.iter().cloned().collect();
    let outputs = Interpreted::new(model, graphs).generated(weights, &batch, &settings);
    let outputs = outputs.unwrap_or_else(|failure| panic!("{failure:?}"));
    let (first, _) = &model.generate.as_ref().expect("it has a generate line").program.outputs[0];
    let ids = &outputs[first];
    let own = |(row, ids): (&Vec<u32>, &[f64])| {
        ids[..row.len() + settings["new"] as usize].iter().map(|id| *id as i32).collect()
    };
    rows.iter().zip(ids.data.chunks(ids.shape[1])).map(own).collect()
}

/// What the program leaves of each row.
pub fn natively(loaded: &mut Loaded, settings: &[(String, f64)], rows: &[Vec<u32>]) -> Vec<Vec<i32>> {
    let mut whole = Whole::new(loaded, settings, rows, SEED).expect("good settings");
    whole.run(loaded, |_, _| true).expect("runs");
    whole.rows().expect("gives rows").into_iter().map(<[i32]>::to_vec).collect()
}

#[test]
fn one_program_leaves_what_the_block_leaves() {
    let model = tiny();
    let graphs = graphs(&model);
    assert!(graphs.turn.is_none() && graphs.generate.is_some(), "it is no series of turns");
    let weights = random_weights(&model, 3);
    let mut two = loaded(&model, &graphs, &weights, 2);
    let mut one = loaded(&model, &graphs, &weights, 1);
    let all: [&[(&str, f64)]; 6] = [
        &[],
        &[("length", 4.0)],
        &[("steps", 4.0), ("length", 4.0), ("temperature", 0.8)],
        &[("random", 1.0), ("temperature", 1.0)],
        &[("entropy", 1.0), ("steps", 2.0)],
        &[("new", 0.0), ("steps", 2.0)],
    ];
    let mut answers = Vec::new();
    for others in all {
        let own = settings(&model, &[&[("new", 8.0), ("steps", 8.0)], others].concat());
        // Later settings win.
        let own: BTreeMap<String, f64> = own.into_iter().chain(settings_of(others)).collect();
        let own: Vec<(String, f64)> = own.into_iter().collect();
        let ids = interpreted(&model, &graphs, &weights, &own, &rows());
        assert_eq!(natively(&mut two, &own, &rows()), ids, "{others:?}");
        assert_eq!(natively(&mut one, &own, &rows()), ids, "{others:?}, one thread");
        assert!(ids.iter().flatten().all(|id| (0..=MASK).contains(id)), "{ids:?}");
        for (row, ids) in rows().iter().zip(&ids) {
            let kept = row.iter().zip(ids).all(|(given, now)| *given as i32 == MASK || *given as i32 == *now);
            assert!(kept, "what is given stays: {row:?} {ids:?}");
        }
        answers.push(ids);
    }
    assert!(answers[1..4].iter().all(|ids| *ids != answers[0]), "settings matter");
}

fn settings_of(others: &[(&str, f64)]) -> Vec<(String, f64)> {
    others.iter().map(|(name, value)| (name.to_string(), *value)).collect()
}

/// Eight new positions in four turns: two less are blank before each turn, and what is filled in stays.
#[test]
fn turns_can_be_looked_at_and_stopped() {
    let model = tiny();
    let graphs = graphs(&model);
    let weights = random_weights(&model, 3);
    let mut loaded = loaded(&model, &graphs, &weights, 2);
    let own = settings(&model, &[("new", 8.0), ("steps", 4.0)]);
    let prompts = vec![vec![3, 1, 4]];
    let mut whole = Whole::new(&mut loaded, &own, &prompts, SEED).expect("good settings");
    let mut seen: Vec<Vec<i32>> = Vec::new();
    whole
        .run(&mut loaded, |_, rows| {
            seen.push(rows[0].to_vec());
            true
        })
        .expect("runs");
    seen.push(whole.rows().expect("gives rows")[0].to_vec());
    assert_eq!(seen.len(), 5);
    for (turn, pair) in seen.windows(2).enumerate() {
        let changed = pair[0].iter().zip(&pair[1]).filter(|(before, after)| before != after);
        assert!(changed.clone().all(|(before, _)| *before == MASK), "turn {turn} changes blanks alone: {seen:?}");
        assert!(changed.count() <= 2, "turn {turn} changes its share: {seen:?}");
    }
    let mut short = Whole::new(&mut loaded, &own, &prompts, SEED).expect("good settings");
    short.run(&mut loaded, |now, _| now.turn < 2).expect("runs");
    assert_eq!(short.rows().expect("gives rows")[0], seen[2], "stopped before the third turn");
}

#[test]
fn settings_that_the_block_refuses_are_refused_in_its_words() {
    let model = tiny();
    let graphs = graphs(&model);
    let mut loaded = loaded(&model, &graphs, &random_weights(&model, 3), 1);
    let bad: [(&[(&str, f64)], &str); 4] = [
        (&[("new", 8.0), ("length", 3.0), ("steps", 8.0)], "whole blocks"),
        (&[("new", 8.0), ("length", 2.0), ("steps", 6.0)], "every block"),
        (&[("new", 8.0), ("steps", 8.0), ("random", 1.0), ("entropy", 1.0)], "take one"),
        (&[("new", 8.0), ("steps", 0.0)], "at least 1"),
    ];
    for (others, words) in bad {
        let refused = Whole::new(&mut loaded, &settings(&model, others), &rows(), SEED);
        let message = refused.map(|_| ()).expect_err("is refused").to_string();
        assert!(message.contains(words), "{others:?}: {message}");
    }
}

/// A sampler of so many turns can be looked at before each, keeps what is given, and can be stopped.
fn looked_at(loaded: &mut Loaded, own: &[(String, f64)], turns: usize) {
    let prompts = vec![vec![3, 1, 4]];
    let mut whole = Whole::new(loaded, own, &prompts, SEED).expect("good settings");
    let mut seen: Vec<Vec<i32>> = Vec::new();
    let mut moments = Vec::new();
    whole
        .run(loaded, |now, rows| {
            seen.push(rows[0].to_vec());
            moments.push(now);
            true
        })
        .expect("runs");
    assert_eq!(moments, (0..turns).map(|turn| Moment { block: 0, turn }).collect::<Vec<_>>());
    seen.push(whole.rows().expect("gives rows")[0].to_vec());
    assert!(seen.iter().all(|ids| ids[..3] == [3, 1, 4]), "what is given is there before every turn: {seen:?}");
    assert!(seen.windows(2).any(|pair| pair[0] != pair[1]), "it changes from turn to turn: {seen:?}");
    let mut short = Whole::new(loaded, own, &prompts, SEED).expect("good settings");
    short.run(loaded, |now, _| now.turn < 2).expect("runs");
    assert_eq!(short.rows().expect("gives rows")[0], seen[2], "stopped before the third turn");
}

/// Turns over an axis of the model, over a number, over blocks without turns of their own: of each loop the outermost.
#[test]
fn turns_of_any_loop_that_a_text_goes_through_can_be_looked_at() {
    let head = "  dim t = |p| + new\n  ids = prompt[p: t else mask]\n";
    let write = "logits = net(ids)\n    ids = argmax[v](logits) where t >= |p|";
    let all = [
        (format!("{head}  for n reverse {{\n    {write}\n  }}\n"), 6),
        (format!("{head}  for n {{\n    for k in 2 {{ {write} }}\n  }}\n"), 6),
        (format!("{head}  for k in 3 {{\n    {write} and t % 3 == k\n  }}\n"), 3),
        (format!("{head}  dim b = (|t| + |n| - 1) // |n|\n  for b {{\n    {write} and t // |n| == b\n  }}\n"), 2),
    ];
    for (sampler, turns) in all {
        let model = model(&format!(
            "model Tiny {{\n  dim t, d = 8, v = 20, n = 6\n  input ids[t] : v\n  param table[v, d]\n  \
             param head[v, d]\n  x = table[v: ids]\n  x += attn: gqa(x, 2, 2, sight = |t|)\n  \
             output logits = sum[d](x * head)\n  generate own[n = n](self, mask = |v| - 1)\n}}\n\
             block own[n](net(ids[t] : v) -> [t, v], prompt[p] : v, mask : v, new = 8) -> ids[t] : v {{\n{sampler}  \
             return ids\n}}\n"
        ));
        let graphs = graphs(&model);
        let mut loaded = loaded(&model, &graphs, &random_weights(&model, 3), 1);
        looked_at(&mut loaded, &settings(&model, &[]), turns);
    }
}

/// The denoiser of a sampler is any model that gives scores for every position: here a recurrence from both sides.
#[test]
fn a_recurrence_that_reads_from_both_sides_fills_in_what_is_masked() {
    let model = model(
        "model Sides {
  dim t, d = 8, v = 20
  input ids[t] : v
  param table[v, d], head[v, d]
  x = table[v: ids]
  x += both(x)
  output logits = sum[d](x * head) where v < |v| - 1 else -1e30
  generate low_confidence(self, mask = |v| - 1)
}
block turned[t](x[t]) -> [t] { return x[t: |t| - 1 - t] }
block both[t, d](x[t, d]) -> [t, d] {
  return ahead: selective(x, 6, 3, 2, taps = 2) + turned(behind: selective(turned(x), 6, 3, 2, taps = 2))
}
",
    );
    let graphs = graphs(&model);
    let weights = random_weights(&model, 3);
    let mut loaded = loaded(&model, &graphs, &weights, 2);
    for length in [0.0, 2.0] {
        let own = settings(&model, &[("new", 8.0), ("steps", 4.0), ("length", length)]);
        let ids = interpreted(&model, &graphs, &weights, &own, &rows());
        assert_eq!(natively(&mut loaded, &own, &rows()), ids, "blocks of {length}");
        looked_at(&mut loaded, &own, 4);
    }
}

/// Samplers that step back through noise, over states and over vectors: natively what the interpreter says.
#[test]
fn steps_back_through_noise_leave_what_the_block_leaves() {
    let body = "block body[t, d](x[t, d], step : n, times[n, d]) -> [t, d] {\n  y = x + times[n: step]\n  \
                return y + attn: gqa(y, 2, 2, sight = |t|)\n}\n";
    let states = "model States {\n  dim t, d = 8, v = 20, w like v, n = 6\n  input ids[t] : v, step : n\n  \
                  param table[v, d], times[n, d]\n  output logits = sum[d](body(table[v: ids], step, times) * table)\n  \
                  Q = absorbing_steps(even_noise[n](), |v| - 1)\n  train d3pm(self(_, _), ids, Q)\n  \
                  generate d3pm_sample(self(_, _), Q = Q, start = |v| - 1)\n}\n";
    let kinds = "model Kinds {\n  dim t, d = 8, v = 20, w like v, n = 6\n  input ids[t] : v, step : n\n  \
                 param table[v, d], times[n, d]\n  output logits = sum[d](body(table[v: ids], step, times) * table)\n  \
                 generate d3pm_sample_of_kind(self(_, _), kind = uniform_steps[w = w](_), left = 1 - (n + 1) / |n|, \
                 start = 0, random = true)\n}\n";
    let vectors = "model Vectors {\n  dim t, d = 8, v = 20, n = 6\n  input ids[t] : v\n  \
                   param table[v, d], bias[v], times[n, d]\n  left = left_after(falling_noise[n](root_left))\n  \
                   train embedded_diffusion(body(_, _, times), ids, table, bias, left)\n  \
                   generate embedded_sample(body(_, _, times), table = table, left = left)\n}\n";
    let staggered = "model Staggered {\n  dim t, d = 8, v = 20, n = 6\n  input ids[t] : v\n  \
                     param table[v, d], bias[v], times[n, d]\n  left = left_after(falling_noise[n](root_left))\n  \
                     train staggered_diffusion(each(_, _, times), ids, table, bias, left)\n  \
                     generate staggered_sample(each(_, _, times), table = table, left = left)\n}\n\
                     block each[t, d](x[t, d], step[t] : n, times[n, d]) -> [t, d] {\n  y = x + times[n: step]\n  \
                     return y + attn: gqa(y, 2, 2, sight = |t|)\n}\n";
    let aware = "model Aware {\n  dim t, d = 8, v = 20, n = 6\n  input ids[t] : v, told[t, d], step : n\n  \
                 param table[v, d], bias[v], times[n, d]\n  left = left_after(falling_noise[n](root_left))\n  \
                 output guess[t, d] = body(table[v: ids] + 0.5 * told, step, times)\n  \
                 generate remembering_sample(tells(_, _, _, times), table = table, left = left)\n}\n\
                 block tells[t, d](x[t, d], told[t, d], step : n, times[n, d]) -> [t, d] {\n  \
                 return body(x + 0.5 * told, step, times)\n}\n";
    let corners = "model Corners {\n  dim t, d = 8, v = 20, n = 6\n  input x[t, v], part\n  param table[v, d], times[n, d]\n  \
                   output logits = sum[d](body(sum[v](x * table) + part, 0, times) * table)\n  \
                   generate simplex_sample(self(_, _), blank = |v| - 1)\n}\n";
    let all: [(&str, &[Others]); 6] = [
        (states, &[&[], &[("random", 1.0)]]),
        (kinds, &[&[]]),
        (vectors, &[&[], &[("clamp", 1.0)], &[("still", 1.0)]]),
        (staggered, &[&[("steps", 5.0)], &[("steps", 3.0), ("clamp", 1.0)]]),
        (aware, &[&[], &[("still", 1.0)]]),
        (corners, &[&[("steps", 4.0)], &[("steps", 6.0), ("length", 4.0), ("top_p", 0.6)]]),
    ];
    for (text, settings_of_it) in all {
        let model = model(&format!("{text}{body}"));
        let graphs = graphs(&model);
        let weights = random_weights(&model, 3);
        let mut loaded = loaded(&model, &graphs, &weights, 2);
        for others in settings_of_it {
            let own = settings(&model, &[&[("new", 8.0)], *others].concat());
            let ids = interpreted(&model, &graphs, &weights, &own, &rows());
            assert_eq!(natively(&mut loaded, &own, &rows()), ids, "{}: {others:?}", model.name);
            let turns = if ["Corners", "Staggered"].contains(&&*model.name) {
                own.iter().find(|(name, _)| name == "steps")
            } else {
                None
            };
            looked_at(&mut loaded, &own, turns.map_or(6, |(_, steps)| *steps as usize));
        }
    }
}

/// The sampler's positions are those of the prompt and new ones: what they attend to has an end in every row all the same.
#[test]
fn attention_over_a_prompt_and_new_positions_is_streamed() {
    let all = programs(&graphs(&tiny()));
    let generate = all.iter().find(|program| program.name == "generate").expect("it has a sampler");
    assert!(generate.kernels.iter().any(|kernel| matches!(kernel.form, Form::Attend(_))));
}

/// Scores of positions that a turn leaves as they are, their ranks and what stands above: nobody asks.
#[test]
fn a_turn_ranks_and_multiplies_for_the_positions_that_it_writes() {
    let text = std::fs::read_to_string("examples/ssd-tiny.arch").expect("an example");
    let all = programs(&graphs(&model(&text)));
    let generate = all.iter().find(|program| program.name == "generate").expect("it has a sampler");
    let asked = |kernel: &&Kernel| matches!(&kernel.form, Form::Gemm(product) if product.asked.is_some());
    // What names the tokens, and four products of a layer: the last turn of the layers asks, the others need all rows.
    assert_eq!(generate.kernels.iter().filter(asked).count(), 5, "{generate}");
    for name in ["rank", "sum_above"] {
        let kernel = generate.kernels.iter().find(|kernel| kernel.name == name).expect("it ranks");
        let Form::Nest(nest) = &kernel.form else { panic!("loops of its own") };
        assert!(matches!(nest.body.last(), Some(Statement::If(..))), "{name}: {generate}");
    }
}

#[test]
fn a_turn_is_measured_beside_a_forward_pass() {
    let model = tiny();
    let graphs = graphs(&model);
    let mut loaded = loaded(&model, &graphs, &random_weights(&model, 3), 1);
    let own = settings(&model, &[("new", 8.0), ("steps", 4.0), ("length", 4.0)]);
    let cost = whole(&mut loaded, &own, 5, 2, &mut Limit).expect("can be measured");
    assert_eq!(cost.turns, 4);
    let forward = cost.forward.expect("the model has a pass of its own");
    assert!((forward.passes - 1.0).abs() < f64::EPSILON);
    assert!(cost.operations > 0.0 && cost.rates[0].median > 0.0 && forward.pass.median > 0.0);
    // Each pair tells what its own turns took beyond its own passes.
    let between = |figure: archc_runtime::bench::Figure| figure.low <= figure.median && figure.median <= figure.high;
    assert!(between(cost.turn) && between(forward.added) && forward.added.low > -1.0);
}

/// Three blanks take three turns; the others find nothing to do, and none of their steps run.
#[test]
fn a_text_without_blanks_is_done() {
    let model = tiny();
    let graphs = graphs(&model);
    let weights = random_weights(&model, 3);
    let mut loaded = loaded(&model, &graphs, &weights, 1);
    let own = settings(&model, &[("new", 0.0), ("steps", 150.0)]);
    assert_eq!(natively(&mut loaded, &own, &rows()), interpreted(&model, &graphs, &weights, &own, &rows()));
    let mut done = |prompt: &[u32]| {
        let mut whole = Whole::new(&mut loaded, &own, &[prompt.to_vec()], SEED).expect("good settings");
        let mut turns = 0;
        let look = |_: Moment, _: &[&[i32]]| {
            turns += 1;
            true
        };
        whole.run(&mut loaded, look).expect("runs");
        (turns, whole.multiply_adds(&loaded).expect("it has a sampler"))
    };
    let text = |blanks: usize| (0..150).map(|at| if at < blanks { MASK as u32 } else { 3 }).collect::<Vec<_>>();
    let ((few, less), (all, most)) = (done(&text(3)), done(&text(150)));
    assert_eq!((few, all), (3, 150), "nobody is shown a turn that is left out");
    assert_eq!(50.0 * less, most, "what is done is not done again");
}
