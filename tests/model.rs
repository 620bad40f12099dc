//! The checker: what it makes of programs, and what it says about faulty ones.

use archc::diagnostics::Diagnostics;
use archc::model::{self, Model, Overrides};
use archc::source::Sources;

/// Checks a source text; the model and everything said, one line each.
fn check_with(text: &str, config: Option<&str>) -> (Option<Model>, String) {
    let mut sources = Sources::default();
    let main = sources.add("test.arch", text);
    let mut sink = Diagnostics::default();
    let library = model::load(&mut sources, main, &mut sink);
    let overrides = match config {
        Some(config) => {
            let config = serde_json::from_str(config).expect("a configuration");
            model::configure(&library.weights[0], &config, &mut sink)
        }
        None => Overrides::default(),
    };
    let model = model::check(&library, &overrides, &mut sink);
    (model, said(&sources, &sink))
}

fn check(text: &str) -> (Option<Model>, String) {
    check_with(text, None)
}

fn said(sources: &Sources, sink: &Diagnostics) -> String {
    let mut out = String::new();
    for diagnostic in sink.iter() {
        out.push_str(&format!("{}: {}\n", diagnostic.code.name, diagnostic.message));
        for (span, label) in &diagnostic.labels {
            let file = sources.file(span.file).path.display();
            out.push_str(&format!("  {file}:{} `{}`: {label}\n", sources.line(*span), sources.text(*span)));
        }
        if let Some(help) = &diagnostic.help {
            out.push_str(&format!("  help: {help}\n"));
        }
    }
    out
}

#[test]
fn every_example_checks() {
    for (path, text) in model::library::embedded_files().filter(|(path, _)| path.starts_with("examples/")) {
        let (model, said) = check(text);
        assert_eq!(said, "", "{path}");
        assert!(model.is_some(), "{path}");
    }
}

#[test]
fn every_family_fits_its_reference_case() {
    let cases = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles");
    for family in ["llama", "llama3", "qwen2", "qwen3", "mistral", "gpt1", "gpt2", "gpt_neox", "glm", "glm4"] {
        let config = std::fs::read_to_string(cases.join(family).join("config.json")).expect("a configuration");
        let text = model::library::embedded(&format!("examples/{family}.arch")).expect("an example");
        let (model, said) = check_with(text, Some(&config));
        assert_eq!(said, "", "{family}");
        let model = model.expect("a model");
        let file = std::fs::read(cases.join(family).join("model.safetensors")).expect("weights");
        let length = u64::from_le_bytes(file[..8].try_into().expect("a header")) as usize;
        let header: serde_json::Value = serde_json::from_slice(&file[8..8 + length]).expect("a header");
        let mut found = 0;
        for tensor in &model.weights[0].tensors {
            let Some(entry) = header.get(&tensor.name) else {
                assert!(tensor.copy, "{family}: {} is not in the file", tensor.name);
                continue;
            };
            let shape = entry["shape"].as_array().expect("a shape").iter().map(|size| size.as_i64().expect("a size"));
            assert_eq!(shape.collect::<Vec<_>>(), tensor.shape, "{family}: {}", tensor.name);
            found += 1;
        }
        let stored = header.as_object().expect("a header").keys().filter(|name| *name != "__metadata__").count();
        assert_eq!(found, stored, "{family}");
        println!("{family}: {:?}", model.weights[0].values.iter().map(|(name, _)| name).collect::<Vec<_>>());
    }
}

#[test]
fn the_tiny_model_has_eight_hundred_thousand_parameters() {
    let (model, _) = check(model::library::embedded("examples/llama-tiny.arch").expect("an example"));
    let model = model.expect("a model");
    let size = |axes: &Vec<archc::tensor::AxisId>| {
        axes.iter().map(|axis| model.axes.fixed(*axis).expect("a size")).product::<i64>()
    };
    let total = model.parameters.iter().map(|parameter| size(&parameter.axes)).sum::<i64>();
    assert!((760_000..=840_000).contains(&total), "{total}");
}
