//! Samplers that go block by block: what they keep of earlier blocks changes no token, and a turn costs one block. Where
//! that would change something, whole texts are computed, and the reason is said.

use super::compiled::{graphs, loaded, model, programs};
use super::whole::{interpreted, natively, settings};
use archc::derive::build;
use archc::driver::Graphs;
use archc::graph::Op;
use archc::model::Model;
use archc::plan::{Program, Step};
use archc::verify::weights::random_weights;
use archc::verify::{Array, Batch, Engine, Interpreted};
use archc_runtime::generate::{Moment, Whole};
use archc_runtime::model::Loaded;
use std::collections::BTreeMap;

const MASK: u32 = 19;
const SEED: u64 = 0;

/// Blocks of five, of a sampler that goes in blocks of `size`.
fn tiny(seen: &str, size: usize) -> Model {
    model(&format!(
        "model Tiny {{\n  set layers = 2\n  dim t, d = 12, v = 20, j = {size}\n  set mask = |v| - 1\n  input ids[t] : v\n  \
         param table[v, d]\n  x = table[v: ids]\n  for i in layers {{\n    \
         x += attn: gqa(norm1: rmsnorm(x), 4, 2, width = 6, sight = {seen})\n    \
         x += ffn: swiglu(norm2: rmsnorm(x), 16)\n  }}\n  output logits = 2 * sum[d](norm: rmsnorm(x) * table)\n  \
         generate block_sample[j = j](self, mask = mask)\n}}\n"
    ))
}

/// Up to the end of a block of five.
const OWN: &str = "t // 5 * 5 + 4";

/// One row ends inside of a block, one begins in the first, two have blanks before their end.
fn rows() -> Vec<Vec<u32>> {
    let long = (0..12).map(|at| if at == 7 { MASK } else { at }).collect();
    vec![vec![3, 1, 4, 1, 5], vec![9, 2], vec![6, MASK, 7, MASK], long]
}

/// The sampler as it is written, over whole texts.
pub fn whole_texts(model: &Model, graphs: &Graphs) -> Graphs {
    let generate = model.generate.as_ref().expect("it has a generate line");
    Graphs { generate: Some(build(model, &generate.program, "generate")), ..graphs.clone() }
}

/// Token for token what the whole text gives, by the interpreter and natively, for blocks that are the model's and for
/// blocks that are several of the model's.
#[test]
fn blocks_leave_what_whole_texts_leave() {
    for model in [tiny(OWN, 5), tiny("t", 4), tiny(OWN, 10)] {
        let graphs = graphs(&model);
        assert!(graphs.turn.is_none() && graphs.whole.is_none(), "it goes block by block: {:?}", graphs.whole);
        let weights = random_weights(&model, 3);
        let mut one = loaded(&model, &graphs, &weights, 1);
        let mut two = loaded(&model, &graphs, &weights, 2);
        let plain = whole_texts(&model, &graphs);
        let mut answers = Vec::new();
        let all: [&[(&str, f64)]; 5] = [
            &[],
            &[("steps", 1.0)],
            &[("steps", 3.0), ("temperature", 0.8)],
            &[("random", 1.0), ("temperature", 1.0), ("new", 1.0)],
            &[("entropy", 1.0), ("new", 0.0)],
        ];
        for others in all {
            let own = settings(&model, &[others, &[("new", 9.0)]].concat());
            let ids = interpreted(&model, &plain, &weights, &own, &rows());
            assert_eq!(interpreted(&model, &graphs, &weights, &own, &rows()), ids, "{others:?}");
            assert_eq!(natively(&mut one, &own, &rows()), ids, "{others:?}, natively");
            assert_eq!(natively(&mut two, &own, &rows()), ids, "{others:?}, two threads");
            assert!(ids.iter().flatten().all(|id| (0..MASK as i32 + 1).contains(id)), "{ids:?}");
            for (row, ids) in rows().iter().zip(&ids) {
                let kept = row.iter().zip(ids).all(|(given, now)| *given == MASK || *given as i32 == *now);
                assert!(kept, "what is given stays: {row:?} {ids:?}");
            }
            answers.push(ids);
        }
        assert!(answers[1..3].iter().all(|ids| *ids != answers[0]), "settings matter");
    }
}

/// The multiply-adds of a run, and its turns.
fn counted(loaded: &mut Loaded, settings: &[(String, f64)]) -> (f64, usize) {
    let mut whole = Whole::new(loaded, settings, &[vec![1; 10]], SEED).expect("good settings");
    let mut turns = 0;
    let look = |_: Moment, _: &[&[i32]]| {
        turns += 1;
        true
    };
    whole.run(loaded, look).expect("runs");
    (whole.multiply_adds(loaded).expect("it has a sampler"), turns)
}

