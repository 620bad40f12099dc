//! Texts of a row that go on from other texts of it: their parts of every state change places.
//!
//! In: for each row, which text each goes on from. Out: states whose part for a text is what that of the other was. Only
//! what changes is copied, and of states along positions only those that are filled. Positions stand before texts in all
//! of them: that is the order of sequences and other axes in memory.

use crate::abi::{BufferInfo, ProgramInfo, Role, Size, names};
use crate::error::{Error, Result};
use crate::model::States;

/// The layout of a state that has the axis of texts.
struct Layout {
    /// How many parts stand before each row's texts, for all rows.
    outer: usize,
    rows: usize,
    texts: usize,
    /// Bytes of one text's part.
    part: usize,
    /// How many parts stand before the next position's, and before the first position's again, if there are positions.
    positions: Option<[usize; 2]>,
}

impl Layout {
    /// The row of a part, and its position.
    fn place(&self, outer: usize) -> (usize, usize) {
        let position = self.positions.map_or(0, |[next, again]| outer % again / next);
        (outer * self.rows / self.outer, position)
    }
}

/// Lets the texts of rows, counted by the size `texts`, go on from others.
///
/// # Errors
/// If a state has no row for one of them.
pub fn fork(
    states: &mut States,
    program: &ProgramInfo,
    texts: &str,
    from: &[&[usize]],
    filled: &[usize],
) -> Result<()> {
    for buffer in program.buffers.iter().filter(|buffer| buffer.role == Role::State) {
        let Some(place) = place_of(buffer, program, texts) else { continue };
        let Some(state) = states.get_mut(&buffer.name) else { continue };
        let shape = state.shape().iter().map(|size| usize::try_from(*size).unwrap_or(0)).collect::<Vec<_>>();
        let bytes = state.block().len() / shape.iter().product::<usize>().max(1);
        let part = shape[place + 1..].iter().product::<usize>() * bytes;
        let count = |places: std::ops::Range<usize>| shape[places].iter().product::<usize>();
        let context = buffer.shape[..place].iter().position(|size| is_named(size, program, names::CONTEXT));
        let positions = context.map(|context| [count(context + 1..place), count(context..place)]);
        let layout = Layout { outer: count(0..place), rows: shape[0], texts: shape[place], part, positions };
        move_texts(state.bytes_mut(), &layout, from, filled)?;
    }
    Ok(())
}

fn move_texts(bytes: &mut [u8], layout: &Layout, from: &[&[usize]], filled: &[usize]) -> Result<()> {
    let mut before = Vec::new();
    for outer in 0..layout.outer {
        let (row, position) = layout.place(outer);
        let Some(from) = from.get(row).filter(|from| from.len() == layout.texts) else { continue };
        if position >= filled[row] {
            continue;
        }
        if from.iter().any(|text| *text >= layout.texts) {
            return Err(Error::bug("a text goes on from one that does not exist"));
        }
        let length = layout.part;
        let start = |text: usize| (outer * layout.texts + text) * layout.part;
        let moved = || from.iter().enumerate().filter(|(text, other)| text != *other);
        before.clear();
        moved().for_each(|(_, other)| before.extend_from_slice(&bytes[start(*other)..start(*other) + length]));
        for (place, (text, _)) in moved().enumerate() {
            bytes[start(text)..start(text) + length].copy_from_slice(&before[place * length..(place + 1) * length]);
        }
    }
    Ok(())
}

/// Which dimension of a state counts texts.
fn place_of(buffer: &BufferInfo, program: &ProgramInfo, texts: &str) -> Option<usize> {
    buffer.shape.iter().position(|size| is_named(size, program, texts))
}

fn is_named(size: &Size, program: &ProgramInfo, name: &str) -> bool {
    matches!(size, Size::Symbol(symbol) if program.sizes.get(*symbol).is_some_and(|own| own == name))
}
