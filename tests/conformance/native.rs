//! Native code against the plain meaning, operation by operation: every node of every example and of its gradient is
//! an output that is compared wherever it is present.

use super::super::native::compiled::manifest;
use super::{example, feed_of};
use archc::graph::{Graph, Value, text};
use archc::interpret::{Feed, run};
use archc::link::{self, Block, Loaded};
use archc::ops::CATALOGUE;
use archc::passes::optimize;
use archc::plan::{Interface, Program, schedule_all};
use archc::target::Target;
use archc::tensor::{Array, AxisId, BATCH, DType, Function, walk};
use archc::{llvm, mlir};
use archc_runtime::abi::{BufferInfo, Element};

/// The graph with every value of its root as an output.
fn exposed(mut graph: Graph) -> Graph {
    for id in graph.root.ids() {
        for result in 0..graph.root.node(id).results.len() as u32 {
            graph.outputs.push(format!("node {} {result}", id.index()));
            graph.root.results.push(Some(Value { node: id, result }));
        }
    }
    graph
}

/// The graph with its gradients, under a name of its own.
fn gradient_of(graph: &Graph) -> Graph {
    let mut derived = super::super::gradient::derived(graph);
    derived.name.push_str("_gradient");
    exposed(derived)
}

fn compile(programs: &[Program]) -> (Loaded, tempfile::TempDir) {
    let all = programs.iter().collect::<Vec<_>>();
    let target = Target::native();
    let text = mlir::write(&all, &manifest(), &target);
    let context = mlir::context();
    let module = mlir::lower(&context, &text).unwrap_or_else(|bug| panic!("{}\n{}", bug.guarantee, bug.detail));
    let object = llvm::compile(&module, &target).unwrap_or_else(|bug| panic!("{}", bug.detail));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = link::shared(&object, folder.path()).unwrap_or_else(|error| panic!("{}", error.message));
    (Loaded::open(&path).unwrap_or_else(|error| panic!("{}", error.message)), folder)
}

/// A buffer with the numbers that the feed has for it, or with a pattern that is no sensible number.
fn filled(info: &BufferInfo, symbols: &[i64], feed: &Feed) -> Block {
    let count = info.shape.iter().map(|size| size.evaluate(symbols)).product::<i64>() as usize;
    let mut block = Block::zeroed(count * info.element.bytes());
    let numbers = given(&info.name, feed);
    block.bytes_mut().fill(0xcd);
    for (place, number) in numbers.iter().flatten().enumerate().take(count) {
        let bytes = block.bytes_mut();
        match info.element {
            Element::F32 => bytes[place * 4..][..4].copy_from_slice(&(*number as f32).to_ne_bytes()),
            Element::F64 => bytes[place * 8..][..8].copy_from_slice(&number.to_ne_bytes()),
            Element::I32 => bytes[place * 4..][..4].copy_from_slice(&(*number as i32).to_ne_bytes()),
            _ => bytes[place] = u8::from(*number != 0.0),
        }
    }
    block
}

fn given(name: &str, feed: &Feed) -> Option<Vec<f64>> {
    if name == "seed" {
        return Some(vec![feed.seed as f64, 0.0, 0.0]);
    }
    if let Some(setting) = feed.settings.get(name) {
        return Some(vec![*setting]);
    }
    if let Some(axis) = name.strip_prefix('|').and_then(|name| name.strip_suffix('|')) {
        return feed.lengths.get(axis).map(|lengths| lengths.iter().map(|length| *length as f64).collect());
    }
    let data = feed.inputs.get(name).or_else(|| feed.parameters.get(name).map(|data| &**data));
    data.map(|data| data.numbers.clone())
}

fn read(block: &Block, element: Element, place: usize) -> f64 {
    let bytes = block.bytes();
    let four = |place: usize| [bytes[place * 4], bytes[place * 4 + 1], bytes[place * 4 + 2], bytes[place * 4 + 3]];
    match element {
        Element::F32 => f64::from(f32::from_ne_bytes(four(place))),
        Element::F64 => f64::from_ne_bytes(bytes[place * 8..][..8].try_into().expect("eight bytes")),
        Element::I32 => f64::from(i32::from_ne_bytes(four(place))),
        _ => f64::from(bytes[place]),
    }
}

/// Whether a position of an array is one of its row.
fn exists(graph: &Graph, feed: &Feed, axes: &[AxisId], at: &[usize]) -> bool {
    let Some(row) = axes.iter().position(|axis| *axis == BATCH) else { return true };
    axes.iter().zip(at).all(|(axis, place)| {
        let lengths = feed.lengths.get(&graph.axes[graph.axes[*axis].class].name);
        !graph.axes.is_sequence(*axis) || lengths.is_none_or(|lengths| *place < lengths[at[row]])
    })
}

/// The places at which native code gives something else.
fn compare(graph: &Graph, feed: &Feed, program: &Program, blocks: &[Block]) -> Vec<String> {
    let expected = run(graph, feed).unwrap_or_else(|fault| panic!("{fault}\n{graph}"));
    let mut wrong = Vec::new();
    for (name, array) in &expected.all {
        let Some(place) = program.buffers.iter().position(|buffer| buffer.name == *name) else {
            wrong.push(format!("{name} is no output"));
            continue;
        };
        wrong.extend(compare_one(name, graph, feed, array, (&blocks[place], program.buffers[place].element)));
    }
    wrong
}

