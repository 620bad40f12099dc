//! The house rules, read off the repository's own text: order of modules, walls, doors, lengths, docs.

mod source;

use source::{SourceFile, files_below, has_word, root, rust_files};

/// Longest file, in lines.
const FILE_LINES: usize = 400;
/// Longest function, in lines.
const FUNCTION_LINES: usize = 60;
/// Longest module doc, in lines; the crate's own doc is the architecture and may be longer.
const MODULE_DOC_LINES: usize = 10;

/// Where `unsafe` may stand: the crossing and the gaps of the C APIs, calling a loaded function, the runtime's ABI.
const DOORS: [&str; 6] = [
    "src/llvm/crossing.rs",
    "src/mlir/raw.rs",
    "src/link/loaded.rs",
    "src/verify/native/library.rs",
    "src/runtime/",
    "tests/runtime/fake.rs",
];

fn all_files() -> Vec<SourceFile> {
    let mut files = rust_files("src");
    files.extend(rust_files("tests"));
    files
}

fn report(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}

fn faults(files: &[SourceFile], check: impl Fn(&SourceFile) -> Vec<String>) -> Vec<String> {
    files.iter().flat_map(|file| check(file).into_iter().map(|fault| format!("{}: {fault}", file.path))).collect()
}

/// The modules of `lib.rs` in order.
fn module_order() -> Vec<String> {
    let text = std::fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs");
    text.lines()
        .filter_map(|line| line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(';')))
        .map(String::from)
        .collect()
}

fn module_of(path: &str) -> Option<String> {
    let rest = path.strip_prefix("src/").filter(|rest| !rest.starts_with("runtime/"))?;
    let first = rest.split(['/', '.']).next()?;
    (!matches!(first, "lib" | "main")).then(|| first.to_string())
}

/// The modules that a file names as `crate::name` or in `use crate::{…}`.
fn imported_modules(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, prefix) in code.match_indices("crate::") {
        let rest = &code[at + prefix.len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group_heads(group)),
            None => found.push(leading_name(rest)),
        }
    }
    found
}

/// The first name of each entry of a `{a::b, c::{d, e}}` group, the brace already taken.
fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut heads, mut fresh) = (0, Vec::new(), true);
    for (at, character) in group.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => fresh = true,
            _ if fresh && character.is_alphabetic() => {
                heads.push(leading_name(&group[at..]));
                fresh = false;
            }
            _ => {}
        }
    }
    heads
}

