//! Rows are documents: changing one leaves every number of all others as it was, bit for bit, in every family.

use archc::driver::{self, Request, Session, find_family};
use archc::model::{Input, Model};
use archc::tensor::{BATCH, DType};
use archc::verify::inputs::inputs;
use archc::verify::layout::parameters_of;
use archc::verify::{Array, Batch, Case, Engine, Interpreted};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Every case of the repository.
fn cases() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/oracles");
    let entries = std::fs::read_dir(folder).expect("tests/oracles").flatten().map(|entry| entry.path());
    let mut cases = entries.filter(|path| path.join("case.json").exists()).collect::<Vec<_>>();
    cases.sort();
    cases
}

/// At least two rows: a single one stands twice.
fn several(batch: Batch) -> Batch {
    if batch.rows > 1 {
        return batch;
    }
    let twice = |(name, mut array): (String, Array)| {
        array.data.extend_from_within(..);
        array.shape[0] = 2;
        (name, array)
    };
    let lengths = batch.lengths.into_iter().map(|(name, lengths)| (name, lengths.repeat(2))).collect();
    Batch { rows: 2, lengths, inputs: batch.inputs.into_iter().map(twice).collect() }
}

/// The first row as another document: other tokens, other numbers.
fn with_another_first_row(model: &Model, batch: &Batch) -> Batch {
    let mut changed = batch.clone();
    for input in model.inputs.iter().filter(|input| input.dtype != DType::Bool) {
        let Some(array) = changed.inputs.get_mut(&input.name) else { continue };
        let width = array.data.len() / batch.rows;
        array.data[..width].iter_mut().for_each(|number| *number = another(model, input, *number));
    }
    changed
}

fn another(model: &Model, input: &Input, number: f64) -> f64 {
    match input.index_of.and_then(|axis| model.axes.fixed(axis)) {
        Some(size) if number >= 0.0 => (number + 1.0) % size as f64,
        Some(_) => number,
        None if input.dtype.is_real() => number + 1.0,
        None => number,
    }
}

/// The outputs and named values that belong to rows, without the first row.
fn other_rows(model: &Model, outputs: &BTreeMap<String, Array>, rows: usize) -> Vec<(String, Vec<f64>)> {
    let by_row = model.forward.outputs.iter().filter(|(_, value)| {
        let axes = &model.forward.values[value.0 as usize].ty.axes;
        axes.first() == Some(&BATCH)
    });
    let rest = |(name, _): &(String, _)| {
        let array = outputs.get(name)?;
        Some((name.clone(), array.data[array.data.len() / rows..].to_vec()))
    };
    by_row.filter_map(rest).collect()
}

#[test]
fn documents_of_a_batch_do_not_see_each_other_in_any_family() {
    let mut seen = Vec::new();
    for folder in cases() {
        let case = Case::read(&folder).expect("a case of the repository");
        let name = case.name();
        let file = find_family(case.architecture(), &[&name, &case.answers.family]).expect("there is a map");
        let request = Request { file, settings: Vec::new(), config: Some(case.config_file()), model: None };
        let mut session = Session::default();
        // A file of several models lets each compute its part of a case: rows of those are compared in its own tests.
        if driver::parse(&request, &mut session).expect("a file of the repository").models.len() > 1 {
            continue;
        }
        let mut model = driver::check(&request, &mut session).expect("a model of the repository");
        let named = model.weights.iter().find(|map| Some(map.architecture.as_str()) == case.architecture());
        let map = named.unwrap_or(&model.weights[0]).clone();
        driver::expose_values(&mut model, &map);
        let case = case.in_order_of(&map).expect("fits");
        let beside = case.tensors.iter().filter(|(name, _)| map.tensors.iter().any(|tensor| tensor.name == **name));
        let weights = beside.chain(&case.weights).map(|(name, array)| (name.clone(), array.clone())).collect();
        let weights = parameters_of(&model, &map, &weights).expect("fits");
        let batch = several(inputs(&model, &map, &case).expect("fits").batch);
        let graphs = driver::graphs(&model, &mut session).expect("has programs");
        let mut engine = Interpreted::new(&model, &graphs);
        let mut rows = |batch: &Batch| {
            let outputs = engine.forward(&weights, batch).expect("runs");
            other_rows(&model, &outputs, batch.rows)
        };
        let (before, after) = (rows(&batch), rows(&with_another_first_row(&model, &batch)));
        assert!(!before.is_empty(), "{name} has nothing to compare");
        let sees = session.diagnostics.iter().any(|note| note.code.name == "N0602");
        if before != after && !sees {
            seen.push(name);
        }
    }
    assert!(seen.is_empty(), "a row of {seen:?} depends on another");
}
