//! E01: what was written is not the language.

use super::Code;

codes! {
E0101 = "something else was expected", r#"
A line was read up to the marked place, and what stands there cannot follow what stands before it.

A line begins with a word that says what it is (`dim`, `set`, `param`, `input`, `return`, …) or with the name that it
binds (`x = …`, `x += …`, `z[t] ~ …`). It ends at its newline or at `;`, and goes on below after a comma, an operator,
`=` or `=>`, and anywhere inside ( ) and [ ].

    x = a          # two lines: the second begins with an operator
      + b
    x = a +        # one line
      b
"#;

E0102 = "a brace that is never closed", r#"
A `{` has no `}`. The next `block`, `model`, `weights` or `use` ends the body, so the rest of the file is still read.
The marked brace is the one whose line is indented as far as the `}` that closes something else, which is most often
the forgotten one.

    block double(x[d]) -> [d] {
      return 2 * x
    block next(x[d]) -> [d] { return x }       # the first block ends here, without its brace
"#;

E0103 = "comparisons that chain", r#"
`a < b < c` would compare the bool `a < b` with `c`, which nobody means, and reading it as `a < b and b < c` would be
an exception to learn. So comparisons (`== != < <= > >= in`) do not chain.

    x where 0 < a < 4                # refused
    x where 0 < a and a < 4          # what was meant
    x where (a == b) == c            # a bool compared with a bool: say so with ( )
"#;

E0104 = "a number that is too large", r#"
A number without a dot and an exponent is an integer of 64 bits. Write a larger one as a real: `1e30`.
"#;

E0105 = "a bracket that is never closed", r#"
A `(` or `[` has no partner in its line. Inside brackets a line goes on over newlines, so the partner may stand lines
below, but it has to come before the body's `}`.

    y = sum[d](x * w             # `)` is missing
"#;

E0106 = "an expression alone", r#"
A line that is only an expression would compute a value and drop it. There are no statements that act by themselves:
bind the value to a name, or give it to `return`, `yield`, `output`, `loss`, `update` or `require`.

    rmsnorm(x)                   # does nothing
    x = rmsnorm(x)               # binds x again
"#;

E0107 = "a text that is never closed", r#"
A text in quotes ends on its own line, with `"`. There are no escapes in it.
"#;

E0108 = "text between the items of a file", r#"
A file is a list of `use` lines, blocks, models and weight maps. Any other line stands in the body of one of them. The
usual reason is a `}` too many: it closes the body early, and the lines after it are left over.
"#;

E0109 = "nesting without end", r#"
Brackets or braces stand more than 64 deep in each other, or one expression chains more than 400 operators. No model
needs that; bind parts of the expression to names.
"#;

E0110 = "a brace that is never opened", r#"
The head of a block, a model or a `for` is good, and its body has to follow in { }, on the same line.

    for i in layers
      x += layer(x)              # `{` is missing behind `layers`
    }
"#;
}
