//! What examples become, as texts to review: one for each distinct shape of a family. No hardware is in them.
//!
//! `INSTA_UPDATE=always cargo test --test suite examples` accepts a change; read the difference first.

use super::compiled::{graphs, model, programs};
use archc::graph::Graph;
use archc::model::library::embedded;
use archc::plan::Program;

fn all_of(example: &str) -> (Vec<Graph>, Vec<Program>) {
    let text = embedded(&format!("examples/{example}.arch")).expect("an example");
    let graphs = graphs(&model(text));
    let programs = programs(&graphs);
    (graphs.iter().cloned().collect(), programs)
}

fn graph(example: &str, name: &str) -> String {
    let (graphs, _) = all_of(example);
    graphs.iter().find(|graph| graph.name == name).expect("a graph of that name").to_string()
}

/// Buffers and steps; what single kernels do is in `program`.
fn steps(example: &str, name: &str) -> String {
    let (_, programs) = all_of(example);
    let program = programs.iter().find(|program| program.name == name).expect("a program of that name").to_string();
    program.lines().take_while(|line| !line.starts_with("kernel k0")).map(|line| format!("{line}\n")).collect()
}

#[test]
fn grouped_heads_and_rotary_positions_as_a_graph() {
    insta::assert_snapshot!(graph("llama-tiny", "forward"));
}

#[test]
fn learned_positions_and_biases_as_a_graph() {
    insta::assert_snapshot!(graph("gpt2", "forward"));
}

#[test]
fn a_training_step_as_a_program() {
    insta::assert_snapshot!(steps("llama-tiny", "train"));
}

#[test]
fn a_decode_step_as_a_program() {
    insta::assert_snapshot!(steps("llama-tiny", "step"));
}

#[test]
fn norms_on_both_sides_and_half_a_rotation_as_a_program() {
    insta::assert_snapshot!(steps("glm4", "forward"));
}
