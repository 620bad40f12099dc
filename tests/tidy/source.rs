//! The project's own Rust files, and their text without comments and without the insides of strings.

use std::path::{Path, PathBuf};

/// One Rust file of the repository.
pub struct SourceFile {
    /// Relative to the repository, with `/`.
    pub path: String,
    /// As written.
    pub text: String,
    /// Comments and the insides of strings and characters blanked; lines stay where they are.
    pub code: String,
    /// The insides of all string literals.
    pub strings: Vec<String>,
}

/// The repository's root.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All Rust files below a folder of the repository, in order of their paths.
pub fn rust_files(folder: &str) -> Vec<SourceFile> {
    let mut found = files_below(&root().join(folder));
    found.retain(|path| path.extension().is_some_and(|extension| extension == "rs"));
    found.iter().map(|path| SourceFile::read(path)).collect()
}

/// All files below a folder, sorted.
pub fn files_below(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    paths.into_iter().flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

impl SourceFile {
    fn read(path: &Path) -> SourceFile {
        let text = std::fs::read_to_string(path).expect("a source file is UTF-8");
        let (code, strings) = blank(&text);
        let path = path.strip_prefix(root()).expect("below the root").to_string_lossy().replace('\\', "/");
        SourceFile { path, text, code, strings }
    }

    /// Whether the code has the word, bounded on both sides.
    pub fn names(&self, word: &str) -> bool {
        self.code.lines().any(|line| has_word(line, word))
    }
}

/// Whether a line has the word, bounded on both sides.
pub fn has_word(line: &str, word: &str) -> bool {
    let part_of_name = |character: char| character.is_alphanumeric() || character == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(part_of_name) && !after.is_some_and(part_of_name)
    })
}

/// Blanks comments and the insides of literals, and hands out the strings.
pub fn blank(text: &str) -> (String, Vec<String>) {
    let characters: Vec<char> = text.chars().collect();
    let mut lexer = Lexer { characters: &characters, at: 0, code: String::new(), strings: Vec::new() };
    while lexer.at < characters.len() {
        lexer.step();
    }
    (lexer.code, lexer.strings)
}

struct Lexer<'a> {
    characters: &'a [char],
    at: usize,
    code: String,
    strings: Vec<String>,
}

impl Lexer<'_> {
    fn peek(&self, ahead: usize) -> char {
        self.characters.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn step(&mut self) {
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => self.skip_until(|lexer| lexer.peek(0) == '\n'),
            ('/', '*') => {
                self.skip_until(|lexer| lexer.peek(0) == '*' && lexer.peek(1) == '/');
                self.at += 2;
            }
            ('"', _) => self.string(),
            ('r', '"' | '#') if !self.inside_name() && self.raw_hashes().is_some() => self.raw_string(),
            ('\'', '\\') => {
                self.at += 3;
                self.skip_until(|lexer| lexer.peek(0) == '\'');
                self.at += 1;
            }
            ('\'', _) if self.peek(2) == '\'' => self.at += 3,
            (character, _) => {
                self.code.push(character);
                self.at += 1;
            }
        }
    }

    fn inside_name(&self) -> bool {
        self.code.chars().next_back().is_some_and(|last| last.is_alphanumeric() || last == '_')
    }

    fn skip_until(&mut self, end: impl Fn(&Self) -> bool) {
        while self.at < self.characters.len() && !end(self) {
            if self.peek(0) == '\n' {
                self.code.push('\n');
            }
            self.at += 1;
        }
    }

    fn raw_hashes(&self) -> Option<usize> {
        let hashes = (1..).take_while(|ahead| self.peek(*ahead) == '#').count();
        (self.peek(hashes + 1) == '"').then_some(hashes)
    }

    fn raw_string(&mut self) {
        let hashes = self.raw_hashes().unwrap_or(0);
        self.at += hashes + 1;
        self.string_until(|lexer| lexer.peek(0) == '"' && (1..=hashes).all(|ahead| lexer.peek(ahead) == '#'));
        self.at += hashes + 1;
    }

    fn string(&mut self) {
        self.string_until(|lexer| lexer.peek(0) == '"' && !lexer.escaped());
        self.at += 1;
    }

    fn escaped(&self) -> bool {
        let backslashes = self.characters[..self.at].iter().rev().take_while(|character| **character == '\\').count();
        backslashes % 2 == 1
    }

    fn string_until(&mut self, end: impl Fn(&Self) -> bool) {
        self.at += 1;
        let start = self.at;
        self.code.push('"');
        self.skip_until(end);
        self.strings.push(self.characters[start..self.at.min(self.characters.len())].iter().collect());
        self.code.push('"');
    }
}
