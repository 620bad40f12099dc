//! E03: axes, sizes and shapes that do not fit.

use super::Code;

codes! {
E0301 = "a result with another shape than promised", r#"
The axes that a block's signature or a left side names are a promise: exactly these, in whatever order. An axis that
is declared in a body is private to it. If one is still in the result, it was not summed, or it should stand in the
promise.

    block feed(x[t, d]) -> [t, d] {
      dim f = 64
      param w[d, f]
      return sum[d](x * w)       # has [t, f]: f is private and never contracted
    }

Nothing is summed unless its axis is named, so a forgotten axis is the usual reason.
"#;

E0302 = "axes that are too many for this place", r#"
A loss is one number, and a condition of `until` is one bool for each row: everything else has to be reduced by name,
`batch` included. The number of rows belongs to the run, so `|batch|` cannot be asked for.

    loss mean[batch, t](ce)
"#;

E0303 = "a size that does not come out", r#"
The size of an axis is a whole, positive number that is known while compiling, or a sum of lengths and settings (`|p|
+ new`). `/` divides exactly: `dim k = |d| / heads` asks for heads to divide |d|. A group such as `(h k)` needs fixed
sizes that multiply to the size of what it splits.

    dim d = 100, h = 3, k = |d| / 3        # 33.33 positions
"#;

E0304 = "two sequences that are not alike", r#"
A position along one sequence says nothing about a position along another, so comparing them, or reading one at the
other, is refused. Where both count the same positions, say it: `dim s like t`. Then `s <= t` means what it looks
like.

    dim t, s                     # two sequences of their own
    x where s <= t               # refused; with `dim t, s like t` it is the causal relation
"#;

E0305 = "an axis that a value does not have", r#"
`x[axis: place]` reads x along one of its axes, and an argument brings the axes that the block's signature names. The
message lists the axes that the value has. Rename one with `x[have: want]`, or bind it in the call: `norm[d = k](x)`.
"#;

E0306 = "one axis twice", r#"
A value never has an axis twice, because a name would then not say which. A second index over the same positions is an
axis of its own: `dim s like t`. So two axes of a block cannot be bound to one axis of the caller, and one bracket
cannot read an axis at two places.

    score = sum[k](q * key)              # key has t too: this is the diagonal
    score = sum[k](q * key[t: s])        # every pair: [t, s]
"#;

E0307 = "a reduction over rows inside a block that rides", r#"
An axis that an argument has and the block does not name *rides*: the block runs for each of its positions and cannot
name it. A sum over `batch` there would mix what the caller keeps apart. Reduce at the caller, or name the axis in the
signature.
"#;

E0308 = "an axis of a block that the call does not settle", r#"
A block's axes are bound to the caller's axes of the same name, or as written: `rope[k = e](x)`. If neither says which
one is meant, the call has to. Several axes can be bound as one: `rmsnorm[(h k)](q)`.

    block rmsnorm(x[d]) -> [d] { … }
    y = rmsnorm(q)               # q is [t, h, k]: which one is d?
    y = rmsnorm[k](q)
"#;
}
