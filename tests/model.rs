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
        // Room for tokens of the whole batch is a look ahead, and noted.
        let faults: Vec<&str> = said.lines().filter(|line| !line.starts_with([' ', 'N'])).collect();
        assert_eq!(faults, [""; 0], "{path}");
        assert_eq!(said.contains("N0601"), path == "examples/nllb_moe.arch", "{path}: {said}");
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
        for tensor in model.weights[0].tensors.iter() {
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

/// Programs of the kinds that a language for models must hold, each in a file of its own.
fn programs() -> Vec<(String, String)> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/model");
    let mut paths = std::fs::read_dir(folder)
        .expect("tests/model")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "arch"))
        .collect::<Vec<_>>();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).expect("a program"))
    };
    paths.iter().map(read).collect()
}

fn program(wanted: &str) -> Model {
    let (_, text) = programs().into_iter().find(|(name, _)| name == wanted).expect("a program");
    let (model, said) = check(&text);
    assert_eq!(said, "", "{wanted}");
    model.expect("a model")
}

#[test]
fn every_kind_of_program_checks_in_silence() {
    for (name, text) in programs() {
        let (model, said) = check(&text);
        assert_eq!(said, "", "{name}");
        assert!(model.is_some(), "{name}");
    }
}

#[test]
fn values_come_after_what_they_read() {
    for (name, _) in programs() {
        let model = program(&name);
        for (place, value) in model.forward.values.iter().enumerate() {
            let early = value.kind.operands().into_iter().all(|read| (read.0 as usize) < place);
            assert!(early, "{name}: %{place}");
        }
    }
}

#[test]
fn layers_that_choose_differently_share_one_rolled_loop() {
    let model = program("hybrid");
    let layers = model.forward.regions.iter().find(|region| region.label == "layers").expect("layers");
    assert_eq!(layers.bodies.len(), 3);
    assert_eq!(layers.turns, Some(vec![0, 1, 2, 1, 0, 1, 2, 1]));
    let turns = |path: &str| {
        let found = model.parameters.iter().find(|parameter| parameter.path == path).expect("a parameter");
        found.turns.clone()
    };
    assert_eq!(turns("layers.norm1.w"), None);
    assert_eq!(turns("layers.attn.wq"), Some(vec![2, 6]));
    assert_eq!(turns("layers.moe.router"), Some(vec![1, 3, 5, 7]));
}

#[test]
fn forty_eight_layers_are_as_many_values_as_twelve() {
    let text = model::library::embedded("examples/llama.arch").expect("an example");
    let (few, _) = check(text);
    let (many, _) = check(&text.replace("layers = 12", "layers = 48"));
    let count = |model: Option<Model>| model.expect("a model").train.expect("a train line").values.len();
    assert_eq!(count(few), count(many));
}

#[test]
fn the_model_on_its_own_inputs_is_elaborated_once() {
    let (model, _) = check(model::library::embedded("examples/llama.arch").expect("an example"));
    let model = model.expect("a model");
    assert_eq!(model.train.expect("a train line").regions.len(), model.forward.regions.len());
}

#[test]
fn a_configuration_sizes_the_model() {
    let text = model::library::embedded("examples/mistral.arch").expect("an example");
    let config = r#"{"hidden_size": 64, "vocab_size": 99, "num_hidden_layers": 3, "num_attention_heads": 4,
        "num_key_value_heads": 2, "intermediate_size": 128, "rms_norm_eps": 1e-6, "rope_theta": 500.0,
        "sliding_window": null}"#;
    let (model, said) = check_with(text, Some(config));
    assert_eq!(said, "");
    let setting = |name: &str| {
        let model = model.as_ref().expect("a model");
        model.settings.iter().find(|(known, _)| known == name).map(|(_, setting)| setting.text())
    };
    assert_eq!(setting("layers").as_deref(), Some("3"));
    assert_eq!(setting("window").as_deref(), Some("inf"));
    assert_eq!(setting("base").as_deref(), Some("500.0"));
    assert_eq!(setting("width").as_deref(), Some("16"));
}

#[test]
fn a_configuration_that_lacks_a_size_is_refused_by_name() {
    let text = model::library::embedded("examples/mistral.arch").expect("an example");
    let (_, said) = check_with(text, Some(r#"{"hidden_size": 64}"#));
    assert!(said.contains("E0703: the configuration does not say what `v` is"), "{said}");
}

/// A map of one size and of what its model is for.
const DEMANDING: &str = r#"
model Demanding {
  set kind = [near] * 2 + [far]
  dim t, d = 4
  input x[t, d]
  param w[d]
  output y = match kind[2] { far => relu(x * w), _ => x * w }
}
weights huggingface "Demanding" {
  config d = hidden_size
  require (hidden_act else relu) == relu, "other gates"
  require depth > 1
  w = "w"
}
"#;

#[test]
fn a_map_refuses_a_configuration_that_its_model_is_not_for() {
    let (_, said) = check_with(DEMANDING, Some(r#"{"hidden_size": 6, "hidden_act": "gelu"}"#));
    assert!(said.contains("E0703: the configuration asks for what this model is not: other gates"), "{said}");
    assert!(said.contains("`(hidden_act else relu) == relu`: does not hold"), "{said}");
    assert!(said.contains("`depth > 1`: no such key, or it is null"), "{said}");
}

#[test]
fn a_map_takes_a_configuration_that_says_what_it_requires() {
    for config in [r#"{"hidden_size": 6, "depth": 2}"#, r#"{"hidden_size": 6, "depth": 3, "hidden_act": "relu"}"#] {
        let (model, said) = check_with(DEMANDING, Some(config));
        assert!(model.is_some() && !said.contains('E'), "{said}");
    }
}

#[test]
fn a_list_on_the_command_line_is_the_list_that_a_file_would_hold() {
    let wide = |setting: &str| {
        let model = super::compiled::model_with(CHOOSING, &[("kind", setting)]);
        model.parameters.into_iter().map(|parameter| (parameter.path, parameter.axes.len())).collect::<Vec<_>>()
    };
    let own = |kinds: &str| {
        let model = super::compiled::model(&CHOOSING.replace("[near, far]", kinds));
        model.parameters.into_iter().map(|parameter| (parameter.path, parameter.axes.len())).collect::<Vec<_>>()
    };
    assert_eq!(wide("[near, near, near]"), own("[near, near, near]"));
    assert_eq!(wide("[ far,near ]"), own("[far, near]"));
    assert_ne!(wide("[near, near]"), own("[near, far]"));
    let text = |text: &str| archc::driver::setting(text).map(|setting| setting.text());
    assert_eq!(text("[[1, 2], [0.5, true],]").expect("a list"), "[[1, 2], [0.5, true]]");
    assert_eq!(text("[]").expect("a list"), "[]");
    for bad in ["[near, far", "[near,, far]", "[near]]", "[[near]", "["] {
        assert!(text(bad).is_err(), "{bad}");
    }
}

/// A layer of one kind has a matrix, one of the other a number.
const CHOOSING: &str = r#"
model Choosing {
  set kind = [near, far]
  dim t, d = 4, e like d
  input x[t, d]
  for i in 2 {
    x = match kind[i] { near => wide: spread(x), far => slim: scaled(x) }
  }
  output y = x
}
block spread(x[d]) -> [d] {
  dim e like d
  param w[d, e]
  return sum[d](x * w)[e: d]
}
block scaled(x[d]) -> [d] {
  param w = 1
  return x * w
}
"#;
