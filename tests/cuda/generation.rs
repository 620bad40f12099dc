//! Samplers as PTX: turns choose on the machine what their block, run by the interpreter over whole sequences, chooses.

use super::models::{loaded, observed};
use super::traffic::{Crossed, Traffic};
use crate::compiled::{self, graphs};
use crate::generation::{CHOICES, NEW, block, interpreted, prompts, tiny_of, turned_from};
use archc::gpu::Precision;
use archc::verify::Array;
use archc::verify::weights::random_weights;
use archc_runtime::generate::{Decoder, Given, Limits, Session, Turns};
use archc_runtime::model::Loaded;
use std::ops::ControlFlow;

#[test]
fn turns_choose_in_ptx_what_the_block_chooses() {
    for (sampler, tokens, all) in CHOICES {
        let model = tiny_of(sampler, tokens);
        let weights = random_weights(&model, 3);
        let mut machine = loaded(&model, &graphs(&model), 16, Precision::F32);
        fill(&mut machine, &weights);
        for settings in all {
            let ids = interpreted(&model, &block(&model).0, &weights, settings);
            assert_eq!(
                turned_from(&mut machine, &prompts(), settings, NEW),
                ids,
                "{sampler} of {tokens}: {settings:?}"
            );
        }
    }
}

fn fill(machine: &mut Loaded, weights: &[Array]) {
    let (_, tensors, _) = machine.parameters_mut();
    for (tensor, array) in tensors.iter_mut().zip(weights) {
        let numbers = tensor.slice_mut::<f32>().iter_mut().zip(&array.data);
        numbers.for_each(|(slot, number)| *slot = *number as f32);
    }
}

/// What the process and its machine have had to do with each other.
#[derive(Debug, Default, PartialEq, Eq)]
struct Dealings {
    crossed: Crossed,
    /// Copies to the machine, and from it.
    copies: [usize; 2],
    /// What was asked to be launched, and what was launched.
    launches: [usize; 2],
    recorded: u64,
}

impl Dealings {
    fn of(traffic: &Traffic) -> Dealings {
        let (asked, recorded) = traffic.requests();
        let launches = [asked, traffic.launches()];
        Dealings { crossed: traffic.crossed(), copies: traffic.copies(), launches, recorded }
    }

    fn since(self, before: &Dealings) -> Dealings {
        let less = |own: [usize; 2], other: [usize; 2]| [own[0] - other[0], own[1] - other[1]];
        let [up, down] = less(self.crossed.both(), before.crossed.both());
        let (copies, launches) = (less(self.copies, before.copies), less(self.launches, before.launches));
        Dealings { crossed: Crossed { up, down }, copies, launches, recorded: self.recorded - before.recorded }
    }
}

/// What one turn more comes to, among turns of one batch.
fn turn_more(machine: &mut Loaded, traffic: &Traffic, settings: &[(&str, f64)]) -> Dealings {
    // Parameters cross once, before the first turn of all.
    turned_from(machine, &prompts(), settings, 1);
    let [one, other] = [4, 5].map(|turns| {
        let before = Dealings::of(traffic);
        turned_from(machine, &prompts(), settings, turns);
        Dealings::of(traffic).since(&before)
    });
    assert_eq!(one.recorded, 1, "one batch has one recording");
    other.since(&one)
}

/// Samplers of four rows: what they choose from is never seen, nor what a turn of a search hands to the next.
#[test]
fn a_turn_is_one_launch_and_one_small_copy_each_way() {
    let all: [(&str, &[(&str, f64)]); 3] =
        [("greedy", &[]), ("sample", &[("top_k", 5.0)]), ("beam", &[("beams", 1.0), ("new", 9.0)])];
    for (sampler, settings) in all {
        let model = tiny_of(sampler, 61);
        let (mut machine, _, traffic) = observed(&model, &graphs(&model), 20, Precision::F32);
        fill(&mut machine, &random_weights(&model, 3));
        let turn = turn_more(&mut machine, &traffic, settings);
        println!("{sampler}: {turn:?}");
        assert_eq!((turn.copies, turn.launches[0], turn.recorded), ([1, 1], 1, 0), "{sampler}: {turn:?}");
        assert!(turn.launches[1] > 20, "{sampler}: {turn:?}");
        let scores = prompts().len() * 61 * size_of::<f32>();
        assert!(turn.crossed.both().iter().all(|bytes| 2 * bytes < scores), "{sampler}: {turn:?}");
    }
}

/// What three rows say before and after they are told more than their prompts are long.
fn conversation(model: &mut Loaded) -> Vec<Vec<u32>> {
    let settings = [("end", -1.0), ("new", 4.0)].map(|(name, value)| (name.to_string(), value));
    let turns = Turns::new(settings.to_vec(), 1, (0..3).collect());
    let decoder = Decoder::choosing(model, 40, Given::default(), turns).expect("it has turns");
    let mut rows = Session::new(decoder, &prompts()[..3]).expect("good prompts");
    for round in 0..3 {
        (0..3).for_each(|row| rows.say(row, &[1 + row as u32; 12][..4 * round]).expect("there is room"));
        let limits = Limits { new: 4, end_tokens: Vec::new() };
        rows.generate(&limits, |_, _| Ok(ControlFlow::Continue(()))).expect("generates");
    }
    (0..3).map(|row| rows.ids(row).to_vec()).collect()
}

/// A longer piece needs more scratch memory: all that was recorded is of the old one.
#[test]
fn turns_are_recorded_anew_where_memory_has_moved() {
    let model = tiny_of("greedy", 19);
    let (graphs, weights) = (graphs(&model), random_weights(&model, 3));
    let (mut machine, _, traffic) = observed(&model, &graphs, 21, Precision::F32);
    fill(&mut machine, &weights);
    assert_eq!(conversation(&mut machine), conversation(&mut compiled::loaded(&model, &graphs, &weights, 1)));
    assert!(traffic.requests().1 > 1, "{:?}", traffic.requests());
}
