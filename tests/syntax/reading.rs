//! Files that are good, what single lines mean, and what is said about lines that are not good.

use super::{arch_files, fixtures, read};
use archc::diagnostics::{Diagnostics, render};
use archc::model::library::embedded_files;
use archc::source::{FileId, Sources};
use archc::syntax::{ast, parse, print};

#[test]
fn every_fixture_and_every_shipped_file_is_read_without_a_message() {
    for (path, text) in [fixtures(), arch_files("stdlib"), arch_files("examples")].concat() {
        assert_eq!(read(&text).1, Vec::<String>::new(), "{}", path.display());
    }
}

/// The right side of `y = …`, with every bracket that precedence implies written out.
fn grouped(expression: &str) -> String {
    let (file, messages) = read(&format!("block f() {{ y = {expression} }}"));
    assert_eq!(messages, Vec::<String>::new(), "{expression}");
    match &file.blocks[0].body.lines[0].kind {
        ast::LineKind::Bind(_, _, value) => group(value),
        other => format!("{other:?}"),
    }
}

fn group(expression: &ast::Expr) -> String {
    use ast::ExprKind::*;
    match &expression.kind {
        Binary(operator, a, b) => format!("({} {operator:?} {})", group(a), group(b)),
        Unary(operator, a) => format!("({operator:?} {})", group(a)),
        Where(a, b) => format!("({} where {})", group(a), group(b)),
        Else(a, b) => format!("({} else {})", group(a), group(b)),
        Name(name) => name.clone(),
        Integer(number) => number.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn operators_group_as_the_manual_says() {
    let cases = [
        ("a where b else c where d else e", "(((a where b) else (c where d)) else e)"),
        ("a or b and not c == d", "(a Or (b And (Not (c Equal d))))"),
        ("a - b - c * d // e", "((a Subtract b) Subtract ((c Multiply d) FloorDivide e))"),
        ("-x ^ 2", "(Negate (x Power 2))"),
        ("2 ^ -3 ^ 2", "(2 Power (Negate (3 Power 2)))"),
        ("-a * b", "((Negate a) Multiply b)"),
        ("a + b < c and d in e", "(((a Add b) Less c) And (d In e))"),
    ];
    for (text, wanted) in cases {
        assert_eq!(grouped(text), wanted, "{text}");
    }
}

#[test]
fn a_line_goes_on_after_an_operator_and_inside_brackets_alone() {
    assert_eq!(grouped("a +\n b"), "(a Add b)");
    assert_eq!(grouped("(a\n + b)"), "(a Add b)");
    let (_, messages) = read("block f() { y = a\n + b\n }");
    assert_eq!(messages.len(), 1);
}

#[test]
fn a_span_ends_with_what_it_names_and_not_with_the_blanks_after_it() {
    let mut sources = Sources::default();
    let file = sources.add("a.arch", "block f(x[t] ) { # note\n  y = x  +  x   # note\n}\n");
    let tree = parse(file, &sources.file(file).text, &mut Diagnostics::default());
    let line = &tree.blocks[0].body.lines[0];
    assert_eq!(sources.text(tree.blocks[0].head), "block f(x[t] )");
    assert_eq!(sources.text(line.span), "y = x  +  x");
    assert_eq!(sources.line(line.span), 2);
}

/// What is said about one bad line in an otherwise good block.
fn said(line: &str) -> String {
    let mut sources = Sources::default();
    let file = sources.add("a.arch", format!("block f(x[t, d]) -> [t, d] {{\n  y = x\n  {line}\n  return y\n}}\n"));
    let mut sink = Diagnostics::default();
    let tree = parse(file, &sources.file(file).text, &mut sink);
    let text = render(&sink, &sources, false);
    assert_eq!(sink.iter().count(), 1, "{line}\n{text}");
    assert!(print(&tree).contains("  return y\n"), "the rest of the body is gone: {line}");
    text
}

#[test]
fn messages_for_bad_lines_name_the_place_and_what_was_expected() {
    let lines = [
        "x = )",
        "x = a b",
        "x = sum[d](a * b",
        "x = a < b < c",
        "x = 99999999999999999999",
        "rmsnorm(x)",
        "+ x",
        "x = a && b",
        "x = a ** 2",
        "x = a if b",
        "x -= 1",
        "input = 3",
        "x[t = a",
        "dim n = , m",
        "param w[d, ]",
        "for i in { x = 1 }",
        "for i in 3",
        "x = \"open",
        "require x, y",
        "größe = 3",
        "match a { b => c }",
        "set a",
        "yield",
        "x ~ 3",
    ];
    insta::assert_snapshot!(lines.map(said).join("\n"));
}

#[test]
fn messages_for_bad_items_name_the_place_and_what_was_expected() {
    let files = [
        "block f(x[t) -> [t] {\n  return x\n}\n",
        "block f(x[t]) -> [t]\n  return x\n}\n",
        "block f(x[t]) -> [t] {\n  for t {\n    y = x\n  return y\n}\nblock g() { }\n",
        "block f(x[t]) -> [t] {\n  return x\n}\n}\n",
        "layer f(x)\n",
        "use a.\nblock g() { }\n",
        "model 3 {\n  dim t\n}\n",
        "weights hf \"M\" {\n  a.b = c\n  d.[i] = \"x\"\n  e = \"y\" as (h\n}\n",
    ];
    let said = files.map(|text| {
        let mut sources = Sources::default();
        let file = sources.add("a.arch", text);
        let mut sink = Diagnostics::default();
        parse(file, text, &mut sink);
        render(&sink, &sources, false)
    });
    insta::assert_snapshot!(said.join("\n"));
}

#[test]
fn a_block_of_the_standard_library_parsed_alone_is_the_block_of_its_whole_file() {
    let (mut sources, mut sink) = (Sources::default(), Diagnostics::default());
    let main = sources.add("main.arch", "model nothing {}\n");
    let library = archc::model::load(&mut sources, main, &mut sink);
    let mut compared = 0;
    for (path, text) in embedded_files().filter(|(path, _)| path.starts_with("stdlib/")) {
        let file = (0..).map(FileId).find(|file| sources.file(*file).path.ends_with(&path)).expect("a loaded file");
        let whole = archc::syntax::parse(file, text, &mut sink);
        assert!(whole.uses.is_empty() && whole.models.is_empty() && whole.weights.is_empty(), "{path}");
        for block in &whole.blocks {
            let alone = library.declared(&block.name.text).expect("the library finds it");
            assert_eq!(format!("{alone:?}"), format!("{block:?}"));
            compared += 1;
        }
    }
    assert_eq!(compared, library.block_names().len());
    assert_eq!(sink.iter().count(), 0);
}
