//! Values that exist for some rows at a time: logits and their gradients, and nothing else.

use super::build::{Build, Call, check, check_with, compare_outputs, feed};
use super::models::{checked, forward, train};
use crate::native::compiled::{Compiled, Runs, targets};
use archc::graph::{Graph, Value};
use archc::interpret;
use archc::kernel::Form;
use archc::link::Block;
use archc::model::{self, Combine};
use archc::plan::{Interface, Program, schedule};
use archc::tensor::{Affine, AxisId, BATCH, Function};
use archc_runtime::abi::{Element, Role, Size};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// A model with an output of `v` numbers, made of `d`, and an objective on it.
fn sized((d, v): (i64, i64), (head, logits, objective): Head) -> Graph {
    let text = format!(
        "model Small {{\n  dim t, d = {d}, v = {v}\n  input ids[t] : v, keep[t] : bool = true\n  param table[v, d]\n  {head}\n\
         x = norm: rmsnorm(table[v: ids])\n  output logits = {logits}\n  train {objective}\n}}\n\
         block smooth(net(ids[t] : v) -> [t, v], ids[t] : v) {{\n  logits = net(ids)\n  logp = log_softmax[v](logits)\n\
         target = ids[t: t + 1]\n  z = log(sum[v](exp(logits)))\n\
         loss mean[batch, t](0.1 * z * z - 0.9 * logp[v: target] - 0.1 * mean[v](logp))\n}}\n\
         block outside(net(ids[t] : v) -> [t, v], ids[t] : v) {{\n\
         loss mean[batch, t](-log_softmax[v](net(ids))[v: ids - 1])\n}}\n"
    );
    train(&checked(text))
}

