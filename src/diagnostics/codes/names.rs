//! E02: names that mean nothing, two things, or something out of reach.

use super::Code;

codes! {
E0201 = "a name that nothing declares", r#"
Every name is declared before it is used: by `dim`, `set`, `param`, `buffer`, `input`, by the parameters of a block,
or by binding it with `=` or `~`. Blocks come from this file and from `use` lines.

A bare name is a *word* (`halves`, `attention`) only where a word is expected: as the default of a setting, as an
argument for such a setting, in a list, in a pattern, and compared with one. So a misspelled name is never a new word.

    x = tabel[v: ids]            # nothing is called `tabel` here; did you mean `table`?
"#;

E0202 = "a name of another kind than the place needs", r#"
The name is declared, but as something else: an axis is needed where it is a value or a setting, or `update` names
what is not a `buffer`. A name is one thing: an axis (`dim`), a compile-time constant (`set`), or a value.

    set heads = 12
    y = sum[heads](x)            # `heads` is a number; declare `dim h = heads` and sum over h
"#;

E0203 = "a block that needs itself", r#"
Blocks are expanded where they are called, and loops are bounded, so that everything can be checked before a weight
exists. A block that calls itself, directly or around corners, would never end. Repeat with `for`.

    for i in depth { x += layer(x) }
"#;

E0204 = "two parameters with one path", r#"
The label of a call is the path of its parameters in the weights file (`layers.3.attn.wq`). Two blocks with parameters
under one label in one scope would write over each other. Without a label the block's name is it.

    x += norm: rmsnorm(x)
    x += norm: rmsnorm(x)        # name it otherwise; or write `shared norm:` in both to have one set of parameters
"#;

E0205 = "a name with two meanings", r#"
There is one name space, and no name hides another: a local name that is also a block's, a built-in's, or a name from
outside would make a line mean something else when a line far away changes. Binding a *value* again is fine (`x = …`,
`x += …`): it is the same value going on.

    block top_k(rank) { … }      # `rank` is a built-in: call it something else
"#;

E0206 = "a line in a place where it means nothing", r#"
`input`, `output`, `train` and `generate` stand in a model; `return` in a block; `yield` in a `for`. A model hands out
values with `output`, a block with `return`, a turn of a `for` with `yield`.
"#;

E0207 = "a setting that does not exist", r#"
A setting given from outside (on the command line, in a recipe, or from a configuration) must be one that the model or
the `generate` block declares, so that a misspelled one is never silently ignored.
"#;

E0208 = "a file that is not found", r#"
`use name` looks for `name.arch` beside the file that asks, then in the standard library and the examples that are
part of archc. `use a.b.{x, y}` takes only x and y of it. `use "./mine.arch"` names a file beside this one.
"#;
}
