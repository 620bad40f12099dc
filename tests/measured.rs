//! What `bench` measures: passes with all of their operations, tokens with all that they read.

use crate::compiled::{graphs, loaded, model_with};
use archc::model::library::embedded;
use archc::verify::weights::random_weights;
use archc_runtime::bench::{Limit, decode, forward};

/// The operations of a forward pass over two rows of five positions, if it could be measured.
fn operations(file: &str, settings: &[(&str, &str)]) -> f64 {
    let model = model_with(embedded(file).expect("an example"), settings);
    let mut loaded = loaded(&model, &graphs(&model), &random_weights(&model, 1), 1);
    let (rates, operations) =
        forward(&mut loaded, (2, 5), 1, &mut Limit).unwrap_or_else(|failure| panic!("{failure:?}"));
    assert!(rates.iter().all(|rate| rate.median > 0.0), "{rates:?}");
    operations
}

#[test]
fn a_product_without_tokens_is_measured_by_its_multiply_adds() {
    assert_eq!(operations("examples/ops/product.arch", &[("d", "24"), ("f", "40")]), f64::from(2 * 2 * 5 * 24 * 40));
}

#[test]
fn a_model_of_tokens_is_measured_over_whole_rows() {
    let settings = [("layers", "1"), ("d", "16"), ("heads", "2"), ("kv_heads", "1"), ("hidden", "24"), ("v", "31")];
    let [one, two] =
        ["1", "2"].map(|layers| operations("examples/llama.arch", &[&[("layers", layers)], &settings[1..]].concat()));
    let table = f64::from(2 * 2 * 5 * 16 * 31);
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
