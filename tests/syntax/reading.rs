//! Files that are good, and single lines that are not.

use archc::diagnostics::Diagnostics;
use archc::source::FileId;
use archc::syntax::{ast, parse};

fn read(text: &str) -> (ast::File, Vec<String>) {
    let mut sink = Diagnostics::default();
    let file = parse(FileId(0), text, &mut sink);
    (file, sink.iter().map(|found| format!("{}: {}", found.code.name, found.message)).collect())
}

#[test]
fn a_small_model_is_read_whole() {
    let (file, messages) = read(
        "use norms\nuse a.b.{x, y}\nuse \"./mine.arch\"\nmodel M {\n  set n = 2\n  dim t, d = 8\n  input x[t, d] : real?\n  \
         for i in n { x += attn: gqa[d = (a b)](x, _, w = 1) }\n  output y = x\n}\n\
         weights hf \"M\" {\n  value hidden[i] = \"hidden_states.{i}\"\n  \
         layers[i].{wq, wk} = \"h.{i}.{q, k}\" as (g (k + k)) 1 d also \"z\"\n}\n",
    );
    assert_eq!(messages, Vec::<String>::new());
    assert_eq!((file.uses.len(), file.models.len(), file.weights.len()), (3, 1, 1));
    assert_eq!(file.models[0].body.lines.len(), 5);
}

#[test]
fn a_bad_line_is_one_error() {
    for (line, wanted) in [("x = )", "E0101"), ("f(x)", "E0106"), ("x = (a", "E0105"), ("x = a < b < c", "E0103")] {
        let (_, messages) = read(&format!("block f(x[d]) -> [d] {{\n  y = x\n  {line}\n  return y\n}}\n"));
        assert_eq!(messages.len(), 1, "{line}: {messages:?}");
        assert!(messages[0].starts_with(wanted), "{line}: {messages:?}");
        println!("{line}: {messages:?}");
    }
}
