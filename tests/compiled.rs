//! From a text to the programs of its model, for tests that ask what the whole pipeline makes of a program.

use archc::diagnostics::{Diagnostics, render};
use archc::driver::{self, Failure, Graphs, Session, compile};
use archc::fault::Fault;
use archc::model::{self, Model, Overrides};
use archc::plan::Program;
use archc::source::Sources;
use archc::target::Target;
use archc::verify::Array;
use archc::verify::native::load;
use archc_runtime::model::Loaded;

/// The model of a text that must be sound; settings and sizes may be changed from outside.
pub fn model_with(text: &str, settings: &[(&str, &str)]) -> Model {
    let (mut sources, mut sink) = (Sources::default(), Diagnostics::default());
    let main = sources.add("test.arch", text);
    let library = model::load(&mut sources, main, &mut sink);
    let mut overrides = Overrides::default();
    let setting = |text: &str| driver::setting(text).unwrap_or_else(|failure| panic!("{failure:?}"));
    overrides.0.extend(settings.iter().map(|(name, value)| (name.to_string(), setting(value))));
    let model = model::check(&library, &overrides, &mut sink);
    model.unwrap_or_else(|| panic!("{}\n{text}", render(&sink, &sources, false)))
}

pub fn model(text: &str) -> Model {
    model_with(text, &[])
}

pub fn graphs(model: &Model) -> Graphs {
    driver::graphs(model, &mut Session::default()).unwrap_or_else(|failure| fail(&failure))
}

pub fn programs(graphs: &Graphs) -> Vec<Program> {
    driver::programs(graphs, &mut Session::default()).unwrap_or_else(|failure| fail(&failure))
}

/// The compiled model on so many threads, with these weights.
pub fn loaded(model: &Model, graphs: &Graphs, weights: &[Array], threads: usize) -> Loaded {
    let compiled = compile(model, graphs, &Target::native(), &mut Session::default());
    let compiled = compiled.unwrap_or_else(|failure| panic!("{failure:?}"));
    let mut loaded = load(&compiled, threads).unwrap_or_else(|failure| panic!("{failure:?}"));
    let (_, tensors, _) = loaded.parameters_mut();
    for (tensor, array) in tensors.iter_mut().zip(weights) {
        let slots = tensor.slice_mut::<f32>();
        slots.iter_mut().zip(&array.data).for_each(|(slot, number)| *slot = *number as f32);
    }
    loaded
}

/// Says what is wrong, without the whole graph.
pub fn fail(failure: &Failure) -> ! {
    match failure {
        Failure::Fault(Fault::Bug(bug)) => panic!("{}: {}", bug.stage, bug.guarantee),
        other => panic!("{other:?}"),
    }
}
