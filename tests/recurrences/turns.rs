//! A recurrence that sums across what it carries: many turns go through it in another order than few.

use super::super::compiled::{graphs, model_with, programs};
use archc::driver::{Session, compile};
use archc::model::Model;
use archc::model::library::embedded;
use archc::target::{Level, Target};
use archc::verify::rows::{padded, part_of};
use archc::verify::weights::{Random, random_weights};
use archc::verify::{Array, Batch, Engine, Interpreted, Native};

/// With so many channels, and numbers that each of them carries.
fn selective_scan(channels: &str, each: &str) -> Model {
    let text = embedded("examples/ops/selective_scan.arch").expect("an example");
    model_with(text, &[("c", channels), ("n", each)])
}

fn targets() -> impl Iterator<Item = Target> {
    [Level::Baseline, Level::Avx2, Level::Avx512].map(Target::of).into_iter().filter(Target::runs_here)
}

fn output(engine: &mut dyn Engine, model: &Model, batch: &Batch) -> Array {
    let outputs = engine.forward(&random_weights(model, 3), batch);
    outputs.unwrap_or_else(|failure| panic!("{failure:?}")).remove("y").expect("the output")
}

/// The output by code for a target.
fn native(model: &Model, batch: &Batch, target: &Target) -> Array {
    let compiled = compile(model, &graphs(model), target, &mut Session::default());
    let compiled = compiled.unwrap_or_else(|failure| panic!("{failure:?}"));
    let mut native = Native::new(model, &compiled, 1).unwrap_or_else(|failure| panic!("{failure:?}"));
    output(&mut native, model, batch)
}

/// Each row at its first three positions.
fn first_three(output: &Array) -> Vec<&[f64]> {
    let [rows, positions, channels] = output.shape[..] else { panic!("{:?}", output.shape) };
    (0..rows).map(|row| &output.data[row * positions * channels..][..3 * channels]).collect()
}

#[test]
fn three_positions_alone_are_bit_for_bit_the_first_of_nine() {
    let model = selective_scan("32", "4");
    let nine = padded(&model, &|_| [9, 3, 6], &mut Random::new(5)).expect("inputs can be drawn");
    let three = part_of(&model, &nine, Some("t"), &[0; 3], &[3; 3]).expect("they lie along t once");
    for target in targets() {
        let [three, nine] = [&three, &nine].map(|batch| native(&model, batch, &target));
        assert_eq!(first_three(&three), first_three(&nine), "{target:?}");
    }
}

#[test]
fn any_number_that_each_channel_carries_means_the_same_in_lanes_of_channels() {
    for each in ["3", "4", "8", "16", "21"] {
        let model = selective_scan("32", each);
        let batch = padded(&model, &|_| [9, 3, 6], &mut Random::new(7)).expect("inputs can be drawn");
        let meant = output(&mut Interpreted::new(&model, &graphs(&model)), &model, &batch);
        // The first row, which has all nine. What is carried may grow, and cancel in the sum.
        let meant = &meant.data[..9 * 32];
        let largest = meant.iter().fold(1.0, |largest: f64, value| largest.max(value.abs()));
        for target in targets() {
            for (meant, computed) in meant.iter().zip(&native(&model, &batch, &target).data) {
                assert!((meant - computed).abs() <= 1e-6 * largest, "{each} on {target:?}: {computed}, not {meant}");
            }
        }
    }
}

#[test]
fn what_is_carried_is_turned_where_channels_fill_the_lanes() {
    let turned = |channels: &str| {
        let programs = programs(&graphs(&selective_scan(channels, "4")));
        programs[0].buffers.iter().any(|buffer| buffer.name.starts_with("turned"))
    };
    assert_eq!(["32", "24"].map(turned), [true, false]);
}