fn leading_name(text: &str) -> String {
    text.chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

#[test]
fn a_module_uses_only_what_stands_above_it_in_lib_rs() {
    let order = module_order();
    let place = |name: &str| order.iter().position(|known| known == name);
    let found = faults(&rust_files("src"), |file| {
        let Some(own) = module_of(&file.path) else { return Vec::new() };
        let Some(mine) = place(&own) else { return vec![format!("`{own}` is not in lib.rs")] };
        let later = |name: &String| place(name).is_some_and(|other| other > mine);
        imported_modules(&file.code).into_iter().filter(later).map(|name| format!("uses `{name}`")).collect()
    });
    report("a module uses only what stands above it in lib.rs", &found);
}

#[test]
fn the_interpreter_shares_nothing_with_native_code() {
    let allowed = ["source", "diagnostics", "fault", "tensor", "model", "graph", "ops", "interpret"];
    let found = faults(&rust_files("src/interpret"), |file| {
        let strange = |name: &String| !allowed.contains(&name.as_str());
        imported_modules(&file.code).into_iter().filter(strange).map(|name| format!("uses `{name}`")).collect()
    });
    report("interpret imports nothing below ops and graph", &found);
}

#[test]
fn melior_and_inkwell_stay_behind_their_walls() {
    let files = rust_files("src");
    let names_mlir = |file: &SourceFile| file.names("melior") || file.names("mlir_sys");
    let is_below = |file: &SourceFile, folder: &str| module_of(&file.path).as_deref() == Some(folder);
    let mut crossings = Vec::new();
    let mut strays = Vec::new();
    for file in &files {
        let (mlir, llvm) = (names_mlir(file), file.names("inkwell"));
        let foreign = (mlir && !is_below(file, "mlir")) || (llvm && !is_below(file, "llvm"));
        match mlir && llvm {
            true => crossings.push(file.path.clone()),
            false if foreign => strays.push(file.path.clone()),
            false => {}
        }
    }
    report("melior only under src/mlir/, inkwell only under src/llvm/", &strays);
    assert!(crossings.len() <= 1, "one file crosses from MLIR to LLVM: {crossings:?}");
}

#[test]
fn unsafe_stands_only_in_its_doors_and_says_why() {
    let found = faults(&rust_files("src"), |file| {
        let inside = DOORS.iter().any(|door| file.path.starts_with(door));
        let lines: Vec<&str> = file.text.lines().collect();
        let uses = file.code.lines().enumerate().filter(|(_, line)| is_unsafe(line));
        uses.filter(|(at, _)| !inside || !is_justified(&lines, *at)).map(|(at, _)| format!("line {}", at + 1)).collect()
    });
    report("`unsafe` stands only in its doors, under a SAFETY line", &found);
}

fn is_unsafe(line: &str) -> bool {
    let opens = line.contains("unsafe {") || line.contains("unsafe impl") || line.contains("unsafe fn");
    has_word(line, "unsafe") && opens
}

fn is_justified(lines: &[&str], at: usize) -> bool {
    let above = &lines[at.saturating_sub(12)..=at];
    above.iter().any(|line| line.contains("SAFETY:") || line.contains("# Safety"))
}

#[test]
fn files_and_functions_are_short() {
    let found = faults(&all_files(), |file| {
        let mut long = long_functions(&file.code);
        let lines = file.text.lines().count();
        if lines > FILE_LINES {
            long.push(format!("{lines} lines"));
        }
        long
    });
    report("at most 400 lines a file and 60 lines a function", &found);
}

fn long_functions(code: &str) -> Vec<String> {
    let lines: Vec<&str> = code.lines().collect();
    let starts = lines.iter().enumerate().filter(|(_, line)| has_word(line, "fn") && !line.contains("fn("));
    starts
        .filter_map(|(start, line)| {
            let length = function_length(&lines[start..])?;
            (length > FUNCTION_LINES).then(|| format!("`{}` has {length} lines", line.trim()))
        })
        .collect()
}

/// Lines up to the brace that closes the first one; nothing for a declaration without a body.
fn function_length(lines: &[&str]) -> Option<usize> {
    let mut depth = 0_i32;
    for (count, line) in lines.iter().enumerate() {
        for character in line.chars() {
            match character {
                '{' => depth += 1,
                '}' => depth -= 1,
                ';' if depth == 0 => return None,
                _ => {}
            }
            if character == '}' && depth == 0 {
                return Some(count + 1);
            }
        }
    }
    None
}

#[test]
fn every_module_opens_with_a_short_doc() {
    let found = faults(&all_files(), |file| {
        let doc = file.text.lines().take_while(|line| line.starts_with("//!")).count();
        match doc {
            0 => vec!["no module doc on the first line".to_string()],
            _ if doc > MODULE_DOC_LINES && file.path != "src/lib.rs" => vec![format!("a module doc of {doc} lines")],
            _ => Vec::new(),
        }
    });
    report("a module opens with what comes in, what goes out, what is guaranteed", &found);
}

#[test]
fn nothing_is_ignored_or_left_to_do() {
    let found = faults(&all_files(), |file| {
        let unfinished =
            |line: &&str| line.contains("#[ignore") || line.contains("todo!(") || line.contains("unimplemented!(");
        file.code.lines().filter(unfinished).map(|line| line.trim().to_string()).collect()
    });
    report("no #[ignore], no todo!, no unimplemented!", &found);
}

/// The names of all models and blocks that the repository's own .arch files declare.
fn declared_names() -> Vec<String> {
    let files = ["stdlib", "examples"].into_iter().flat_map(|folder| files_below(&root().join(folder)));
    let arch = files.filter(|path| path.extension().is_some_and(|extension| extension == "arch"));
    let texts = arch.filter_map(|path| std::fs::read_to_string(path).ok());
    let declared = |line: &str| {
        let rest = line.strip_prefix("block ").or_else(|| line.strip_prefix("model "))?;
        Some(leading_name(rest))
    };
    texts.flat_map(|text| text.lines().filter_map(declared).collect::<Vec<_>>()).collect()
}

#[test]
fn no_string_of_the_compiler_names_a_layer_or_a_model() {
    let families = ["llama", "mistral", "qwen", "gpt", "glm", "mamba", "rwkv", "deepseek", "mixtral", "bert"];
    let declared = declared_names();
    let found = faults(&rust_files("src"), |file| {
        let known = |text: &&String| {
            let lower = text.to_lowercase();
            declared.contains(text) || families.iter().any(|family| has_word(&lower, family))
        };
        file.strings.iter().filter(known).map(|text| format!("{text:?}")).collect()
    });
    report("nothing in src/ may name a layer or a model", &found);
}

#[test]
fn no_file_names_a_place_of_one_machine() {
    let mut files = vec![root().join("Makefile"), root().join("README.md"), root().join("Cargo.toml")];
    for folder in ["src", "tests", "stdlib", "examples", "grammar", ".ci"] {
        files.extend(files_below(&root().join(folder)));
    }
    let places = ["work", "home", "root"].map(|name| format!("/{name}/"));
    let mut found = Vec::new();
    for path in files {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let named = text.lines().filter(|line| places.iter().any(|place| line.contains(place.as_str())));
        found.extend(named.map(|line| format!("{}: {}", path.display(), line.trim())));
    }
    report("no absolute path of a machine", &found);
}

#[test]
fn the_reader_of_sources_sees_through_comments_and_strings() {
    let (code, strings) = source::blank("let a = \"x // y\"; // unsafe\nlet b = r#\"q\"q\"#; '\"' 'a /* { */ fn");
    assert_eq!(code, "let a = \"\"; \nlet b = \"\";  'a  fn");
    assert_eq!(strings, ["x // y", "q\"q"]);
    assert_eq!(
        imported_modules("use crate::{graph::{Op, Value}, tensor}; crate::plan::x"),
        ["graph", "tensor", "plan"]
    );
    assert_eq!(function_length(&["fn f() {", "  { }", "}", "}"]), Some(3));
}
