//! The blocks of the standard library, each parsed when it is first asked for: a model uses a few of them.
//!
//! In: the embedded files. Out: blocks by name, with the places that they have in their files. A file's blocks begin at
//! the starts of its lines, and nothing else does but comments; a test holds the library to that.

use super::embedded_files;
use crate::source::{FileId, Sources};
use crate::syntax::ast::Block;
use crate::syntax::parse_block;
use indexmap::IndexMap;
use std::cell::OnceCell;
use std::rc::Rc;

/// All standard blocks by name.
#[derive(Debug, Clone, Default)]
pub(super) struct Standard {
    blocks: IndexMap<&'static str, Entry>,
}

/// A block, and where its text stands.
#[derive(Debug, Clone)]
struct Entry {
    file: FileId,
    text: &'static str,
    base: usize,
    parsed: OnceCell<Rc<Block>>,
}

impl Standard {
    /// Finds the blocks and adds their files to the sources.
    pub(super) fn load(sources: &mut Sources) -> Standard {
        let mut blocks = IndexMap::new();
        for (path, text) in embedded_files().filter(|(path, _)| path.starts_with("stdlib/")) {
            let file = sources.add(path, text);
            for (base, text) in blocks_of(text) {
                blocks.insert(name_of(text), Entry { file, text, base, parsed: OnceCell::new() });
            }
        }
        Standard { blocks }
    }

    pub(super) fn block(&self, name: &str) -> Option<&Rc<Block>> {
        self.blocks.get(name).map(Entry::block)
    }

    /// The blocks in whose text a word stands, those that are parsed first.
    pub(super) fn blocks_with(&self, word: &str) -> impl Iterator<Item = &Rc<Block>> {
        let parsed = self.blocks.values().filter_map(|entry| entry.parsed.get());
        let others =
            self.blocks.values().filter(move |entry| entry.parsed.get().is_none() && entry.text.contains(word));
        parsed.chain(others.map(Entry::block))
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.blocks.keys().copied()
    }
}

impl Entry {
    fn block(&self) -> &Rc<Block> {
        let parse = || parse_block(self.file, self.text, self.base).expect("the standard library has no faults");
        self.parsed.get_or_init(|| Rc::new(parse()))
    }
}

/// The texts of a file's blocks, each up to the next one, and where they begin.
fn blocks_of(text: &'static str) -> Vec<(usize, &'static str)> {
    let lines = text.split_inclusive('\n').scan(0, |end, line| {
        *end += line.len();
        Some((*end - line.len(), line))
    });
    let starts = lines.filter(|(_, line)| line.starts_with(BLOCK)).map(|(start, _)| start).collect::<Vec<_>>();
    let ends = starts.iter().skip(1).copied().chain([text.len()]);
    starts.iter().zip(ends).map(|(start, end)| (*start, &text[*start..end])).collect()
}

fn name_of(text: &'static str) -> &'static str {
    let rest = text[BLOCK.len()..].trim_start();
    let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
    &rest[..end]
}

const BLOCK: &str = "block ";