/// Turns are counted in their blocks, as a person who looks on is told.
#[test]
fn every_block_counts_its_own_turns() {
    let model = tiny(OWN, 5);
    let graphs = graphs(&model);
    let mut loaded = loaded(&model, &graphs, &random_weights(&model, 3), 1);
    let own = settings(&model, &[("new", 9.0), ("steps", 3.0)]);
    let mut whole = Whole::new(&mut loaded, &own, &[vec![3, 1, 4, 1, 5, 9]], SEED).expect("good settings");
    let mut seen = Vec::new();
    let look = |now: Moment, _: &[&[i32]]| {
        seen.push(now);
        true
    };
    whole.run(&mut loaded, look).expect("runs");
    let wanted = (0..2).flat_map(|block| (0..3).map(move |turn| Moment { block, turn })).collect::<Vec<_>>();
    assert_eq!(seen, wanted);
    assert_eq!(seen[2].to_string(), "turn 3");
    assert_eq!(seen[4].to_string(), "block 2, turn 2");
}

/// What four more turns of every block cost, for each turn: one block of the model, and attention to what is kept.
#[test]
fn a_turn_costs_one_block_however_long_the_text() {
    let model = tiny(OWN, 5);
    let graphs = graphs(&model);
    let mut loaded = loaded(&model, &graphs, &random_weights(&model, 3), 1);
    let mut of_a_turn = |new: f64| {
        let mut run = |steps: f64| counted(&mut loaded, &settings(&model, &[("new", new), ("steps", steps)]));
        let ((few, less), (many, more)) = (run(1.0), run(5.0));
        assert!(less >= new as usize / 5 && more >= less + 4 * (new as usize / 5), "{less} and {more} turns");
        (many - few) / (more - less) as f64
    };
    // Two layers of attention over kept keys and values: 2 · 4 heads · width 6 for each position of a block and of the text.
    let attention = |positions: f64| 2.0 * 5.0 * positions * 2.0 * 4.0 * 6.0;
    // Queries, keys, values and what comes of them, feed-forward, and the table.
    let layer = 12.0 * 6.0 * (4.0 + 2.0 + 2.0 + 4.0) + 3.0 * 12.0 * 16.0;
    let block = 5.0 * (2.0 * layer + 12.0 * 20.0);
    for new in [20.0, 200.0] {
        let all = of_a_turn(new);
        assert!(all >= block && all <= block + attention(10.0 + new) + 1000.0, "{new}: {all} for {block}");
    }
}

/// What launches write inside of loops: the name of the kernel and the buffer.
fn written(program: &Program, steps: &[Step], inside: bool, found: &mut Vec<(String, usize)>) {
    for step in steps {
        match step {
            Step::Launch(launch) if inside => {
                let kernel = &program.kernels[launch.kernel];
                let buffers = kernel.buffers.iter().zip(&launch.arguments).filter(|(buffer, _)| buffer.written);
                found.extend(buffers.map(|(_, argument)| (kernel.name.clone(), argument.buffer)));
            }
            Step::Loop { body, .. } => written(program, body, true, found),
            Step::Ask { body, .. } => written(program, body, inside, found),
            Step::Switch { arms, .. } => arms.iter().for_each(|arm| written(program, arm, inside, found)),
            _ => {}
        }
    }
}

/// What is kept is written at a block and read where it lies: no turn writes it as a whole.
#[test]
fn what_is_kept_is_never_copied() {
    let model = tiny(OWN, 5);
    let all = programs(&graphs(&model));
    let program = all.iter().find(|program| program.name == "generate").expect("it has a sampler");
    let mut found = Vec::new();
    written(program, &program.steps, false, &mut found);
    let layers = |buffer: usize| program.buffers[buffer].shape.len() == 5;
    let kept = found.iter().filter(|(name, buffer)| name == "write" && layers(*buffer));
    let kept = kept.map(|(_, buffer)| *buffer).collect::<Vec<_>>();
    assert!(!kept.is_empty(), "keys and values of layers, rows, positions, heads: {program}");
    let others = found.iter().filter(|(name, buffer)| name != "write" && kept.contains(buffer)).collect::<Vec<_>>();
    assert!(others.is_empty(), "{others:?}: {program}");
}

