//! What `bench` measures: passes with all of their operations, tokens with all that they read.

use crate::compiled::{graphs, loaded, model, model_with};
use archc::model::library::embedded;
use archc::plan::{Interface, schedule};
use archc::target::{Level, Target};
use archc::verify::weights::random_weights;
use archc_runtime::bench::{Limit, Pass, decode, forward};

/// What a forward pass over two rows of five positions has to do, if it could be measured.
fn pass(file: &str, settings: &[(&str, &str)]) -> Pass {
    let model = model_with(embedded(file).expect("an example"), settings);
    let mut loaded = loaded(&model, &graphs(&model), &random_weights(&model, 1), 1);
    let pass = forward(&mut loaded, (2, 5), 1, &mut Limit).unwrap_or_else(|failure| panic!("{failure:?}"));
    assert!(pass.rates.iter().all(|rate| rate.median > 0.0), "{pass:?}");
    pass
}

#[test]
fn a_product_without_tokens_is_measured_by_its_multiply_adds() {
    let pass = pass("examples/ops/product.arch", &[("d", "24"), ("f", "40")]);
    assert_eq!((pass.multiply_adds, pass.elementwise), (f64::from(2 * 5 * 24 * 40), 0.0));
}

#[test]
fn a_selective_scan_is_measured_by_what_a_vector_unit_must_do_for_it() {
    let pass = pass("examples/ops/selective_scan.arch", &[("c", "6"), ("n", "4")]);
    // For each number that is kept: a rate times a step, 16 or 15 for its exponential, the input's share, the new number and
    // what the output has of it. For each channel: the step negated and the step times the input. Once: rates as powers.
    let (positions, channels, kept) = (2 * 5, 6, 6 * 4);
    let exponential = if Target::native().level == Level::Avx512 { 15 } else { 16 };
    let expected = positions * (kept * (1 + exponential + 1 + 1 + 1) + channels * 2) + kept * exponential;
    assert_eq!((pass.multiply_adds, pass.elementwise), (0.0, f64::from(expected)));
}

#[test]
fn a_product_that_is_read_twice_is_an_instruction_of_its_own() {
    let elementwise = |lines: &str| {
        let text = format!("model Few {{\n  dim t, c = 3\n  input x[t, c], z[t, c]\n{lines}\n}}\n");
        let program = schedule(&graphs(&model(&text)).forward, &Interface::default());
        program.elementwise.evaluate(&[1, 1])
    };
    assert_eq!(elementwise("  output y = x * z + z"), 3);
    assert_eq!(elementwise("  p = x * z\n  output y = p + z\n  output q = p"), 6);
    assert_eq!(elementwise("  output y = x * z + x * x"), 6);
}

#[test]
fn a_model_of_tokens_is_measured_over_whole_rows() {
    let settings = [("layers", "1"), ("d", "16"), ("heads", "2"), ("kv_heads", "1"), ("hidden", "24"), ("v", "31")];
    let [one, two] = ["1", "2"]
        .map(|layers| pass("examples/llama.arch", &[&[("layers", layers)], &settings[1..]].concat()).multiply_adds);
    let table = f64::from(2 * 5 * 16 * 31);
    assert_eq!(two - table, 2.0 * (one - table));
}

#[test]
fn decoding_reads_each_weight_and_all_that_is_kept_once() {
    let settings = [("layers", "1"), ("d", "16"), ("heads", "4"), ("kv_heads", "1"), ("hidden", "24"), ("v", "31")];
    let bytes = |prompt| {
        let model = model_with(embedded("examples/llama.arch").expect("an example"), &settings);
        let mut loaded = loaded(&model, &graphs(&model), &random_weights(&model, 1), 1);
        let (_, bytes) = decode(&mut loaded, prompt, 1, &mut Limit).unwrap_or_else(|failure| panic!("{failure:?}"));
        bytes
    };
    // Four heads read one key and one value of width 4, in four bytes each.
    assert_eq!(bytes(9) - bytes(2), f64::from(7 * 2 * 4 * 4));
    let weights = 2 * 16 * 16 + 2 * 16 * 4 + 3 * 16 * 24 + 16 * 31;
    let beside = bytes(2) - f64::from(4 * weights);
    assert!((0.0..1000.0).contains(&beside), "{beside}");
}
