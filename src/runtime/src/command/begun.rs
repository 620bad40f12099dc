//! What rows of `generate` begin with: prompts, and what the model reads beside them.

use super::generate::Options;
use crate::abi::{BufferInfo, Element, Manifest, ProgramInfo, Role, Size, names};
use crate::error::{Error, Result, nearest};
use crate::generate::Given;
use crate::tokenizer::Tokenizer;
use std::path::PathBuf;

/// All prompts as ids, in the order text, files, ids. Texts go on from the model's first token, if it has one.
pub fn prompts(options: &Options, start: Option<u32>, tokenizer: &Tokenizer) -> Result<Vec<Vec<u32>>> {
    let read =
        |path: &PathBuf| std::fs::read_to_string(path).map_err(|cause| Error::file("read the prompt", path, &cause));
    let files = options.prompt_file.iter().map(read).collect::<Result<Vec<_>>>()?;
    let texts = options.prompt.iter().chain(&files).map(|text| match start {
        None => tokenizer.encode(text, true),
        Some(start) => Ok([vec![start], tokenizer.encode(text, false)?].concat()),
    });
    texts.chain(options.ids.iter().map(|ids| parse_ids(ids))).collect()
}

/// One prompt for each row that is given something: the only one for all, or the model's first token.
pub fn for_each_row(mut prompts: Vec<Vec<u32>>, start: Option<u32>, given: &Given) -> Vec<Vec<u32>> {
    if prompts.is_empty() {
        prompts.extend(start.map(|start| vec![start]));
    }
    match prompts.as_slice() {
        [only] => vec![only.clone(); given.rows()],
        _ => prompts,
    }
}

/// What rows are given beside their tokens.
pub fn given(options: &Options, manifest: &Manifest, tokenizer: &Tokenizer) -> Result<Given> {
    let known = Known::of(manifest);
    let mut given = Given::default();
    for text in &options.input {
        let (name, text) = known.named(text)?;
        given.add(name, tokenizer.encode(&text, true)?);
    }
    for ids in &options.input_ids {
        let (name, ids) = known.named(ids)?;
        given.add(name, parse_ids(&ids)?);
    }
    Ok(given)
}

/// The whole numbers that decoding reads beside tokens.
struct Known<'m> {
    all: Vec<&'m str>,
    /// Those of them that are texts.
    texts: Vec<&'m str>,
}

impl<'m> Known<'m> {
    fn of(manifest: &'m Manifest) -> Known<'m> {
        let decoding = [names::TURN_BEGIN, names::TURN, names::BEGIN, names::STEP];
        let programs = manifest.programs.iter().filter(|program| decoding.contains(&program.name.as_str()));
        let (mut all, mut texts) = (Vec::new(), Vec::new());
        for (program, buffer) in
            programs.flat_map(|program| program.buffers.iter().map(move |buffer| (program, buffer)))
        {
            let name = buffer.name.as_str();
            if is_given(program, buffer) && !all.contains(&name) {
                all.push(name);
                texts.extend((buffer.shape.len() == 2).then_some(name));
            }
        }
        Known { all, texts }
    }

    /// The input that a text is for, which it names if there are several, and the rest.
    fn named(&self, text: &str) -> Result<(String, String)> {
        let parts = text.split_once('=');
        if let Some((name, rest)) = parts.filter(|(name, _)| self.all.contains(name)) {
            return Ok((name.to_owned(), rest.to_owned()));
        }
        let near = parts.and_then(|(name, _)| nearest(name, self.all.iter().copied()));
        match (self.texts.as_slice(), near) {
            ([only], None) => Ok(((*only).to_owned(), text.to_owned())),
            ([], None) if self.all.is_empty() => Err(Error::request("the model reads nothing beside the prompt")),
            (_, near) => {
                let near = near.map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
                let message = format!("`{text}` names no input that the model reads beside the prompt");
                Err(Error::request(message).help(format!("{near}it reads {}", self.all.join(", "))))
            }
        }
    }
}

/// Whether an input of the model is given before all turns.
fn is_given(program: &ProgramInfo, buffer: &BufferInfo) -> bool {
    let grows = |size: &Size| matches!(size, Size::Symbol(symbol) if program.sizes[*symbol] == names::CHUNK);
    let own = program.inputs.iter().any(|input| input.name == buffer.name);
    own && buffer.role == Role::Input && buffer.element == Element::I32 && !buffer.shape.iter().any(grows)
}

/// Ids written as `1,15,7`.
fn parse_ids(text: &str) -> Result<Vec<u32>> {
    let parts = text.split([',', ' ']).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            part.parse().map_err(|_| Error::request(format!("`{part}` is no token id")).help("write --ids 1,15,7"))
        })
        .collect()
}
