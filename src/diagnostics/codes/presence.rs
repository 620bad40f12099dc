//! E05: values that may be absent where they must not be.

use super::Code;

codes! {
E0501 = "a value that may be absent", r#"
`x where relation` is absent where the relation does not hold, an index outside of an axis reads nothing, and what is
computed from something absent is absent. An output has to be present wherever its inputs are. What was made absent
needs a reduction (which skips it), a value there (`else`), or a name that keeps its old value (`x += y` changes x
only where y is present).

    output y = x[t: t - 1]               # absent at the first position
    output y = x[t: t - 1 else 0]
"#;

E0502 = "an index that may fall outside", r#"
A name is bound again to a value that is absent where an index falls outside of its axis, so the old value would stay
there without a word. Say what it is there, so that it is seen that this can happen.

    x = x[t: t - 1]              # at the first position x would keep its old value
    x = x[t: t - 1 else 0]
"#;
}