fn compare_one(
    name: &str,
    graph: &Graph,
    feed: &Feed,
    array: &Array,
    (block, element): (&Block, Element),
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut offset = 0;
    walk(&array.shape.extents, &[], |at, _| {
        let (wanted, found) = (array.numbers[offset], read(block, element, offset));
        let near = (wanted - found).abs() <= 1e-4 * wanted.abs().max(1.0);
        if array.is_present(offset) && exists(graph, feed, &array.shape.axes, at) && !near {
            wrong.push(format!("{name} at {at:?}: {found} for {wanted}"));
        }
        offset += 1;
    });
    wrong
}

/// The programs of graphs that passes have gone over.
pub fn planned(graphs: &[Graph]) -> Vec<Program> {
    let optimized = graphs.iter().map(|graph| optimize(graph.clone()).unwrap_or_else(|bug| panic!("{bug}")));
    let optimized = optimized.collect::<Vec<_>>();
    schedule_all(optimized.iter().map(|graph| (&**graph, Interface::default())))
}

/// What the program of a graph computes otherwise than the interpreter; `run` runs it in these buffers and sizes.
pub fn disagreements(
    graph: &Graph,
    feed: &Feed,
    program: &Program,
    run: impl FnOnce(&mut [Block], &[i64]),
) -> Vec<String> {
    let symbols = program.symbols.iter().map(|name| feed.sizes[name] as i64).collect::<Vec<_>>();
    let mut blocks = program.buffers.iter().map(|info| filled(info, &symbols, feed)).collect::<Vec<_>>();
    run(&mut blocks, &symbols);
    let found = compare(graph, feed, program, &blocks);
    found.iter().take(5).map(|line| format!("{}: {line}\n{program}", graph.name)).collect()
}

/// Compiles all graphs in one module and compares each with the interpreter.
fn assert_native(graphs: &[Graph], feeds: &[Feed]) {
    let programs = planned(graphs);
    let (loaded, _folder) = compile(&programs);
    let mut wrong = Vec::new();
    for (place, (graph, feed)) in graphs.iter().zip(feeds).enumerate() {
        let program = &programs[place];
        wrong.extend(disagreements(graph, feed, program, |blocks, symbols| {
            let mut borrowed = blocks.iter_mut().collect::<Vec<_>>();
            loaded.run(place, &program.buffers, &mut borrowed, symbols).unwrap_or_else(|error| panic!("{error:?}"));
        }));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Every operation of the catalogue, and its gradient.
pub fn every_operation() -> Vec<Graph> {
    let of = |name| {
        let graph = example(name);
        [gradient_of(&graph), exposed(graph)]
    };
    CATALOGUE.iter().flat_map(|entry| of(entry.name)).collect()
}

#[test]
fn native_code_means_what_eval_means_for_every_operation_and_its_gradient() {
    let graphs = every_operation();
    let feeds = graphs.iter().map(feed_of).collect::<Vec<_>>();
    assert_native(&graphs, &feeds);
}

/// One graph that applies every scalar function, to values at which each has a derivative.
pub fn every_function() -> Graph {
    let mut lines = vec![
        "graph \"functions\"\naxis d 7".to_string(),
        "  %0 = parameter \"a\" : real[d]".into(),
        "  %1 = parameter \"b\" : real[d]".into(),
        "  %2 = map exp(%0) : real[d]".into(),
        "  %3 = map add(exp(%1), real 0.37) : real[d]".into(),
        "  %4 = map less(%2, %3) : bool[d]".into(),
        "  %5 = map less(%3, real 1.3) : bool[d]".into(),
        "  %6 = coordinate d : int[d]".into(),
    ];
    let mut sum = "%0".to_string();
    for function in Function::ALL {
        let place = lines.len() - 1;
        let arguments = match function {
            Function::And | Function::Or => "%4, %5",
            Function::Not => "%4",
            Function::Select => "%4, %2, %3",
            Function::ToReal => "%6",
            _ if function.arity() == 1 => "%2",
            _ => "%2, %3",
        };
        let types = arguments.split(", ").map(|argument| match argument {
            "%4" | "%5" => DType::Bool,
            "%6" => DType::Int,
            _ => DType::REAL,
        });
        let dtype = match function.result(&types.collect::<Vec<_>>()) {
            DType::Bool => "bool",
            DType::Int => "int",
            DType::Real(_) => "real",
        };
        lines.push(format!("  %{place} = map {}({arguments}) : {dtype}[d]", function.name()));
        lines.push(format!("  %{} = map add({sum}, multiply(%{place}, %2)) : real[d]", place + 1));
        sum = format!("%{}", place + 1);
    }
    let place = lines.len() - 1;
    lines.push(format!("  %{place} = reduce sum [d] {sum} : real\n  give %{place}\noutputs \"loss\"\n"));
    let graph = text::parse(&lines.join("\n")).unwrap_or_else(|fault| panic!("{fault}\n{}", lines.join("\n")));
    graph.verify().unwrap_or_else(|bug| panic!("{bug}\n{}", bug.detail));
    graph
}

#[test]
fn every_scalar_function_has_its_meaning_and_its_derivative() {
    let graph = every_function();
    let feed = feed_of(&graph);
    super::super::gradient::assert_gradients(&graph, &feed);
    let graphs = [exposed(graph.clone()), gradient_of(&graph)];
    assert_native(&graphs, &[feed.clone(), feed]);
}
