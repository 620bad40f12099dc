//! Writing text: the loop over the `turn` program, or over `step` where the caller chooses.
//!
//! In: a model with its step program and token ids for each row. Out: more ids, one at a time. A [`Decoder`] owns the
//! caches and feeds positions; a [`Session`] holds what each row has said and chooses what comes next. A row's choices
//! depend on its own prompt, the seed and the turn, so it says the same alone and in a batch.

mod decoder;
mod forks;
mod given;
mod judges;
mod output;
mod program;
mod sampler;
mod session;
mod speculation;
mod turns;
mod whole;

pub use decoder::{Decoder, Snapshot};
pub use given::Given;
pub use judges::Judgement;
use program::check_ids;
pub use program::longest_piece;
pub use sampler::{Sampling, choose};
pub use session::{Limits, Session, row_numbers};
pub use speculation::{Draft, Lookup, Runs};
pub use turns::{Choice, Turns};
pub use whole::{Moment, NEW, Whole, accept};
