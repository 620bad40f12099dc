//! E07: weight maps that do not fit the model, or the files.

use super::Code;

codes! {
E0701 = "a weight map that does not fit the model", r#"
The left side of a line of a `weights` map is the path of a parameter: the labels of the calls around it, joined by
dots, with the count of a `for` in brackets, as in `layers[i].attn.wq`. `as` says how its axes lie in the file: in
order, `(h k)` for two axes stored as one with k counting fastest, `(k + k)` for parts side by side that belong to the
parameters in braces, `1` for an axis of size one. Every axis of the parameter stands there once.

    layers[i].attn.{wq, wk} = "h.{i}.qk.weight" as (h k + h k) d
"#;

E0702 = "a parameter that no line of the weight map names", r#"
Every parameter of the model has to be found in the file, and every tensor of the file has a place in the model or an
`ignore "…"` line. What is left over would silently keep its random start.
"#;

E0703 = "a configuration that does not fit", r#"
A `config` line reads settings and sizes from the configuration of a weights folder. The left side is a `set` or a
`dim` of the model, the right side a key of the configuration, with dots for nesting. Here the key is missing, or its
value is not of the kind that is needed. A second choice stands after `else`: `base = rope_theta else 10000.0`.
A `require` line says what the configuration must say for the model to be the right one: `require hidden_act == silu`.
"#;
}
