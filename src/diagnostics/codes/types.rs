//! E04: values, arguments and settings that do not belong where they stand.

use super::Code;

codes! {
E0401 = "arguments that do not fit", r#"
A call gives every parameter that has no default, in order or by name, each once, and no others. `_` stands only for
the data of a block that is given as an argument: `moe(x, swiglu(_, hidden))`.
"#;

E0402 = "a value of another type", r#"
Values are real, int, bool, or indices of an axis. A bool counts as 0 or 1, an index is an int, an int is a real; the
way back has to be written: `floor(x)`, `x > 0`. An index of an axis cannot be made of any number, since it might lie
outside; the checker proves ranges from index types, coordinates, constants and `min max % //`.

    table[v: x]                  # x is a real
    table[v: floor(x)]           # an int: outside of v the result is absent
"#;

E0403 = "a block where a value is needed, or the reverse", r#"
A block's name is a value only as an argument for a parameter with a signature: `expert(x[d]) -> [d]` takes `swiglu`
or `swiglu(_, hidden)`. Anywhere else it has to be called, and only blocks and built-ins can be called.
"#;

E0404 = "results that do not fit", r#"
A block hands out as many results as its signature names, and a call with several is bound to as many names: `y, p =
moe(x)`. Of a model with several outputs one is chosen by name: `self.logits`.
"#;

E0405 = "a value where a compile-time constant is needed", r#"
Settings, sizes, lists, weights of losses and defaults of settings are known while compiling: numbers, bools, words
and lists of them. What is computed from data is known only when the program runs.

    set n = mean[t](x)           # a value, not a setting: write `n = mean[t](x)`
"#;

E0406 = "a match that is not decided while compiling", r#"
`match` chooses code: which parameters exist, which lines are compiled. So it looks at settings, at the count of a
`for` over layers, and at the constant `training`. A choice that depends on data is `a where condition else b`.

    y = match x > 0 { true => x, false => 0 }      # refused
    y = x where x > 0 else 0
"#;

E0407 = "a match without an arm for this", r#"
No pattern of the `match` fits. Words must be those of its arms; a misspelled word lands here. `_` as the last pattern
takes everything else.
"#;

E0408 = "a carried value that changes its shape", r#"
A name from outside a `for` that is bound again inside is carried from turn to turn. It keeps its axes and its type,
since the next turn reads what this one wrote.

    S = 0
    for t { S = S + key * val }          # key and val bring axes: declare them, `S[k, m] = 0`
"#;

E0409 = "a part of the language that is not compiled yet", r#"
What is written has a meaning in the language, and this version of archc has no program for it. It says so here,
instead of computing something else.

    for n in 8 until done { x = step(x) }
    g = grad(energy(x), start)           # refused: through turns that rows leave early
"#;
}
