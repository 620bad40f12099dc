//! E02 to E06: names, axes, types, presence and proofs.

use super::Code;

codes! {
E0201 = "an unknown name", r#"
A name that nothing declares: no line of this body, no parameter of the block, no block of this file, of a file that it
uses or of the standard library, no built-in function.

A bare word (`halves`, `attention`) is allowed only where a word is expected: the default of a setting, an argument for
such a setting, a list, a pattern, and beside `==` with a word. So a typo is never a new word.
"#;

E0202 = "not an axis", r#"
An axis is needed here: after `sum`, in the axes of a parameter, on the left of `:` in an index. Axes are declared with
`dim`, stand in the signature of a block, or are the count of a `for`. A setting (`set heads = 12`) is a number, no axis:
`dim h = heads` makes an axis of it.
"#;

E0203 = "a call without end", r#"
A block cannot call itself, directly or through others, and the model can call itself only in its `train` and `generate`
lines: everything is expanded while compiling, so it has to end.
"#;

E0204 = "one label for two blocks", r#"
The label of a call is the path of its parameters; without a label the block's name is it. Two calls with parameters
would store them at the same path, so one of them needs another label. To use one set of parameters twice, write
`shared label: block(…)`.

    x += attn: gqa(norm1: rmsnorm(x), heads)
    x += ffn: swiglu(norm2: rmsnorm(x), hidden)
"#;

E0205 = "a name with two meanings", r#"
There is one name space and nothing is hidden: axes, settings, values, blocks and built-in functions of one scope have
different names. A value alone may be bound again, which writes only where the new value is present.
"#;

E0206 = "a line that does not belong here", r#"
`input`, `output`, `train` and `generate` stand in a model, `return` in a block, `yield` in a `for`.
"#;

E0207 = "a setting that does not exist", r#"
A value was given (on the command line or by a `config` line) for a name that no `set` or `dim` line of the model
declares.
"#;

E0208 = "nothing to use", r#"
A `use` line names a file or an item that does not exist. `use a.b` looks for `a/b.arch` beside the file, then in the
standard library, then among the examples; `use "./mine.arch"` names a file. `use a.{x, y}` takes x and y alone.
"#;

E0301 = "an axis too many", r#"
The result of a block has exactly the axes that the signature promises, and those that ride on its arguments. An axis
that the block itself can name (a private `dim`, or one of its signature) must be summed away or promised.

    block feed(x[t, d]) -> [t, d] {
      dim f = 64
      param w[d, f]
      return sum[d](x * w)        # still has f
    }
"#;

E0302 = "an axis that has no place here", r#"
A loss is one number, `until` one bool for each row, and the number of rows is not a number that a program may use.
"#;

E0303 = "a size that is no size", r#"
A size is a whole number of at least 1 that is known while compiling, or (for a sequence) a sum of lengths and settings
such as `|p| + new`. `/` must come out whole: with 12 heads, `dim k = |d| / heads` needs a width that 12 divides.
"#;

E0304 = "unlike sequences", r#"
A position along one sequence says nothing about a position along another, so the two cannot be compared or read at each
other's places. If they are the same positions, declare the second as an index over the first: `dim s like t`.
"#;

E0305 = "an axis that is not there", r#"
The value does not have the axis that is named. Indexing replaces an axis that a value has: in `x[a: b]`, `a` is an axis
of x and `b` says where to read.
"#;

E0306 = "an axis twice", r#"
A value never has an axis twice, and two axes of a block cannot be one axis of the caller. Rename first, to a second
index over the same positions: `dim s like t`, then `key[t: s]`.
"#;

E0307 = "batch inside a block that others ride on", r#"
A block runs for each position of the axes that ride on its arguments, so it cannot reduce over `batch` there.
"#;

E0308 = "an axis that nothing is bound to", r#"
The axes of a signature are the block's axis arguments. A call binds each to the caller's axis of the same name, or as
written: `rmsnorm[d = k](q)`, or in order: `rmsnorm[k](q)`.
"#;

E0401 = "arguments that do not fit", r#"
Arguments come in order or by name; what has no default must be given, and nothing twice.
"#;

E0402 = "another type", r#"
Values are real, int, bool, or indices of an axis. A bool counts as 0 or 1, an index is an int, an int is a real; never
back without `floor`. A condition is a bool, a place in an index is whole, and a value declared as an index of an axis
must be one, so that reading at it cannot fail.
"#;

E0403 = "a block where a value is needed, or a value where a block is", r#"
A block is an argument like any other, but only for a parameter with a signature of its own: `expert(x[d]) -> [d]`.
"#;

E0404 = "another number of results", r#"
A block with several results is bound to several names, `y, p = moe(x)`, or asked for one: `self.logits`.
"#;

E0405 = "not known while compiling", r#"
Settings, sizes, list items and what a `match` decides are known while compiling: numbers, bools, words and lists, and
arithmetic on them.
"#;

E0406 = "a match on a run-time value", r#"
`match` is always decided while compiling. A choice at run time is `a where condition else b`.
"#;

E0407 = "no arm for a value", r#"
No pattern of the `match` is for the value that it looks at, and there is no `_`.
"#;

E0408 = "what a for carries changes its type", r#"
A name from outside that a `for` binds again is carried from turn to turn, and keeps its axes and type. Give it all of
its axes before the `for`: `S[k, m] : f32 = 0`.
"#;

E0501 = "an output that can be absent", r#"
An output must be present wherever the inputs are. What `where`, an index outside of its axis or a reduction over nothing
made absent needs an `else`, a reduction that skips it, or binding again to an older value.
"#;

E0502 = "an index that may fall outside", r#"
A name is bound again to a value that is absent where an index falls outside of its axis. Say what it is there with
`else`, so that it is seen that this can happen: `x[t: t - 1 else 0]`.
"#;

E0601 = "a proof as a value", r#"
`blind(a, b)` is proved while compiling and stands alone in a `require` line.
"#;

E0602 = "a requirement that does not hold", r#"
A `require` line is proved while compiling, or checked when a program starts. This one cannot hold.
"#;

E0701 = "a weight map that does not fit", r#"
A line of a `weights` map names a parameter, an axis or a value that the model does not have, or a layout whose parts
are not the parameters on its left.
"#;

E0702 = "a parameter that no line of the weight map names", r#"
Every parameter of the model must be found in the file. A parameter that no line names would stay random without a word.
"#;

E0703 = "a configuration that does not fit", r#"
A `config` line reads a key that the configuration does not have, or whose value is not of the kind that is needed. A
second choice stands after `else`: `base = rope_theta else 10000.0`.
"#;

W0201 = "a name that nothing reads", r#"
The name is declared and never read. Remove it, or use it.
"#;
}
