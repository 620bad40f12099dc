//! Objectives: what they do to a text has the statistics that their papers state, and nothing is lost on the way.

use crate::compiled::{graphs, loaded, model};
use crate::program::models::checked;
use archc::derive::build;
use archc::interpret::{Data, Feed, run};
use archc_runtime::data::Tokens;
use archc_runtime::evaluate;
use std::collections::HashMap;

/// Rows and positions of a text whose tokens are all unlike the special ones.
const ROWS: usize = 4;
const LONG: usize = 600;
const MASK: f64 = 7.0;

/// The outputs of a model without parameters, over a text of small tokens.
fn outputs(text: &str) -> HashMap<String, Vec<f64>> {
    let model = checked(text.to_string());
    let graph = build(&model, &model.forward, "forward");
    let mut feed = Feed { seed: 5, ..Feed::default() };
    feed.inputs.insert("ids".into(), Data::new([ROWS, LONG], ids()));
    let keep = (0..ROWS * LONG).map(|place| f64::from(place % 10 != 0)).collect::<Vec<_>>();
    feed.inputs.insert("keep".into(), Data::new([ROWS, LONG], keep));
    let outputs = run(&graph, &feed).expect("runs");
    outputs.all.iter().map(|(name, array)| (name.clone(), array.numbers.to_vec())).collect()
}

fn ids() -> Vec<f64> {
    (0..ROWS * LONG).map(|place| (10 + place * 7 % 500) as f64).collect()
}

/// The share of some places, which has to lie within four deviations of what is expected.
fn is_about(share: f64, expected: f64, of: usize) {
    let deviation = (expected * (1.0 - expected) / of as f64).sqrt();
    assert!((share - expected).abs() < 4.0 * deviation, "{share} of {of} places, and {expected} is expected");
}

#[test]
fn fifteen_in_a_hundred_are_masked_of_these_eight_in_ten_hidden_one_replaced_one_kept() {
    let outputs = outputs(
        "model Masking {
  dim t, v = 1000
  input ids[t] : v, keep[t] : bool
  noisy, chosen = mask_some(ids, 7, keep)
  output noisy_of = noisy
  output chosen_of = chosen
}",
    );
    let (noisy, chosen, ids) = (&outputs["noisy_of"], &outputs["chosen_of"], ids());
    let places = (0..ROWS * LONG).filter(|place| place % 10 != 0).collect::<Vec<_>>();
    let picked = places.iter().copied().filter(|place| chosen[*place] == 1.0).collect::<Vec<_>>();
    is_about(picked.len() as f64 / places.len() as f64, 0.15, places.len());
    let share = |wanted: &dyn Fn(usize) -> bool| {
        picked.iter().filter(|place| wanted(**place)).count() as f64 / picked.len() as f64
    };
    is_about(share(&|place| noisy[place] == MASK), 0.8, picked.len());
    is_about(share(&|place| noisy[place] == ids[place]), 0.1, picked.len());
    is_about(share(&|place| noisy[place] != MASK && noisy[place] != ids[place]), 0.1, picked.len());
    for place in (0..ROWS * LONG).filter(|place| chosen[*place] == 0.0) {
        assert_eq!(noisy[place], ids[place], "what is not chosen stays");
    }
    assert!((0..ROWS * LONG).step_by(10).all(|place| chosen[place] == 0.0), "what is left out is never chosen");
}

/// Runs of ones of one row: their lengths.
fn runs(row: &[f64]) -> Vec<usize> {
    row.split(|hidden| *hidden == 0.0).map(<[f64]>::len).filter(|length| *length > 0).collect()
}

const SPANS: &str = "model Spans {
  dim t, v = 1000, o = |t|, p = |t|
  input ids[t] : v
  hidden = spans[t]()
  source, target = cut_spans(ids, hidden)
  filled = infill(ids, hidden, 7)
  output hidden_of = hidden
  output source_of = source else 0
  output target_of = target else 0
  output filled_of = filled else 0
}";

#[test]
fn fifteen_in_a_hundred_are_cut_out_in_spans_of_three() {
    let outputs = outputs(SPANS);
    let hidden = &outputs["hidden_of"];
    let lengths: Vec<usize> = hidden.chunks(LONG).flat_map(runs).collect();
    let cut: usize = lengths.iter().sum();
    // Neighbours are alike, by r = 2/3 - 0.059, so that a share varies (1 + r) / (1 - r) = 4.1 times as much.
    is_about(cut as f64 / hidden.len() as f64, 0.15, hidden.len() / 5);
    let mean = cut as f64 / lengths.len() as f64;
    // A length is geometric with mean 3: its deviation is the root of 6.
    assert!((mean - 3.0).abs() < 4.0 * (6.0 / lengths.len() as f64).sqrt(), "{mean} on average");
}

#[test]
fn what_is_cut_out_can_be_put_back_from_its_marks() {
    let outputs = outputs(SPANS);
    let rows =
        outputs["source_of"].chunks(LONG).zip(outputs["target_of"].chunks(LONG)).zip(outputs["filled_of"].chunks(LONG));
    for (((source, target), filled), ids) in rows.zip(ids().chunks(LONG)) {
        let mark = |number: usize| 999.0 - number as f64;
        let (mut text, mut marks) = (Vec::new(), 0);
        for token in source.iter().copied().filter(|token| *token != 0.0) {
            if token != mark(marks) {
                text.push(token);
                continue;
            }
            let from = target.iter().position(|token| *token == mark(marks)).expect("every mark is explained") + 1;
            marks += 1;
            text.extend(target[from..].iter().take_while(|token| **token != mark(marks) && **token != 0.0));
        }
        assert_eq!(text, ids);
        assert!(marks > 10, "something was cut out");
        let masked: Vec<f64> = source.iter().map(|token| if *token > 900.0 { MASK } else { *token }).collect();
        assert_eq!(filled, masked, "infilling leaves one mask where cutting leaves its mark");
    }
}

#[test]
fn windows_of_an_evaluation_draw_the_same_in_batches_of_any_size() {
    let model = model(
        "model Drawn {
  dim t, v = 256
  input ids[t] : v
  param table[v] = 0
  share ~ uniform(0, 1)
  x = table[v: ids] + share
  for n in 2 {
    more[t] ~ uniform(-1, 1)
    x += more
  }
  loss mean[batch, t](x)
}",
    );
    let mut started = loaded(&model, &graphs(&model), &[], 1);
    started.initialize(1).expect("its manifest is sound");
    // The last window is shorter, and the last batch of each size smaller.
    let tokens = Tokens::Bytes(vec![65; 8 * 400 + 4]);
    let mut mean = |batch| evaluate::loss(&mut started, &tokens, 0..tokens.len(), 8, batch).expect("a text of windows");
    let alone = mean(1);
    // The mean of 400 even numbers and of two for each token, within four deviations; of one it would rarely be.
    let deviation = (1.0 / 12.0 / 400.0 + 2.0 * 4.0 / 12.0 / 3200.0_f64).sqrt();
    assert!((alone - 0.5).abs() < 4.0 * deviation, "{alone}");
    for batch in [3, 150, 1000] {
        let together = mean(batch);
        assert!((together - alone).abs() < 1e-6, "batches of {batch}: {together} instead of {alone}");
    }
}
