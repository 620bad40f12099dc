//! Writing text: turns of the model's own sampler, which is a program like any other.
//!
//! In: a model with a sampler and token ids for each row. Out: more ids, one at a time. A [`Decoder`] owns the caches and
//! feeds positions; a [`Session`] holds what each row has said and lets it say what the sampler chooses. A row's choices
//! depend on its own prompt, the seed and the turn, so it says the same alone and in a batch.

mod decoder;
mod forks;
mod given;
mod judges;
mod output;
mod program;
mod session;
mod speculation;
mod turns;
mod whole;

pub use decoder::{Decoder, Snapshot};
pub use given::Given;
pub use judges::Judgement;
use program::check_ids;
pub use program::longest_piece;
pub use session::{Limits, Session, row_numbers};
pub use speculation::{Draft, Lookup, Runs};
pub use turns::{Choice, Turns};
pub use whole::{Moment, NEW, Whole, accept};
