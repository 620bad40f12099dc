//! What rows are given beside their tokens: a source to read, the length of a prefix. Each row its own, or all the same.

use crate::abi::{BufferInfo, Element, ProgramInfo, Role, Size, names};
use crate::error::{Error, Result};
use crate::model::Call;

/// Whole numbers by the name of an input, for each row or once for all: one for each position of its sequence, or a
/// single one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given(pub Vec<(String, Vec<Vec<u32>>)>);

impl Given {
    /// Adds what one row is given, or all are.
    pub fn add(&mut self, name: String, numbers: Vec<u32>) {
        match self.0.iter_mut().find(|(known, _)| *known == name) {
            Some((_, lists)) => lists.push(numbers),
            None => self.0.push((name, vec![numbers])),
        }
    }

    /// How many rows it tells apart; 1 if none.
    pub fn rows(&self) -> usize {
        self.0.iter().map(|(_, lists)| lists.len()).max().unwrap_or(1)
    }

    /// All that a row has to go on from: its prompt and what it is given.
    pub fn with(&self, prompts: &[Vec<u32>]) -> Vec<Vec<u32>> {
        let own = |row: usize| self.0.iter().flat_map(move |(_, lists)| lists.get(row).or(lists.first()));
        let all = prompts.iter().enumerate();
        all.map(|(row, prompt)| own(row).fold(prompt.clone(), |text, list| [text, list.clone()].concat())).collect()
    }

    /// The sequences that what is given lies along, as programs call them, each with the name of what lies there.
    pub fn along(&self, programs: &[&ProgramInfo]) -> Vec<(String, String)> {
        let buffers = programs.iter().flat_map(|program| program.buffers.iter().map(move |buffer| (*program, buffer)));
        let inputs = buffers.filter(|(_, buffer)| buffer.role == Role::Input);
        let known = inputs.filter(|(_, buffer)| self.0.iter().any(|(name, _)| *name == buffer.name));
        known.filter_map(|(program, buffer)| Some((sequence(program, buffer)?.into(), buffer.name.clone()))).collect()
    }

    /// The sizes of these sequences: their longest row.
    pub fn sizes(&self, along: &[(String, String)]) -> Vec<(String, i64)> {
        let longest = |name: &str| self.lists(name)?.iter().map(Vec::len).max();
        along.iter().filter_map(|(size, name)| Some((size.clone(), longest(name)? as i64))).collect()
    }

    fn lists(&self, name: &str) -> Option<&[Vec<u32>]> {
        self.0.iter().find(|(own, _)| own == name).map(|(_, lists)| lists.as_slice())
    }

    /// Writes it into a call of so many rows, with the length of each row's own.
    ///
    /// # Errors
    /// If it is given for another number of rows, or an input has another number of elements.
    pub fn fill(&self, call: &mut Call, along: &[(String, String)], rows: usize) -> Result<()> {
        for (name, lists) in &self.0 {
            if lists.len() != 1 && lists.len() != rows {
                return Err(Error::request(format!("`{name}` is given {} times, for {rows} rows", lists.len()))
                    .help("give it once for all rows, or once for each"));
            }
            let list = |row: usize| lists.get(row).unwrap_or(&lists[0]);
            let size = along.iter().find(|(_, own)| own == name).map(|(size, _)| size);
            if let Some(lengths) = size.and_then(|size| call.input_mut::<i32>(&names::length(size))) {
                lengths.iter_mut().enumerate().for_each(|(row, length)| *length = list(row).len() as i32);
            }
            let Some(slots) = call.input_mut::<i32>(name) else { continue };
            let width = slots.len() / rows.max(1);
            let fits = |row: usize| list(row).len() == width || (size.is_some() && list(row).len() < width);
            if let Some(row) = (0..rows).find(|row| list(*row).is_empty() || !fits(*row)) {
                let count = list(row).len();
                return Err(Error::request(format!("the input `{name}` cannot be filled with {count} numbers")));
            }
            for (row, part) in slots.chunks_exact_mut(width.max(1)).enumerate() {
                part.fill(0);
                part.iter_mut().zip(list(row)).for_each(|(slot, number)| *slot = *number as i32);
            }
        }
        Ok(())
    }

    /// Refuses names that no program knows, and programs that need more than this and `others`.
    ///
    /// # Errors
    /// The first such name.
    pub fn check(&self, programs: &[&ProgramInfo], tokens: &str, others: &[&str]) -> Result<()> {
        let inputs = programs.iter().flat_map(|program| &program.buffers);
        let inputs = inputs.filter(|buffer| buffer.role == Role::Input && buffer.name != tokens).collect::<Vec<_>>();
        let known = |buffer: &&&BufferInfo| self.0.iter().any(|(name, _)| *name == buffer.name);
        if let Some((name, _)) = self.0.iter().find(|(name, _)| !inputs.iter().any(|buffer| buffer.name == *name)) {
            return Err(Error::request(format!("decoding takes no input `{name}` beside the tokens")));
        }
        let filled = |buffer: &&&BufferInfo| {
            let own = [names::START, names::SEED].iter().chain(others).any(|name| **name == buffer.name);
            let handed = buffer.name.starts_with(names::CARRIED);
            own || handed || buffer.element == Element::Bool || names::is_length(&buffer.name)
        };
        match inputs.iter().find(|buffer| !filled(buffer) && !known(buffer)) {
            None => Ok(()),
            Some(missing) => {
                let name = &missing.name;
                Err(Error::request(format!("decoding reads the input `{name}` beside the tokens"))
                    .help(format!("give it with --input {name}=TEXT or --input-ids {name}=1,2,3")))
            }
        }
    }
}

/// The size of the sequence that an input lies along, if it does.
fn sequence<'p>(program: &'p ProgramInfo, buffer: &BufferInfo) -> Option<&'p str> {
    let [_, Size::Symbol(symbol)] = buffer.shape.as_slice() else { return None };
    program.sizes.get(*symbol).map(String::as_str)
}
