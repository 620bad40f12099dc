//! Executables of models that write texts at once, by their command lines: the table of `bench`, and what `generate`
//! refuses, each time by the name of the option.

use archc::driver::{self, Places, Request, Session};
use archc::target::Target;
use std::path::Path;
use std::process::{Command, Output};

const WRITER: &str = "model Writer {
  set layers = 2
  dim t, d = 12, v = 257
  set mask = |v| - 1
  input ids[t] : v
  param table[v, d]
  x = table[v: ids]
  for i in layers {
    x += attn: gqa(norm1: rmsnorm(x), 4, 2, width = 6, sight = |t|)
    x += ffn: swiglu(norm2: rmsnorm(x), 16)
  }
  output logits = sum[d](norm: rmsnorm(x) * table)
  train masked_diffusion(self, ids, mask)
  generate low_confidence(self, mask = mask)
}
";

/// The same body, but that a position sees none behind it.
fn speaker() -> String {
    let causal = WRITER.replace(", sight = |t|", "").replace("model Writer", "model Speaker");
    let kept =
        causal.lines().filter(|line| !line.contains("train") && !line.contains("generate") && !line.contains("mask"));
    kept.collect::<Vec<_>>()
        .join("\n")
        .replace("table)\n}", "table)\n  train next_token(self, ids)\n  generate sample(self)\n}\n")
}

/// Builds an executable.
fn built(folder: &Path, name: &str, text: &str) {
    built_in(&mut Session::default(), folder, name, text);
}

fn built_in(session: &mut Session, folder: &Path, name: &str, text: &str) {
    let file = folder.join(format!("{name}.arch"));
    std::fs::write(&file, text).expect("can be written");
    let request = Request { file, settings: Vec::new(), config: None, model: None };
    driver::build(&request, &Target::native(), Places::CPU, &folder.join(name), session)
        .unwrap_or_else(|failure| panic!("{failure:?}\n{text}"));
}

fn run(folder: &Path, line: &str) -> Output {
    let mut words = line.split_whitespace();
    let program = folder.join(words.next().expect("a program"));
    Command::new(program).args(words).current_dir(folder).output().expect("runs")
}

fn said(folder: &Path, line: &str) -> String {
    let output = run(folder, line);
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("is text")
}

fn refused(folder: &Path, line: &str) -> String {
    let output = run(folder, line);
    assert_eq!(output.status.code(), Some(1), "{line}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("is text")
}

/// The numbers of a line of the table.
fn numbers(line: &str) -> Vec<f64> {
    let words = line.split(|sign: char| sign.is_whitespace() || "()=%".contains(sign));
    words.filter_map(|word| word.parse().ok()).collect()
}

#[test]
fn bench_tells_what_texts_cost_by_steps_and_by_block_length() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    built(folder, "writer", WRITER);
    built(folder, "speaker", &speaker());
    let short = "bench --only generate --threads 1 --prompt 3 --pairs 1";
    let text = said(folder, &format!("writer {short} --new 8 --steps 4,8 --length 4,8 --beside ./speaker"));
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("1 thread:"), "the machine's limits come first:\n{text}");
    assert!(lines[1].contains("decode") && lines[1].contains("tokens/s  by speaker, token by token"), "{text}");
    for heading in
        ["new", "steps", "length", "tokens/s", "× decode", "before ms", "turn ms", "forward ms", "the loop adds"]
    {
        assert!(lines[2].contains(heading), "no `{heading}`:\n{text}");
    }
    let settings: Vec<Vec<f64>> = lines[3..].iter().map(|line| numbers(line)[..3].to_vec()).collect();
    // In the order in which the sampler names its settings, the last the fastest.
    assert_eq!(settings, [[8.0, 4.0, 4.0], [8.0, 4.0, 8.0], [8.0, 8.0, 4.0], [8.0, 8.0, 8.0]], "{text}");
    for line in &lines[3..] {
        let numbers = numbers(line);
        let [rate, times, before, turn, forward, added, low, high] = numbers[3..11] else { panic!("{line}") };
        assert!(rate > 0.0 && turn > 0.0 && forward > 0.0 && low <= added && added <= high, "{line}");
        // One pair alone may be interrupted for long: two digits are then none.
        assert!(times >= 0.0 && times.is_finite(), "{line}");
        let steps = numbers[1];
        let seconds = (before + steps * turn) / 1e3;
        assert!((rate * seconds - 8.0).abs() < 0.5, "eight tokens take all turns: {line}");
    }
    let text = said(folder, &format!("writer {short} --new 16"));
    let settings: Vec<Vec<f64>> = text.lines().skip(2).map(|line| numbers(line)[..3].to_vec()).collect();
    assert!(
        settings.len() > 4 && settings.iter().all(|row| row[0] == 16.0),
        "steps and lengths by themselves:\n{text}"
    );
}