/// Who sees beyond the block, or looks at the turn, computes whole texts, and says why.
#[test]
fn what_a_later_block_changes_is_not_kept() {
    let all_see_all = tiny("|t|", 5);
    let across = tiny("t // 5 * 5 + 4", 4);
    for model in [all_see_all, across] {
        let graphs = graphs(&model);
        let why = graphs.whole.as_ref().expect("it does not go block by block").to_string();
        assert!(why.contains("layers") && why.contains("later ones"), "{why}");
        let weights = random_weights(&model, 3);
        let own = settings(&model, &[("new", 9.0), ("steps", 2.0)]);
        let ids = natively(&mut loaded(&model, &graphs, &weights, 1), &own, &rows());
        assert_eq!(ids, interpreted(&model, &graphs, &weights, &own, &rows()));
    }
}

/// A sampler whose model is told the turn: what earlier blocks mean is another in every turn.
#[test]
fn what_follows_from_the_turn_is_not_kept() {
    let text = "model Timed {\n  dim t, d = 12, v = 20, j = 5, n = 4\n  input ids[t] : v, step : n\n  \
                param table[v, d], time[n, d]\n  x = table[v: ids] + time[n: step]\n  \
                x += attn: gqa(x, 4, 2, width = 6, sight = t // 5 * 5 + 4)\n  output logits = sum[d](x * table)\n  \
                generate timed[j = j, n = n](self(_, _), mask = |v| - 1)\n}\n\
                block timed[j, n](net(ids[t] : v, step : n) -> [t, v], prompt[p] : v, mask : v, new = 10) -> ids[t] : v {\n  \
                dim t = |p| + new, b = (|t| + |j| - 1) // |j|\n  ids = prompt[p: t else mask]\n  \
                for b {\n    for n {\n      here = t // |j| == b\n      guess = argmax[v](net(ids, n))\n      \
                ids = guess where here and ids == mask\n    }\n  }\n  return ids\n}\n";
    let graphs = graphs(&model(text));
    let why = graphs.whole.expect("it does not go block by block").to_string();
    assert!(why.contains("earlier blocks") && why.contains("turn"), "{why}");
}

/// The example's two readings of a text are one where nothing is noise.
#[test]
fn a_text_beside_itself_is_read_as_by_itself() {
    let example = std::fs::read_to_string("examples/block_diffusion.arch").expect("it is there");
    let model = super::compiled::model_with(
        &example,
        &[("layers", "2"), ("heads", "2"), ("hidden", "12"), ("d", "8"), ("v", "11"), ("piece", "3")],
    );
    let graphs = graphs(&model);
    let weights = random_weights(&model, 5);
    let ids = Array { shape: vec![2, 7], data: (0..14).map(|at| f64::from(at * at % 11)).collect() };
    let inputs = BTreeMap::from([("ids".to_string(), ids.clone()), ("noisy".to_string(), ids)]);
    let batch = Batch { rows: 2, lengths: BTreeMap::new(), inputs };
    let outputs = Interpreted::new(&model, &graphs).forward(&weights, &batch).expect("runs");
    let (logits, guesses) = (&outputs["logits"].data, &outputs["guesses"].data);
    assert!(logits.iter().zip(guesses).all(|(left, right)| (left - right).abs() < 1e-12), "{logits:?} {guesses:?}");
    let noisy = Array { shape: vec![2, 7], data: vec![10.0; 14] };
    let guesses_with = |at: usize| {
        let mut ids = batch.inputs["ids"].clone();
        ids.data[at] = 9.0;
        let inputs = BTreeMap::from([("ids".to_string(), ids), ("noisy".to_string(), noisy.clone())]);
        let batch = Batch { rows: 2, lengths: BTreeMap::new(), inputs };
        let outputs = Interpreted::new(&model, &graphs).forward(&weights, &batch).expect("runs");
        outputs["guesses"].data.clone()
    };
    // The position 4 is of the second block: what is clean there is seen from the third on. The last is of another row.
    let (before, after) = (guesses_with(13), guesses_with(4));
    let differs = |position: usize| (0..11).any(|v| before[position * 11 + v] != after[position * 11 + v]);
    assert!((0..6).all(|position| !differs(position)), "a guess sees nothing clean of its own block");
    assert!(differs(6), "and all of those before");
    let draws =
        |graph: &archc::graph::Graph| graph.root.ids().iter().any(|id| matches!(graph.root.node(*id).op, Op::Draw(..)));
    assert!(draws(graphs.evaluate.as_ref().expect("it has an objective")), "the objective draws what is hidden");
}
