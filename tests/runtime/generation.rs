//! Generation says what the sampler chooses: alone or in a batch, in one go or piece by piece.

use super::fake;
use archc_runtime::Result;
use archc_runtime::generate::{Decoder, Given, Limits, Session, Turns, row_numbers};
use archc_runtime::model::Loaded;
use std::ops::ControlFlow;

/// No noise: the best token.
const GREEDY: f64 = 0.0;

fn limits(new: usize) -> Limits {
    Limits { new, end_tokens: vec![] }
}

/// A model whose choices are far apart.
fn model() -> Loaded {
    let mut model = fake::model(1, 11);
    let (_, parameters, _) = model.parameters_mut();
    parameters[0].slice_mut::<f32>().iter_mut().for_each(|score| *score *= 200.0);
    model
}

/// A session whose sampler has so much noise.
fn session<'m>(model: &'m mut Loaded, prompts: &[Vec<u32>], noise: f64, context: usize) -> Result<Session<'m>> {
    let turns = Turns::new(vec![(fake::NOISE.to_owned(), noise)], 5, row_numbers(prompts));
    Session::new(Decoder::choosing(model, context, Given::default(), turns)?, prompts)
}

fn generate(prompts: &[Vec<u32>], noise: f64, limits: &Limits, context: usize) -> Result<Vec<Vec<u32>>> {
    let mut model = model();
    let mut session = session(&mut model, prompts, noise, context)?;
    session.generate(limits, |_, _| Ok(ControlFlow::Continue(())))?;
    Ok((0..prompts.len()).map(|row| session.ids(row).to_vec()).collect())
}

#[test]
fn a_row_says_the_same_alone_and_in_a_batch() {
    let prompts = vec![vec![1, 2, 3], vec![7], vec![9, 9, 9, 9, 9, 1], vec![7]];
    for noise in [GREEDY, 1.5] {
        let together = generate(&prompts, noise, &limits(20), 40).unwrap();
        for (prompt, ids) in prompts[..3].iter().zip(&together) {
            assert_eq!(generate(std::slice::from_ref(prompt), noise, &limits(20), 64).unwrap()[0], *ids);
        }
        // The same prompt twice: the same greedily, another draw otherwise.
        assert_eq!(together[1] == together[3], noise == GREEDY);
    }
}

#[test]
fn a_conversation_goes_on_as_if_it_had_been_one_text() {
    let mut model = model();
    let mut session = session(&mut model, &[vec![1, 2]], GREEDY, 100).unwrap();
    let hear = |_, _| Ok(ControlFlow::Continue(()));
    session.generate(&limits(5), hear).unwrap();
    session.say(0, &[40, 41, 42]).unwrap();
    session.generate(&limits(5), hear).unwrap();
    let all = session.ids(0).to_vec();
    assert_eq!(all.len(), 15);
    assert_eq!(generate(&[all[..10].to_vec()], GREEDY, &limits(5), 100).unwrap()[0], all);
}

#[test]
fn long_prompts_go_in_by_pieces() {
    let prompt: Vec<u32> = (0..1300).map(|at| at * 7 % 256).collect();
    let whole = generate(&[prompt.clone(), vec![3]], GREEDY, &limits(3), 1400).unwrap();
    assert_eq!(whole[0].len(), 1303);
    assert_eq!(generate(&[vec![3]], GREEDY, &limits(3), 10).unwrap()[0], whole[1]);
}

#[test]
fn rows_stop_at_end_tokens_at_a_full_context_and_when_told() {
    let free = generate(&[vec![1, 2]], GREEDY, &limits(6), 50).unwrap();
    let end = Limits { new: 6, end_tokens: vec![free[0][4]] };
    assert_eq!(generate(&[vec![1, 2]], GREEDY, &end, 50).unwrap()[0], free[0][..5]);
    assert_eq!(generate(&[vec![1, 2]], GREEDY, &limits(6), 4).unwrap()[0], free[0][..4]);
    let mut model = model();
    let mut session = session(&mut model, &[vec![1, 2]], GREEDY, 50).unwrap();
    session.generate(&limits(6), |_, _| Ok(ControlFlow::Break(()))).unwrap();
    assert_eq!(session.ids(0), &free[0][..3]);
}

#[test]
fn requests_without_meaning_are_refused_before_any_work() {
    let message =
        |prompt: Vec<u32>, noise, context| generate(&[prompt], noise, &limits(3), context).unwrap_err().to_string();
    assert!(message(vec![], GREEDY, 10).contains("the prompt is empty"));
    assert!(message(vec![1; 10], GREEDY, 10).contains("the prompt has 10 tokens"));
    assert!(message(vec![256], GREEDY, 10).contains("does not know the token id 256"));
    assert!(message(vec![1], -1.0, 10).contains("`temperature` is 0 or more"));
    assert!(message(vec![1], f64::NAN, 10).contains("`temperature` is 0 or more"));
}

#[test]
fn a_snapshot_is_gone_back_to_as_often_as_one_likes() {
    let mut model = model();
    let mut decoder = Decoder::new(&mut model, 2, 20).unwrap();
    decoder.feed(&[&[1, 2, 3], &[4]]).unwrap();
    let snapshot = decoder.snapshot().unwrap();
    decoder.feed(&[&[5], &[6, 7]]).unwrap();
    let after = [decoder.scores(0).to_vec(), decoder.scores(1).to_vec()];
    decoder.feed(&[&[9, 9, 9], &[8]]).unwrap();
    for _ in 0..2 {
        decoder.restore(&snapshot).unwrap();
        assert_eq!([decoder.filled(0), decoder.filled(1)], [3, 1]);
        decoder.feed(&[&[5], &[6, 7]]).unwrap();
        assert_eq!([decoder.scores(0), decoder.scores(1)], [&after[0], &after[1]]);
    }
}
