//! W and N: what compiles, and is probably not meant, slow, or worth knowing.

use super::Code;

codes! {
W0201 = "a name that nothing uses", r#"
A value, setting or axis is declared and nothing reads it. It costs nothing, since only what a program asks for is
computed, but it is often a misspelling or the rest of an edit.
"#;

W0202 = "a parameter that nothing uses", r#"
A parameter is made, stored and written to checkpoints, and no output or loss depends on it: it never changes.
"#;

W0203 = "a block that nothing calls", r#"
A block is expanded and checked where it is called, with the axes of the caller. One that no model of the file calls has
been read, and nothing more is known about it.
"#;

W0301 = "a relation that is computed densely", r#"
Work is done only where a value is present if the relation has a form that the compiler knows: affine in coordinates
(`s <= t`, `t - s < 4096`), a bool of fewer axes, equality with an index, or a bound on a rank (`top[e](p, 2)`). Any
other relation is computed everywhere and then masked. The warning says how much work that is.
"#;

N0601 = "something that looks ahead on purpose", r#"
`peek(x)` is left out of the proof of blindness. Results that depend on it cannot be trusted to be the same when
decoding step by step.
"#;
N0602 = "rows of a batch that see each other", r#"
An output that belongs to a row follows from what is combined over all rows, for instance from room that the tokens
of a whole batch share. A row then gets other numbers with other neighbours: in training, where it stands in a batch,
it is not what it is when decoded alone or position by position. Losses over the whole batch are not meant, since no
row gets them.
"#;
N0603 = "a sampler that computes whole sequences in every turn", r#"
A sampler whose `for` writes in each turn the position after the last (`ids = next where t == |p| + n`) becomes a
program of one turn, which keeps what earlier turns have computed. One that changes positions anywhere, or a model in
which a new position changes what was computed at earlier ones, has nothing to keep: all turns are one program, and
each computes the whole sequence. In between stand samplers that write one block after the other, turn by turn, with a
model that sees no later block: they keep what earlier blocks mean. The note says what stands against it.
"#;
}
