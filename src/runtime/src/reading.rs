//! Whole documents through the forward program, side by side.
//!
//! In: documents as tokens. Out: a call with everything that the model computes of them. Documents of one call may be of
//! different lengths: rows are padded, and every row's length is said.

use crate::abi::{BufferInfo, Element, ProgramInfo, Role, Size, names};
use crate::error::{Error, Result};
use crate::evaluate::token_input;
use crate::model::{Call, Loaded, States};
use crate::tokenizer::Document;

/// What published code calls the input that tells two texts of a document apart.
const KINDS: &str = "token_type_ids";

/// Computes all outputs of some documents.
///
/// # Errors
/// If the model has no such program, a document is empty or too long, or there is not enough memory.
pub fn read(model: &mut Loaded, documents: &[Document]) -> Result<Call> {
    let program = model.program(names::FORWARD)?;
    let (input, [batch, sequence]) = token_input(program)?;
    let kinds = program.inputs.iter().find(|input| input.published == KINDS).map(|input| input.name.clone());
    let longest = documents.iter().map(|document| document.ids.len()).max().unwrap_or(0);
    check(model, documents, longest)?;
    let sizes = [(batch.as_str(), documents.len() as i64), (sequence.as_str(), longest as i64)];
    let mut call = model.prepare_call(names::FORWARD, &sizes)?;
    fill(&mut call, &input, longest, documents, |document| &document.ids);
    if let Some(kinds) = kinds {
        fill(&mut call, &kinds, longest, documents, |document| &document.kinds);
    }
    if let Some(lengths) = call.input_mut::<i32>(&names::length(&sequence)) {
        lengths.iter_mut().zip(documents).for_each(|(length, document)| *length = document.ids.len() as i32);
    }
    model.run(&mut call, &mut States::new())?;
    Ok(call)
}

fn check(model: &Loaded, documents: &[Document], longest: usize) -> Result<()> {
    if documents.iter().any(|document| document.ids.is_empty()) {
        return Err(Error::request("a text is empty"));
    }
    match model.manifest().longest {
        Some(most) if longest as i64 > most => {
            let name = &model.manifest().model;
            Err(Error::request(format!("a text of {longest} tokens is longer than {name} allows, which is {most}"))
                .help("cut it into pieces"))
        }
        _ => Ok(()),
    }
}

/// Writes numbers of each document at the front of its row.
fn fill(call: &mut Call, input: &str, width: usize, documents: &[Document], of: impl Fn(&Document) -> &Vec<u32>) {
    let Some(numbers) = call.input_mut::<i32>(input) else { return };
    for (row, document) in numbers.chunks_exact_mut(width).zip(documents) {
        row.iter_mut().zip(of(document)).for_each(|(place, number)| *place = *number as i32);
    }
}

/// The output of a form, by name or because there is only one.
///
/// # Errors
/// If there is none, or several and no name.
pub fn output_of(
    program: &ProgramInfo,
    wanted: Option<&str>,
    form: &str,
    fits: impl Fn(&[Size]) -> bool,
) -> Result<String> {
    let fits =
        |buffer: &&BufferInfo| buffer.role == Role::Output && buffer.element == Element::F32 && fits(&buffer.shape);
    let all: Vec<&str> = program.buffers.iter().filter(fits).map(|buffer| buffer.name.as_str()).collect();
    match (wanted, all.as_slice()) {
        (Some(name), _) if all.contains(&name) => Ok(name.to_owned()),
        (None, [only]) => Ok((*only).to_owned()),
        (_, []) => Err(Error::request(format!("the model has no output that is {form}"))
            .help("declare one in its file, for example `output sentence = mean[t](x)`")),
        _ => Err(Error::request(format!("the outputs that are {form} are {}", all.join(", ")))
            .help("name one of them with --output")),
    }
}
