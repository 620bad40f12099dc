//! Everything that a file can name: its own blocks, those of the files that it uses, and the standard library.
//!
//! In: the main file's tree. Out: a [`Library`]. `use` looks beside the file, then in the standard library, then among
//! the examples; both are part of archc. Standard blocks need no `use`; a block of the user's own comes first.

mod standard;

use crate::diagnostics::codes::*;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::{FileId, Sources};
use crate::syntax::ast::{self, Block, Model, UseTarget, Weights};
use crate::syntax::parse;
use include_dir::{Dir, include_dir};
use indexmap::IndexMap;
use standard::Standard;
use std::path::PathBuf;
use std::rc::Rc;

static STANDARD: Dir = include_dir!("$CARGO_MANIFEST_DIR/stdlib");
static EXAMPLES: Dir = include_dir!("$CARGO_MANIFEST_DIR/examples");

/// Blocks, models and weight maps by name.
#[derive(Debug, Clone, Default)]
pub struct Library {
    own: IndexMap<String, Rc<Block>>,
    standard: Standard,
    /// Models, those of the main file first.
    pub models: Vec<Model>,
    /// Weight maps of the main file and of what it uses.
    pub weights: Vec<Weights>,
    /// The main file's tree.
    pub main: Option<ast::File>,
}

impl Library {
    /// A block.
    pub fn block(&self, name: &str) -> Option<Rc<Block>> {
        self.own.get(name).or_else(|| self.standard.block(name)).cloned()
    }

    /// A block, as it is declared.
    pub fn declared(&self, name: &str) -> Option<&Block> {
        self.own.get(name).or_else(|| self.standard.block(name)).map(Rc::as_ref)
    }

    /// A block of the user's files, as seen from a file.
    pub fn own_block(&self, name: &str, from: FileId) -> Option<Rc<Block>> {
        self.own.get(name).filter(|block| block.name.span.file == from).cloned()
    }

    /// The blocks that may mention a word: the user's own, standard ones in use, standard ones in whose text it stands.
    pub fn blocks_with(&self, word: &str) -> impl Iterator<Item = &Rc<Block>> {
        self.own.values().chain(self.standard.blocks_with(word))
    }

    /// The names of all blocks.
    pub fn block_names(&self) -> Vec<String> {
        self.own.keys().map(String::as_str).chain(self.standard.names()).map(str::to_string).collect()
    }

    /// The weight maps for a model: those of its own file, if there are several models those behind it; if the file has
    /// no maps, all.
    pub fn maps_of(&self, model: &Model) -> Vec<&Weights> {
        let file = model.name.span.file;
        let mut own = self.weights.iter().filter(|map| map.span.file == file).peekable();
        if own.peek().is_none() {
            return self.weights.iter().collect();
        }
        let start = |model: &Model| model.name.span.start;
        let here = || self.models.iter().filter(|other| other.name.span.file == file).map(start);
        let first = here().min() == Some(start(model));
        let next = here().filter(|other| *other > start(model)).min();
        own.filter(|map| first || map.span.start > start(model))
            .filter(|map| next.is_none_or(|next| map.span.start < next))
            .collect()
    }

    /// Makes a model the one that is checked.
    pub fn choose(&mut self, name: &str) {
        if let Some(place) = self.models.iter().position(|model| model.name.text == name) {
            self.models[..=place].rotate_right(1);
        }
    }

    /// The blocks of the user's files.
    pub fn own_blocks(&self) -> impl Iterator<Item = &Rc<Block>> {
        self.own.values()
    }
}

/// Parses the main file and all that it uses.
pub fn load(sources: &mut Sources, main: FileId, sink: &mut Diagnostics) -> Library {
    let mut library = Library { standard: Standard::load(sources), ..Library::default() };
    let tree = parse(main, &sources.file(main).text.clone(), sink);
    let mut loaded = vec![sources.file(main).path.clone()];
    let mut pending = uses_of(&tree, main);
    add(&mut library, tree.clone(), &[], sink);
    library.main = Some(tree);
    while let Some((used, from)) = pending.pop() {
        let Some((path, text)) = find(sources, &used, from, sink) else { continue };
        if loaded.contains(&path) {
            continue;
        }
        loaded.push(path.clone());
        let file = sources.add(path, text.clone());
        let tree = parse(file, &text, sink);
        pending.extend(uses_of(&tree, file));
        check_names(&used, &tree, sink);
        add(&mut library, tree, &used.names, sink);
    }
    library
}

