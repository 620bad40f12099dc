//! What rows are given beside their tokens: a source to read, the length of a prefix. All rows are given the same.

use crate::abi::{BufferInfo, Element, ProgramInfo, Role, Size, names};
use crate::error::{Error, Result};
use crate::model::Call;

/// Whole numbers by the name of an input: one for each position of its sequence, or a single one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Given(pub Vec<(String, Vec<u32>)>);

impl Given {
    /// The lengths of the sequences that what is given lies along, as a program calls them.
    pub fn sizes(&self, program: &ProgramInfo) -> Vec<(String, i64)> {
        let along = |buffer: &BufferInfo| {
            let [_, Size::Symbol(symbol)] = buffer.shape.as_slice() else { return None };
            let (_, numbers) = self.0.iter().find(|(name, _)| *name == buffer.name)?;
            Some((program.sizes[*symbol].clone(), numbers.len() as i64))
        };
        program.buffers.iter().filter(|buffer| buffer.role == Role::Input).filter_map(along).collect()
    }

    /// Writes it into a call, the same for every row.
    ///
    /// # Errors
    /// If an input has another number of elements.
    pub fn fill(&self, call: &mut Call) -> Result<()> {
        for (name, numbers) in &self.0 {
            let Some(slots) = call.input_mut::<i32>(name) else { continue };
            if numbers.is_empty() || !slots.len().is_multiple_of(numbers.len()) {
                let count = numbers.len();
                return Err(Error::request(format!("the input `{name}` cannot be filled with {count} numbers")));
            }
            let rows = slots.chunks_exact_mut(numbers.len());
            rows.for_each(|row| row.iter_mut().zip(numbers).for_each(|(slot, number)| *slot = *number as i32));
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
            own || buffer.element == Element::Bool || names::is_length(&buffer.name)
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