/// Parameters of the output, its formula, what is trained.
type Head = (&'static str, &'static str, &'static str);

const NEXT: &str = "next_token(self, ids, keep)";
const PLAIN: &str = "sum[d](x * head)";

/// Heads and objectives of every kind.
const HEADS: [Head; 7] = [
    ("param head[v, d]", PLAIN, NEXT),
    ("param head[d, v]", PLAIN, NEXT),
    ("head = table", PLAIN, NEXT),
    ("param head[v, d], bias[v], heat = 0.7", "3.0 * tanh((sum[d](x * head) * heat + bias) / 3.0)", NEXT),
    ("param head[v, d], bias[v]", "sum[d](x * head) + bias", "smooth(self, ids)"),
    ("head = table", "sum[d](x * head) / 2.0", "next_token(self, ids, keep) + 0.3 * smooth(self, ids)"),
    ("param head[v, d]", PLAIN, "outside(self, ids)"),
];

fn variants() -> Vec<Graph> {
    HEADS.into_iter().map(|head| sized((5, 13), head)).collect()
}

fn chunked(program: &Program) -> Vec<&str> {
    let names = program.buffers.iter().map(|buffer| buffer.name.as_str());
    names.filter(|name| name.starts_with("chunk of")).collect()
}

#[test]
fn chunks_of_rows_give_what_the_interpreter_gives() {
    for graph in variants() {
        for (batch, extent) in [(1, 1), (2, 5), (3, 7)] {
            for rows in [Some(1), Some(2), Some(3), Some(5), None] {
                let interface = Interface { rows, ..Interface::default() };
                let program = check_with(&graph, &Call::ragged(batch, extent), &interface);
                assert_eq!(chunked(&program).len(), 1, "the gradient takes the place of the logits: {program}");
            }
        }
    }
}

#[test]
fn machine_code_gives_it_too_at_every_size() {
    let target = targets().pop().expect("a level that runs here");
    let mut runner = TestRunner::deterministic();
    let shapes = (1..9_i64, 3..40_i64, 1..9_i64);
    for head in HEADS {
        let (d, v, rows) = shapes.new_tree(&mut runner).expect("no draw is refused").current();
        let graph = sized((d, v), head);
        let program = schedule(&graph, &Interface { rows: Some(rows), ..Interface::default() });
        assert_eq!(chunked(&program).is_empty(), v <= d, "{program}");
        let compiled = Compiled::new(&program, &target);
        for (batch, extent) in [(1, 1), (1, 9), (2, 4), (3, 7)] {
            let call = Call::ragged(batch, extent);
            let feed = feed(&graph, &call);
            let expected = interpret::run(&graph, &feed).unwrap_or_else(|fault| panic!("{fault:?}"));
            let actual = run(&compiled, &program, &feed);
            compare_outputs(&graph, &call, &expected, &actual, &program);
        }
    }
}

/// Runs machine code; memory that nothing was written to holds no numbers.
fn run(compiled: &Compiled, program: &Program, feed: &interpret::Feed) -> Vec<Vec<f64>> {
    let sizes = program.symbols.iter().map(|name| feed.sizes[name] as i64).collect::<Vec<_>>();
    let mut blocks = Vec::new();
    for buffer in &program.buffers {
        let elements = buffer.shape.iter().map(|size| size.evaluate(&sizes)).product::<i64>() as usize;
        let mut block = Block::zeroed(elements * buffer.element.bytes());
        block.bytes_mut().fill(0xff);
        let lengths = buffer.name.strip_prefix('|').map(|axis| &feed.lengths[axis.trim_end_matches('|')]);
        let lengths = lengths.map(|lengths| lengths.iter().map(|length| *length as f64).collect::<Vec<_>>());
        let given = || feed.inputs.get(&buffer.name).or(feed.parameters.get(&buffer.name).map(|data| &**data));
        if let Role::Input | Role::Parameter = buffer.role {
            let numbers = lengths.or_else(|| given().map(|data| data.numbers.clone())).expect("it is given");
            put(&mut block, buffer.element, &numbers);
        }
        blocks.push(block);
    }
    compiled.run(&mut blocks.iter_mut().collect::<Vec<_>>(), &sizes);
    let read = |(block, element): (&Block, Element)| match element {
        Element::F32 => block.to_f32().into_iter().map(f64::from).collect(),
        _ => Vec::new(),
    };
    blocks.iter().zip(program.buffers.iter().map(|buffer| buffer.element)).map(read).collect()
}

fn put(block: &mut Block, element: Element, numbers: &[f64]) {
    let width = element.bytes();
    for (bytes, number) in block.bytes_mut().chunks_exact_mut(width).zip(numbers) {
        match element {
            Element::F32 => bytes.copy_from_slice(&(*number as f32).to_ne_bytes()),
            Element::I32 => bytes.copy_from_slice(&(*number as i32).to_ne_bytes()),
            Element::Bool => bytes[0] = u8::from(*number != 0.0),
            other => panic!("no input is of {other:?}"),
        }
    }
}

/// Buffers that grow with the product of a sequence and the vocabulary, from programs for two vocabularies.
fn grows_with_both(few: &Program, many: &Program) -> Vec<String> {
    let place = few.symbols.iter().position(|name| name == "t").expect("it has a sequence");
    let elements = |program: &Program, shape: &[Size], length: i64| {
        let mut symbols = vec![1; program.symbols.len() + program.counters];
        symbols[place] = length;
        shape.iter().map(|size| size.evaluate(&symbols)).product::<i64>()
    };
    let buffers = few.buffers.iter().zip(&many.buffers);
    let grown = buffers.filter(|(one, other)| {
        let growth = |program, shape| elements(program, shape, 8192) - elements(program, shape, 4096);
        growth(many, &other.shape) != growth(few, &one.shape)
    });
    grown.map(|(buffer, _)| buffer.name.clone()).collect()
}

#[test]
fn no_buffer_grows_with_the_sequence_times_the_vocabulary() {
    let text = model::library::embedded("examples/llama.arch").expect("an example");
    for tied in ["tied = false", "tied = true"] {
        let sized = |size| text.replace("tied = false", tied).replace("v = 32000", size);
        let [few, many] = ["v = 32000", "v = 64000"].map(|size| train(&checked(sized(size))));
        let [plan_few, plan_many] = [&few, &many].map(|graph| schedule(graph, &Interface::default()));
        assert_eq!(grows_with_both(&plan_few, &plan_many), Vec::<String>::new(), "{plan_few}");
        let whole = Interface { rows: Some(1 << 40), ..Interface::default() };
        assert!(!grows_with_both(&schedule(&few, &whole), &schedule(&many, &whole)).is_empty(), "it can fail");
        assert_eq!(chunked(&plan_few).len(), 1, "{plan_few}");
    }
}

#[test]
fn nothing_is_computed_twice() {
    let products = |program: &Program| {
        let forms = program.kernels.iter().map(|kernel| &kernel.form);
        forms.filter(|form| matches!(form, Form::Gemm(_))).count()
    };
    for graph in variants() {
        let whole = schedule(&graph, &Interface { plain: true, ..Interface::default() });
        let program = schedule(&graph, &Interface { rows: Some(2), ..Interface::default() });
        assert_eq!(program.multiply_adds, whole.multiply_adds);
        assert_eq!(products(&program), 3, "logits, and the gradients of both that they are made of: {program}");
    }
}

/// The program of a hand-made graph with a wide product of `d` inputs and `v` outputs.
fn wide(d: i64, v: i64, rest: impl FnOnce(&mut Build, AxisId, Value)) -> Program {
    let mut build = Build::new();
    let (t, d, v) = (build.sequence("t"), build.dim("d", d), build.dim("v", v));
    let x = build.input("x", &[BATCH, t, d]);
    let w = build.parameter("w", &[v, d]);
    let product = build.contract(&[d], x, w);
    rest(&mut build, v, product);
    check(&build.finish())
}

#[test]
fn what_need_not_be_read_twice_or_is_no_wider_is_not_cut() {
    let shares = |build: &mut Build, v: AxisId, product: Value| {
        let shares = build.softmax(v, product);
        let squares = build.map(Function::Multiply, &[shares, shares]);
        let sum = build.reduce(Combine::Sum, &[v], squares);
        build.output("y", sum);
    };
    assert_eq!(chunked(&wide(3, 8, shares)).len(), 1, "wider, and reduced along its rows");
    assert_eq!(chunked(&wide(8, 3, shares)).len(), 0, "no wider than what it is made of");
    let bent = wide(3, 8, |build, v, product| {
        let bent = build.map(Function::Tanh, &[product]);
        let sum = build.reduce(Combine::Sum, &[v], bent);
        build.output("y", sum);
    });
    assert_eq!(chunked(&bent).len(), 0, "nothing waits for whole rows");
    let given = wide(3, 8, |build, v, product| {
        let shares = build.softmax(v, product);
        build.output("shares", shares);
    });
    assert_eq!(chunked(&given).len(), 0, "an output is stored");
    let mixed = wide(3, 8, |build, v, product| {
        let shares = build.softmax(v, product);
        let length = build.axes.iter().find(|(_, axis)| axis.name == "t").map(|(id, _)| id).expect("a sequence");
        let before = Affine::axis(length).plus(&Affine::number(1), -1);
        let moved = build.index(shares, &[(length, before)]);
        let both = build.map(Function::Multiply, &[shares, moved]);
        let sum = build.reduce(Combine::Sum, &[v], both);
        build.output("y", sum);
    });
    assert_eq!(chunked(&mixed).len(), 0, "a row is made of another row");
}

#[test]
fn logits_that_are_asked_for_are_stored() {
    let text = model::library::embedded("examples/llama.arch").expect("an example").to_string();
    let program = schedule(&forward(&checked(text)), &Interface::default());
    assert_eq!(chunked(&program), Vec::<&str>::new());
}

#[test]
fn what_is_asked_about_outside_of_the_chunks_is_not_cut() {
    let program = |more: &str| {
        let text = format!(
            "model Small {{\n  dim t, d = 5, v = 13\n  input ids[t] : v\n  param table[v, d], head[v, d]\n  \
             x = norm: rmsnorm(table[v: ids])\n  output logits = sum[d](x * head)\n  train surest(self, ids)\n}}\n\
             block surest(net(ids[t] : v) -> [t, v], ids[t] : v) {{\n  logp = log_softmax[v](net(ids))\n  \
             loss mean[batch, t](-logp[v: ids])\n{more}}}\n"
        );
        check_with(&train(&checked(text)), &Call::ragged(3, 7), &Interface { rows: Some(2), ..Interface::default() })
    };
    assert_eq!(chunked(&program("")).len(), 1);
    // The rank of rows reads `sure` after all chunks; whether a row has one is looked up in its logits.
    let ranked = "sure = max[v](stop(logp) where stop(logp) > -2.5);  loss 0.1 * sum[batch, t](0.5 * rank[t](sure))\n";
    assert_eq!(chunked(&program(ranked)).len(), 0);
}

/// Whether a program finds the nearest row of a table for some rows at a time.
fn finds_in_chunks(found: &str) -> bool {
    let text = format!(
        "use selection\nmodel Small {{\n  dim t, d = 5, v = 13, w like v\n  input ids[t] : v\n  \
         param table[v, d], other[w, d], gate\n  near[t] : v = ids\n  {found}\n  output logits[t] = near\n}}\n"
    );
    check(&forward(&checked(text))).to_string().contains("in ceil(")
}

#[test]
fn what_a_whole_turn_may_do_without_is_stored_to_be_left_out() {
    const NEAREST: &str = "near = argmax[w](sum[d](table[v: near] * other))";
    assert!(finds_in_chunks(NEAREST));
    assert!(finds_in_chunks(&format!("{NEAREST} where gate > 0.1")), "the one time that there is");
    assert!(finds_in_chunks(&format!("for n in 4 {{ {NEAREST} }}")));
    assert!(finds_in_chunks(&format!("for n in 4 {{ {NEAREST} where ids > 3 }}")));
    assert!(!finds_in_chunks(&format!("for n in 4 {{ {NEAREST} where n % 2 == 1 }}")));
}
