//! What a token costs in rows of different lengths: measured, and what is said of it.

use super::super::compiled::{graphs, loaded, model};
use archc::verify::weights::random_weights;
use archc_runtime::bench::{Length, Work, measure_lengths};
use archc_runtime::model::Loaded;

const WORKS: [Work; 2] = [Work::Train, Work::Decode];

fn recurrence() -> Loaded {
    let model = model(&super::with(include_str!("two_states.arch")));
    let weights = random_weights(&model, 1);
    loaded(&model, &graphs(&model), &weights, 1)
}

/// What is heard of some lengths, if listening ends after so many.
fn heard(model: &mut Loaded, lengths: &[usize], most: usize) -> Vec<Length> {
    let mut heard = Vec::new();
    let measured = measure_lengths(model, &WORKS, lengths, 1, &mut |length| {
        heard.push(length.clone());
        Ok(heard.len() < most)
    });
    measured.unwrap_or_else(|failure| panic!("{failure:?}"));
    heard
}

#[test]
fn a_token_is_trained_on_and_decoded_in_rows_of_each_length_and_compared_with_the_first() {
    let lengths = [8, 3, 16];
    let heard = heard(&mut recurrence(), &lengths, lengths.len());
    assert_eq!(heard.iter().map(|length| length.positions).collect::<Vec<_>>(), lengths);
    for length in &heard {
        assert_eq!(length.costs.iter().map(|cost| cost.work).collect::<Vec<_>>(), WORKS);
        for (cost, first) in length.costs.iter().zip(&heard[0].costs) {
            assert!(cost.seconds > 0.0 && cost.share.median > 0.0, "{cost}");
            assert_eq!(cost.relative, cost.seconds / first.seconds);
        }
    }
    let numbers = |line: &str| line.chars().filter(|letter| !letter.is_ascii_digit()).collect::<String>();
    let words = |line: &str| line.split_whitespace().map(numbers).collect::<Vec<_>>().join(" ");
    let cost = |work| format!("{work} . µs a token = . × the first, . % of the limit");
    for length in &heard {
        assert_eq!(words(&length.to_string()), format!(" positions {} {}", cost("train"), cost("decode")));
    }
    assert!(heard[1].to_string().trim_start().starts_with("3 positions"));
}

#[test]
fn no_length_is_measured_after_the_one_at_which_the_user_stops() {
    assert_eq!(heard(&mut recurrence(), &[4, 5, 6], 2).len(), 2);
}
