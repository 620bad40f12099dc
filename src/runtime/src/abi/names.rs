//! The names that both sides of the contract use: programs, their sizes, and inputs that the runtime fills by itself.
//!
//! Everything else is called what the source calls it. An input whose name stands here has the meaning given here.

/// One training step: inputs as the model states them; outputs [`LOSS`], all gradients, all updates.
pub const TRAIN: &str = "train";
/// The training loss without gradients: the same inputs as [`TRAIN`]; output [`LOSS`].
pub const EVALUATE: &str = "evaluate";
/// Whole sequences at once: the model's inputs, and its outputs at every position.
pub const FORWARD: &str = "forward";
/// A run of new positions after those that the states hold. The token input has shape `[batch, chunk]`; row `r` adds
/// `|chunk|[r]` positions, the first of them at position `start[r]`, from the front of its chunk row on; `|context|[r]`
/// is their sum. The model's output is given at the last new position of each row, `[batch, vocabulary]`. A state is
/// an input and an output of one name (`Role::State`), written in place.
pub const STEP: &str = "step";
/// What every [`STEP`] of the same rows would compute again, from inputs that do not grow: run once before the first
/// step, under the same sizes. Its outputs are states that steps read.
pub const BEGIN: &str = "begin";
/// One turn of the model's sampler: a [`STEP`] that goes on to choose. Outputs [`NEXT`] and [`STOP`]; the settings of
/// the sampler are inputs of their names, and so are [`TURN`] itself and [`ROW`].
pub const TURN: &str = "turn";
/// [`BEGIN`] for turns.
pub const TURN_BEGIN: &str = "turn.begin";
/// A [`TURN`] at each of the new positions, as if it were the last: what is said after every token of a draft. Outputs
/// [`NEXT`] and [`STOP`], `[batch, chunk]`, and [`DRAFT`] if the sampler gives one; in place of [`TURN`] it reads
/// [`PROMPTED`].
pub const RUN: &str = "run";
/// [`BEGIN`] for runs.
pub const RUN_BEGIN: &str = "run.begin";
/// All turns of a sampler that is no series of [`TURN`]s, in one call. Inputs are those of the sampler; its settings are
/// inputs of their names, and sizes too where sizes depend on them. Outputs are the sampler's results.
pub const GENERATE: &str = "generate";
/// What a sampler requires of its settings: an output for each of [`super::GenerateInfo::requirements`], a bool.
pub const REQUIRE: &str = "generate.require";
/// What the names of programs begin with that write packed parameters: one program for each parameter that is read packed,
/// whose path follows. Run again whenever parameters change.
pub const PREPARE: &str = "prepare.";

/// The size that is the number of rows.
pub const BATCH: &str = "batch";
/// In [`STEP`]: the size that is the number of places for new positions in a row.
pub const CHUNK: &str = "chunk";
/// In [`STEP`]: the axis of a state that holds the latest positions only; position `p` lies at `p` modulo its size.
pub const RECENT: &str = "recent";
/// In [`STEP`]: the size that is the number of positions that the states have room for.
pub const CONTEXT: &str = "context";

/// In [`STEP`]: how many positions each row has already, i32 `[batch]`.
pub const START: &str = "start";
/// In [`TURN`]: the number that tells a row's draws from those of others, i32 `[batch]`.
pub const ROW: &str = "row";
/// In [`RUN`]: how many positions of each row are its prompt, i32 `[batch]`.
pub const PROMPTED: &str = "prompted";
/// In [`TURN`]: the id that each row says next, i32 `[batch]`; -1: there is none.
pub const NEXT: &str = "next";
/// In [`TURN`]: how many of each row's new positions, the last ones, hold no token of the row but what the sampler puts
/// where nothing is written yet, i32 `[batch]`. There if a turn reads the position that it writes: the last piece of a row
/// ends with one such position, whose id in the token input is not read, and which is forgotten after the call.
pub const BLANK: &str = "blank";
/// In [`RUN`]: the id that the sampler expects to choose after [`NEXT`], i32 `[batch, chunk]`; -1: it expects none.
pub const DRAFT: &str = "draft";
/// In [`RUN`]: the id after each new position where that is settled, i32 `[batch, chunk]`; below 0, what the run itself
/// chooses there comes next. There if [`DRAFT`] depends on it.
pub const FOLLOWER: &str = "follower";
/// In [`TURN`]: whether the row stops, `[batch]`.
pub const STOP: &str = "stop";
/// In [`TURN`]: which of a row's texts each goes on from, i32 `[batch, texts]`, if a row has several.
pub const FORK: &str = "fork";
/// In [`TURN`]: what the sampler gives for each row, i32 `[batch, tokens]`, if that is not simply what it has written;
/// below 0 there is nothing.
pub const ANSWER: &str = "answer";
/// In [`TURN`]: what the names of that begin with which one turn hands to the next, an output and an input. It lies with the
/// states, and whoever runs turns need not look at it.
pub const CARRIED: &str = "carried.";
/// In [`BEGIN`] and [`TURN_BEGIN`]: how many positions of a row, i32 `[batch]`, the first piece of it must hold, since
/// they read each other; there if that can be more than one. A shorter row never gets to see what it must.
pub const AHEAD: &str = "first.piece";
/// The mean loss of the call, f32, a single number.
pub const LOSS: &str = "loss";
/// An input of bools beside the tokens: which of them count in the loss. All do unless somebody says otherwise.
pub const KEEP: &str = "keep";
/// What the call's draws are made of: an i32 `[3]`, the seed with its low half first, and the number of the first row. So
/// rows that come in several calls draw what they would draw in one.
pub const SEED: &str = "seed";

/// The input that holds the number of positions of each row along a sequence, i32 `[batch]`: written as in the
/// language, `|t|`. In [`STEP`] the sequence is split: `|chunk|` counts the new positions, `|context|` all of them.
pub fn length(axis: &str) -> String {
    format!("|{axis}|")
}

/// Whether a value of that name is handed from turn to turn.
pub fn is_carried(name: &str) -> bool {
    name.starts_with(CARRIED)
}

/// Whether a name is one that [`length`] makes.
pub fn is_length(name: &str) -> bool {
    name.len() > 2 && name.starts_with('|') && name.ends_with('|')
}