#[test]
fn bench_refuses_what_does_not_go_together() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    built(folder, "writer", WRITER);
    built(folder, "speaker", &speaker());
    for (line, words) in [
        ("writer bench --only generate --new 8 --steps 8 --length 3", "whole blocks of `length`"),
        ("writer bench --only generate --new 8 --steps 3,8 --length 4", "not the same number for every block"),
        ("writer bench --only generate --new 8 --steps x", "`x` is no number for --steps"),
        ("writer bench --only generate --new 8 --steps 2.5", "--steps is a whole number"),
        ("writer bench --only generate --new 0", "--new is at least 1"),
        ("writer bench --only train --steps 8", "--steps is for `generate`, which --only leaves out"),
        ("writer bench --only generate --new 4 --steps 4 --beside ./nobody", "cannot run ./nobody"),
        ("writer bench --only generate --pairs 1 --new 4 --steps 4 --beside ./writer", "measures no decoding"),
        ("speaker bench --beside ./writer", "--beside is for models that write texts at once"),
        ("speaker bench --only write", "there is no work `write`"),
    ] {
        let said = refused(folder, line);
        assert!(said.contains(words), "{line}: {said}");
    }
    assert_eq!(run(folder, "speaker bench --steps 8").status.code(), Some(2), "it has no such setting");
}

#[test]
fn generate_refuses_options_that_do_not_go_together_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    built(folder, "writer", WRITER);
    std::fs::write(folder.join("book.txt"), "one two three four five six seven eight ".repeat(40))
        .expect("can be written");
    said(folder, "writer train --data book.txt --steps 1 --warmup 0 --batch 1 --context 16 --out run --threads 1");
    let weights = "--weights run/weights.safetensors --threads 1";
    for (line, words) in [
        ("--prompt a --new 8 --steps 9", "--steps 9 is more than --new 8"),
        ("--infill a[3]b --steps 4", "--steps 4 is more than the 3 blanks"),
        ("--prompt a --new 8 --length 3 --steps 8", "whole blocks of `length`"),
        ("--prompt a --new 8 --length 2 --steps 6", "not the same number for every block"),
        ("--prompt a --new 8 --steps 0", "`steps` is at least 1"),
        ("--prompt a --new 8 --steps 2.5", "--steps is a whole number, not 2.5"),
        ("--prompt a --new 8 --steps 8 --random 2", "--random is 0 or 1, not 2"),
        ("--prompt a --new 8 --steps 8 --random 1 --entropy 1", "`random` and `entropy` are two ways"),
        ("--prompt a --new 8 --steps 8 --guidance 1.5", "`guidance` is for a sampler"),
        ("--prompt a --new 8 --steps 8 --top-k 5", "no setting `top_k`"),
        ("--prompt a --new 8 --steps 8 --temperature -1", "`temperature` are not negative"),
        ("--prompt a --new 8 --steps 8 --temperature=-1", "temperature"),
        ("--prompt a --new 8 --steps 8 --mask 300", "--mask 300 is no token of the model"),
        ("--prompt a --infill b[2] --steps 2", "--prompt and --infill"),
        ("--infill b[2] --steps 2 --new 8", "--new adds to a prompt, and --infill"),
        ("--infill b --steps 2", "the text has no blanks"),
        ("--prompt a --new 8 --steps 8 --stop x", "--stop is for models that write token by token"),
        ("--prompt a --new 8 --steps 8 --stop-token 3", "--stop-token is for models"),
        ("--prompt a --new 8 --steps 8 --ignore-end", "--ignore-end is for models"),
        ("--prompt a --new 8 --steps 8 --context 64", "--context is for models"),
        ("--prompt a --new 8 --steps 8 --input source=b", "--input is for models"),
        ("--new 8 --steps 8", "there is no prompt"),
        ("--prompt a --new 8 --steps 8 --chat", "holds no conversation"),
    ] {
        let message = refused(folder, &format!("writer generate {weights} {line}"));
        assert!(message.contains(words), "{line}: {message}");
    }
    let no_number = run(folder, &format!("writer generate {weights} --prompt a --steps x"));
    assert_eq!(no_number.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&no_number.stderr).contains("invalid value 'x' for '--steps"));
    for line in ["--prompt a --new 8", "--prompt a --new 8 --steps 4 --length 4", "--infill a[3]b[1]c"] {
        said(folder, &format!("writer generate {weights} {line}"));
    }
}

#[test]
fn a_token_that_the_model_puts_first_is_not_shown_whether_drafts_are_judged_or_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let begins = speaker().replace("sample(self)", "sample(self, prompt = 65)");
    let mut session = Session::default();
    session.speculate = true;
    built_in(&mut session, folder, "speaker", &begins);
    std::fs::write(folder.join("book.txt"), "one two three four five six seven eight ".repeat(40))
        .expect("can be written");
    said(folder, "speaker train --data book.txt --steps 1 --warmup 0 --batch 1 --context 16 --out run --threads 1");
    let line = "speaker generate --weights run/weights.safetensors --threads 1 --new 6 --temperature 0";
    for prompt in ["--prompt one", "--prompt Atwo", ""] {
        let plain = run(folder, &format!("{line} {prompt}"));
        assert!(plain.status.success(), "{}", String::from_utf8_lossy(&plain.stderr));
        let words = prompt.split_whitespace().nth(1).unwrap_or_default();
        assert!(plain.stdout.starts_with(words.as_bytes()), "the prompt alone comes first: {:?}", plain.stdout);
        assert_eq!(run(folder, &format!("{line} {prompt} --draft 3")).stdout, plain.stdout, "{prompt}");
    }
}
