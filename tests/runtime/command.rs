//! The command line of a built model: what it answers, leaves behind, and refuses.

use super::fake;
use archc_runtime::command;
use std::ffi::OsString;
use std::fs;
use std::path::Path;

/// Runs a command in a folder, whose name stands for `{}`; returns the exit status.
fn run(folder: &Path, line: &str) -> u8 {
    let folder = folder.display().to_string();
    let words = line.split_whitespace().map(|word| OsString::from(word.replace("{}", &folder)));
    command::main(fake::code(), std::iter::once("bag".into()).chain(words))
}

/// A folder with a short training in `{}/run`.
fn trained() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("book.txt"), "one two three four five six seven eight ".repeat(50)).unwrap();
    fs::write(folder.path().join("r.yaml"), "steps: 6\nbatch: 2\ncontext: 8\nwarmup: 2\nsave_every: 2").unwrap();
    assert_eq!(run(folder.path(), "train --recipe {}/r.yaml --data {}/book.txt --out {}/run --seed 3 --threads 1"), 0);
    folder
}

#[test]
fn a_training_leaves_weights_a_checkpoint_a_curve_and_its_recipe() {
    let folder = trained();
    for name in ["weights.safetensors", "checkpoint.safetensors", "metrics.csv", "recipe.yaml"] {
        assert!(folder.path().join("run").join(name).is_file(), "{name}");
    }
    let recipe = fs::read_to_string(folder.path().join("run/recipe.yaml")).unwrap();
    assert!(recipe.contains("seed: 3") && recipe.contains("steps: 6"), "{recipe}");
    assert_eq!(run(folder.path(), "train --recipe {}/r.yaml --data {}/book.txt --out {}/run"), 1);
    assert_eq!(run(folder.path(), "train --resume --out {}/run --steps 9"), 0);
    assert!(fs::read_to_string(folder.path().join("run/metrics.csv")).unwrap().contains("\n9,"));
}

#[test]
fn a_trained_model_generates_evaluates_and_shows_itself() {
    let folder = trained();
    for line in [
        "generate --weights {}/run/weights.safetensors --prompt one --new 5 --temperature 0.8",
        "generate --weights {}/run/checkpoint.safetensors --prompt one --prompt two --new 5 --stop x --print-ids",
        "generate --weights {}/run/weights.safetensors --ids 1,2,3 --new 2 --temperature 0",
        "eval --weights {}/run/weights.safetensors --data {}/book.txt --context 8 --last 0.1",
        "info",
        "--help",
        "train --help",
        "--version",
    ] {
        assert_eq!(run(folder.path(), line), 0, "{line}");
    }
}

#[test]
fn what_cannot_be_done_ends_with_status_one_and_leaves_no_file() {
    let folder = trained();
    for line in [
        "train --data {}/book.txt --out {}/new --batch 0",
        "train --data {}/absent --out {}/new",
        "train --out {}/new",
        "train --data {}/book.txt --out {}/new --context 100000",
        "train --data {}/book.txt --out {}/new --weights {}/book.txt",
        "train --resume --out {}/new",
        "generate --weights {}/run/weights.safetensors",
        "generate --weights {}/book.txt --prompt a",
        "generate --weights {}/run/weights.safetensors --prompt abc --context 3",
        "generate --weights {}/run/weights.safetensors --ids 1,300",
        "generate --weights {}/run/weights.safetensors --ids 1,x",
        "generate --weights {}/run/weights.safetensors --prompt a --top-p 0.9",
        "generate --weights {}/run/weights.safetensors --prompt a --temperature nan",
        "generate --weights {}/run/weights.safetensors --prompt a --tokenizer {}/none.json",
        "eval --weights {}/run/weights.safetensors --data {}/none",
        "eval --weights {}/run/weights.safetensors --data {}/book.txt --last 0",
    ] {
        assert_eq!(run(folder.path(), line), 1, "{line}");
    }
    let left = fs::read_dir(folder.path().join("new")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "nothing was begun");
}

#[test]
fn wrong_usage_ends_with_status_two() {
    let folder = tempfile::tempdir().unwrap();
    for line in ["", "trian", "train --bach 3", "generate", "eval --data x"] {
        assert_eq!(run(folder.path(), line), 2, "{line}");
    }
}

#[test]
fn rows_of_several_lengths_are_measured_beside_each_other_and_too_short_ones_refused() {
    let folder = tempfile::tempdir().unwrap();
    let sizes = "--pairs 1 --prompt 2 --prefill 2 --batch 1 --context 2 --threads 1";
    assert_eq!(run(folder.path(), &format!("bench {sizes} --only train,decode --lengths 2,4")), 0);
    assert_eq!(run(folder.path(), &format!("bench {sizes} --lengths 1")), 1);
}
