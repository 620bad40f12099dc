//! Samplers as PTX: turns choose on the machine what their block, run by the interpreter over whole sequences, chooses.

use super::models::loaded;
use crate::compiled::graphs;
use crate::generation::{CHOICES, NEW, block, interpreted, prompts, tiny_of, turned_from};
use archc::gpu::Precision;
use archc::verify::weights::random_weights;

#[test]
fn turns_choose_in_ptx_what_the_block_chooses() {
    for (sampler, tokens, all) in CHOICES {
        let model = tiny_of(sampler, tokens);
        let weights = random_weights(&model, 3);
        let mut machine = loaded(&model, &graphs(&model), 16, Precision::F32);
        let (_, tensors, _) = machine.parameters_mut();
        for (tensor, array) in tensors.iter_mut().zip(&weights) {
            let numbers = tensor.slice_mut::<f32>().iter_mut().zip(&array.data);
            numbers.for_each(|(slot, number)| *slot = *number as f32);
        }
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
