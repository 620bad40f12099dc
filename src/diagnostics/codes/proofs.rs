//! E06: a `require` that does not hold.

use super::Code;

codes! {
E0601 = "a proof used as a value", r#"
`blind(a, b)` is a statement about the program, not a bool that can be computed: it stands alone in a `require` line.
"#;

E0602 = "a requirement that does not hold", r#"
`require relation` is decided while compiling where everything in it is known, and checked when a program starts
otherwise. This one can never hold with these settings.

    require |d| % heads == 0, "heads must divide the width"
"#;

E0603 = "a prediction that sees what it predicts", r#"
`require blind(logits, target)` asks that no element of logits depends on what the element of target at its own
position reads. It is proved from the relations between positions; here a path from the one to the other is left, and
the message shows it. The usual reasons: attention without `s <= t`, a shift in the wrong direction (`ids[t: t + 1]`
where `t - 1` was meant), a mean over the sequence.

A block that looks ahead on purpose says so with `peek(x)`, and the proof leaves it out and reports it.
"#;
}