fn uses_of(tree: &ast::File, file: FileId) -> Vec<(ast::Use, FileId)> {
    tree.uses.iter().rev().map(|used| (used.clone(), file)).collect()
}

/// Adds the items of a file: all, or those that are named.
fn add(library: &mut Library, tree: ast::File, names: &[ast::Name], sink: &mut Diagnostics) {
    let wanted = |name: &str| names.is_empty() || names.iter().any(|one| one.text == name);
    for block in tree.blocks {
        let name = block.name.clone();
        match library.own.get(&name.text) {
            Some(before) if wanted(&name.text) => sink.push(
                Diagnostic::new(E0205, format!("two blocks are called `{}`", name.text))
                    .label(name.span, "this one")
                    .label(before.name.span, "and this one"),
            ),
            Some(_) => {}
            None => {
                library.own.insert(name.text.clone(), Rc::new(block));
            }
        }
    }
    library.models.extend(tree.models.into_iter().filter(|model| wanted(&model.name.text)));
    library.weights.extend(tree.weights);
}

fn check_names(used: &ast::Use, tree: &ast::File, sink: &mut Diagnostics) {
    let blocks = tree.blocks.iter().map(|block| block.name.text.clone());
    let known = blocks.chain(tree.models.iter().map(|model| model.name.text.clone())).collect::<Vec<_>>();
    for name in used.names.iter().filter(|name| !known.contains(&name.text)) {
        let hint = super::spelling::hint(&name.text, known.iter().cloned());
        sink.push(
            Diagnostic::new(E0208, format!("that file has no `{}`", name.text))
                .label(name.span, "asked for here")
                .help(hint),
        );
    }
}

/// The file of a `use` line: beside the file that uses it, then embedded.
fn find(sources: &Sources, used: &ast::Use, from: FileId, sink: &mut Diagnostics) -> Option<(PathBuf, String)> {
    let folder = sources.file(from).path.parent().map(PathBuf::from).unwrap_or_default();
    let relative = match &used.target {
        UseTarget::File(path, _) => PathBuf::from(path),
        UseTarget::Path(parts) => {
            let mut path = parts.iter().map(|part| part.text.as_str()).collect::<PathBuf>();
            path.set_extension("arch");
            path
        }
    };
    let beside = folder.join(&relative);
    if let Ok(text) = std::fs::read_to_string(&beside) {
        return Some((beside, text));
    }
    let plain = relative.to_string_lossy().replace('\\', "/");
    let plain = plain.trim_start_matches("./");
    for place in [plain.to_string(), format!("stdlib/{plain}"), format!("examples/{plain}")] {
        if let Some(text) = embedded(&place) {
            return Some((PathBuf::from(place), text.to_string()));
        }
    }
    let known = embedded_files().map(|(path, _)| {
        path.trim_start_matches("stdlib/").trim_start_matches("examples/").trim_end_matches(".arch").to_string()
    });
    let name = plain.trim_end_matches(".arch");
    let mut diagnostic = Diagnostic::new(E0208, format!("there is no file `{plain}`"))
        .label(used.span, format!("looked for `{}`, then in the standard library and the examples", beside.display()));
    if let Some(near) = super::spelling::nearest(name, known) {
        diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
    }
    sink.push(diagnostic);
    None
}

/// The text of an embedded file: `stdlib/norms.arch`.
pub fn embedded(path: &str) -> Option<&'static str> {
    embedded_files().find(|(known, _)| known == path).map(|(_, text)| text)
}

/// Paths and texts of all files that are part of archc.
pub fn embedded_files() -> impl Iterator<Item = (String, &'static str)> {
    let folders = [("stdlib", &STANDARD), ("examples", &EXAMPLES)];
    folders.into_iter().flat_map(|(folder, files)| {
        let all = files.files().chain(files.dirs().flat_map(Dir::files));
        let sources = all.filter(|file| file.path().extension().is_some_and(|ending| ending == "arch"));
        sources.filter_map(move |file| Some((format!("{folder}/{}", file.path().display()), file.contents_utf8()?)))
    })
}
