//! Programs are called with the buffers that the manifest lists, and wrong requests are refused.

use super::fake;
use archc_runtime::abi::{Element, names};
use archc_runtime::memory::Tensor;
use archc_runtime::model::States;

#[test]
fn a_call_brings_inputs_in_and_outputs_out() {
    let mut model = fake::model(1, 3);
    let mut call = model.prepare_call(names::FORWARD, &[("batch", 2), ("t", 5)]).unwrap();
    let ids = Tensor::of(&[2, 5], &[1, 2, 3, 4, 5, 9, 8, 7, 6, 5]).unwrap();
    call.set_input("ids", &ids).unwrap();
    model.run(&mut call, &mut States::new()).unwrap();
    let logits = call.output("logits").unwrap();
    assert_eq!(logits.shape(), [2, 5, 256]);
    let table = model.parameters()[0].slice::<f32>();
    assert_eq!(logits.slice::<f32>()[..256], table[256..512]);
}

#[test]
fn wrong_requests_are_refused_with_a_hint() {
    let model = fake::model(1, 3);
    let error = model.prepare_call("forwrd", &[]).unwrap_err().to_string();
    assert!(error.contains("without the program `forwrd`") && error.contains("`forward`"), "{error}");
    let mut call = model.prepare_call(names::FORWARD, &[("batch", 2), ("t", 5)]).unwrap();
    let wrong = Tensor::zeros(Element::I32, &[2, 4]).unwrap();
    assert!(call.set_input("ids", &wrong).unwrap_err().to_string().contains("[2, 4]"));
    assert!(call.set_input("idz", &wrong).unwrap_err().to_string().contains("`ids`"));
    assert!(call.output("loss").is_err());
}

#[test]
fn initial_values_depend_on_the_seed_and_not_on_threads() {
    let values = |threads, seed| fake::model(threads, seed).parameters()[0].slice::<f32>().to_vec();
    assert_eq!(values(1, 7), values(2, 7));
    assert_ne!(values(1, 7), values(1, 8));
    let drawn = values(1, 7);
    let mean = drawn.iter().sum::<f32>() / drawn.len() as f32;
    let deviation = (drawn.iter().map(|value| value * value).sum::<f32>() / drawn.len() as f32).sqrt();
    assert!(mean.abs() < 5e-4 && (deviation - 0.02).abs() < 5e-4, "{mean} {deviation}");
}
