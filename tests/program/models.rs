//! Whole models: every program of them gives what the interpreter gives, and nothing grows with the square of the
//! sequence.

use super::build::{Call, check};
use archc::derive;
use archc::diagnostics::Diagnostics;
use archc::graph::Graph;
use archc::model::{self, Model};
use archc::passes;
use archc::plan::{Interface, Program, report, schedule};
use archc::source::Sources;
use archc_runtime::abi::{Role, Size};

/// A decoder of `layers` layers with grouped heads, rotary positions and a gate.
fn decoder(layers: usize, window: &str) -> Model {
    let text = format!(
        "use attention\nuse norms\nuse feedforward\nuse objectives\n\
         model Small {{\n  set layers = {layers}\n  dim t, d = 12, v = 7\n  input ids[t] : v\n  param table[v, d], head[v, d]\n\
         x = table[v: ids]\n  for i in layers {{\n    x += attn: gqa(norm1: rmsnorm(x), 6, 3, 100.0{window})\n\
         x += ffn: swiglu(norm2: rmsnorm(x), 10)\n  }}\n  output logits = sum[d](norm: rmsnorm(x) * head)\n\
         train next_token(self, ids)\n}}\n"
    );
    checked(text)
}

/// The model of a text.
pub fn checked(text: String) -> Model {
    let (mut sources, mut diagnostics) = (Sources::default(), Diagnostics::default());
    let file = sources.add(std::path::Path::new("small.arch"), text);
    let library = model::load(&mut sources, file, &mut diagnostics);
    let model = model::check(&library, &Default::default(), &mut diagnostics);
    model.unwrap_or_else(|| panic!("{diagnostics:?}"))
}

/// Its forward pass.
pub fn forward(model: &Model) -> Graph {
    optimized(derive::build(model, &model.forward, "forward"))
}

/// Its loss and gradients.
pub fn train(model: &Model) -> Graph {
    let loss = model.train.as_ref().map(|train| derive::build(model, train, "train")).expect("it has a loss");
    let loss = passes::prepare(loss).unwrap_or_else(|bug| panic!("{bug:?}"));
    let paths = model.parameters.iter().map(|parameter| parameter.path.clone()).collect::<Vec<_>>();
    optimized(derive::gradient(&loss, "loss", &paths).unwrap_or_else(|bug| panic!("{bug:?}")))
}

fn optimized(graph: Graph) -> Graph {
    passes::optimize(graph).unwrap_or_else(|bug| panic!("{bug:?}")).into_inner()
}

#[test]
fn a_decoder_reads_and_learns_as_the_interpreter_does() {
    for window in ["", ", window = 3"] {
        let model = decoder(2, window);
        check(&forward(&model));
        check(&train(&model));
    }
}

/// Elements of a buffer at two lengths; their ratio says how it grows.
fn grows_with_the_square(program: &Program) -> Vec<String> {
    let place = program.symbols.iter().position(|name| name == "t").expect("it has a sequence");
    let elements = |shape: &[Size], length: i64| {
        let mut symbols = vec![1; program.symbols.len() + program.counters];
        symbols[place] = length;
        shape.iter().map(|size| size.evaluate(&symbols)).product::<i64>()
    };
    let buffers = program.buffers.iter().filter(|buffer| buffer.role != Role::Parameter);
    let grown = buffers.filter(|buffer| elements(&buffer.shape, 8192) > 2 * elements(&buffer.shape, 4096));
    grown.map(|buffer| buffer.name.clone()).collect()
}

#[test]
fn no_buffer_grows_with_the_square_of_the_sequence() {
    let model = decoder(2, "");
    for graph in [forward(&model), train(&model)] {
        let program = schedule(&graph, &Interface::default());
        assert_eq!(grows_with_the_square(&program), Vec::<String>::new(), "{program}");
    }
}

#[test]
fn memory_is_a_formula_of_the_sizes() {
    let program = schedule(&forward(&decoder(2, "")), &Interface::default());
    let shares = report::shares(&program);
    let text = |role: &str| {
        let share = shares.iter().find(|share| share.role == role);
        share.map(|share| report::formula(&share.bytes, &program.symbols)).unwrap_or_default()
    };
    assert_eq!((text("output"), text("input")), ("28·batch·t".into(), "4·batch + 4·batch·t".into()), "{program}");
    assert!(report::peak(&program, &[2, 64]) > report::peak(&program, &[2, 32]));
}

#[test]
fn more_layers_need_no_more_kernels() {
    for make in [forward, train] {
        let [few, many] = [12, 48].map(|layers| schedule(&make(&decoder(layers, "")), &Interface::default()));
        assert_eq!((few.kernels.len(), few.steps.len()), (many.kernels.len(), many.steps.len()));
    }
}

#[test]
fn sizes_of_a_call_decide_nothing_else() {
    let model = decoder(1, "");
    super::build::check_with(&forward(&model), &Call::ragged(2, 11), &Interface::default());
}
