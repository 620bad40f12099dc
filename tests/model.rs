//! The checker: what it makes of programs, and what it says about faulty ones.

use archc::diagnostics::Diagnostics;
use archc::model::{self, Model, Overrides};
use archc::source::Sources;

/// Checks a source text; the model and everything said, one line each.
fn check(text: &str) -> (Option<Model>, String) {
    let mut sources = Sources::default();
    let main = sources.add("test.arch", text);
    let mut sink = Diagnostics::default();
    let library = model::load(&mut sources, main, &mut sink);
    let model = model::check(&library, &Overrides::default(), &mut sink);
    (model, said(&sources, &sink))
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
fn the_llama_example_checks() {
    let (model, said) = check(model::library::embedded("examples/llama.arch").expect("an example"));
    assert_eq!(said, "");
    println!("{}", model::text(&model.expect("a model")));
}
