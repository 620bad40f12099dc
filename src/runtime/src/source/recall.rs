//! Multi-query associative recall, made as it goes (Arora et al. 2023, "Zoology", section 3.2).
//!
//! A row states pairs of key and value, then asks for each of them once: the key stands again, and the value that belongs
//! to it has to follow. Where the questions stand is drawn; between them are blanks. Keys are the ids from 1 to half the
//! vocabulary, values the rest; id 0 is the blank. Only the answers count.

use crate::error::{Error, Result};
use crate::random::Stream;

/// The id between questions.
const BLANK: i32 = 0;

/// The task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recall {
    pairs: usize,
    vocabulary: usize,
    window: usize,
}

impl Recall {
    /// Rows of `window` tokens that state so many pairs.
    ///
    /// # Errors
    /// If a row has no room for them, or the vocabulary not enough keys.
    pub fn new(pairs: usize, vocabulary: usize, window: usize) -> Result<Recall> {
        if window < 4 * pairs {
            let message = format!("a context of {} has no room for {pairs} pairs and a question for each", window - 1);
            return Err(Error::request(message).help(format!("at least {}, or fewer `pairs`", 4 * pairs - 1)));
        }
        if vocabulary / 2 <= pairs {
            let message = format!("a vocabulary of {vocabulary} has no {pairs} keys");
            return Err(Error::request(message).help("half of it are keys, the rest values: fewer `pairs`"));
        }
        Ok(Recall { pairs, vocabulary, window })
    }

    /// How many pairs a row states.
    pub fn pairs(&self) -> usize {
        self.pairs
    }

    /// Makes one row, and 1 where an answer stands.
    pub fn fill(&self, stream: Stream, ids: &mut [i32], counted: &mut [u8]) {
        let half = self.vocabulary / 2;
        let keys = chosen(stream.of(0), half - 1, self.pairs);
        let values =
            (0..self.pairs as u64).map(|at| half + stream.of(1).below(at, (self.vocabulary - half) as u64) as usize);
        let pairs = keys.into_iter().zip(values).map(|(key, value)| [key as i32 + 1, value as i32]).collect::<Vec<_>>();
        ids.fill(BLANK);
        counted.fill(0);
        let (stated, rest) = ids.split_at_mut(2 * self.pairs);
        stated.chunks_exact_mut(2).zip(&pairs).for_each(|(place, pair)| place.copy_from_slice(pair));
        for (slot, pair) in chosen(stream.of(2), (self.window - 2 * self.pairs) / 2, self.pairs).into_iter().zip(&pairs)
        {
            rest[2 * slot..2 * slot + 2].copy_from_slice(pair);
            counted[2 * (self.pairs + slot) + 1] = 1;
        }
    }
}

/// So many different numbers below a bound, in an order that is drawn too (Fisher and Yates).
fn chosen(stream: Stream, bound: usize, count: usize) -> Vec<usize> {
    let mut all = (0..bound).collect::<Vec<_>>();
    for place in 0..count {
        let other = place + stream.below(place as u64, (bound - place) as u64) as usize;
        all.swap(place, other);
    }
    all.truncate(count);
    all
}
