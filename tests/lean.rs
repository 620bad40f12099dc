//! A model that only reads holds every number once: what is read in panels is given back as it stood.

use super::compiled::{graphs, loaded};
use super::generation::{NEW, prompts, tiny_of, turned_from};
use archc::verify::weights::random_weights;
use archc_runtime::abi::names;
use archc_runtime::model::{Loaded, States};

const TURNS: [&str; 3] = [names::TURN, names::TURN_BEGIN, names::REQUIRE];

fn numbers(loaded: &Loaded) -> usize {
    loaded.parameters().iter().map(|parameter| parameter.len()).sum()
}

#[test]
fn a_model_that_only_reads_keeps_nothing_twice_and_says_the_same() {
    let model = tiny_of("greedy", 19);
    let weights = random_weights(&model, 3);
    let mut whole = loaded(&model, &graphs(&model), &weights, 2);
    let mut lean = loaded(&model, &graphs(&model), &weights, 2);
    lean.read_only(&TURNS).expect("it has turns");
    // What is left: the table, whose rows are looked up, and the weights of five norms.
    assert_eq!(numbers(&lean), 19 * 12 + 5 * 12);
    assert!(numbers(&whole) > 5 * numbers(&lean));
    assert_eq!(turned_from(&mut lean, &prompts(), &[], NEW), turned_from(&mut whole, &prompts(), &[], NEW));
}

#[test]
fn what_was_given_back_is_missed_by_others() {
    let model = tiny_of("greedy", 19);
    let mut lean = loaded(&model, &graphs(&model), &random_weights(&model, 3), 1);
    lean.read_only(&TURNS).expect("it has turns");
    let mut train = lean.prepare_call(names::TRAIN, &[("batch", 1), ("t", 4)]).expect("it is a program");
    let refusal = lean.run(&mut train, &mut States::new()).expect_err("its parameters are gone");
    assert!(refusal.to_string().contains("sees the parameter"), "{refusal}");
    // Nothing can be filled in again either, by halves.
    lean.parameters_mut();
    let mut turn = lean.prepare_call(names::TURN, &[("batch", 1), ("chunk", 1), ("context", 4), ("recent", 4)]);
    let refused = turn.as_mut().map(|turn| lean.run(turn, &mut States::new()).is_err());
    assert!(refused.expect("it is a program"));
}
