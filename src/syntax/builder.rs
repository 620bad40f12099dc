//! What every part of the tree builder needs: spans without trailing blanks, and the children of a pair in order.
//!
//! The grammar guarantees which children a rule has; where one must be there, it is taken without asking.

use super::ast::Name;
use super::grammar::Rule;
use crate::diagnostics::{Diagnostic, Diagnostics};
use crate::source::{FileId, Span};
use pest::iterators::Pair;

/// Builds one file's tree and collects what is wrong with it.
pub(super) struct Builder<'i> {
    pub(super) file: FileId,
    pub(super) text: &'i str,
    /// Where the text begins in its file.
    base: u32,
    /// For each byte offset the end of the last thing before it that is neither blank nor comment.
    ends: Vec<u32>,
    pub(super) found: Vec<Diagnostic>,
}

impl<'i> Builder<'i> {
    pub(super) fn new(file: FileId, text: &'i str) -> Builder<'i> {
        Builder { file, text, base: 0, ends: meaningful_ends(text), found: Vec::new() }
    }

    /// For a part of a file, `base` bytes behind its start.
    pub(super) fn of_part(file: FileId, text: &'i str, base: usize) -> Builder<'i> {
        Builder { base: base as u32, ..Builder::new(file, text) }
    }

    /// Hands the messages over in the order of their places.
    pub(super) fn report(mut self, sink: &mut Diagnostics) {
        self.found.sort_by_key(|diagnostic| diagnostic.labels.first().map(|(span, _)| span.start));
        for diagnostic in self.found {
            sink.push(diagnostic);
        }
    }

    /// Where a pair stands; pest's own span may include the blanks and comments that follow.
    pub(super) fn span(&self, pair: &Pair<'i, Rule>) -> Span {
        let span = pair.as_span();
        let (start, end) = (span.start() as u32, self.ends[span.end()]);
        Span { file: self.file, start: self.base + start, end: self.base + end.max(start) }
    }

    /// The place between two byte offsets of this file.
    pub(super) fn place(&self, start: usize, end: usize) -> Span {
        Span { file: self.file, start: self.base + start as u32, end: self.base + end as u32 }
    }

    pub(super) fn name(&self, pair: &Pair<'i, Rule>) -> Name {
        Name { text: pair.as_str().to_string(), span: self.span(pair) }
    }

    /// The text between the quotes of a string.
    pub(super) fn unquoted(&self, pair: &Pair<'i, Rule>) -> String {
        pair.as_str().trim_matches('"').to_string()
    }
}

/// The children of a pair that carry meaning, in order: brackets, commas and the like are left out.
pub(super) struct Parts<'i> {
    pairs: std::iter::Peekable<std::vec::IntoIter<Pair<'i, Rule>>>,
}

impl<'i> Parts<'i> {
    pub(super) fn of(pair: Pair<'i, Rule>) -> Parts<'i> {
        let meaningful = pair.into_inner().filter(|child| !is_punctuation(child.as_rule()));
        Parts { pairs: meaningful.collect::<Vec<_>>().into_iter().peekable() }
    }

    pub(super) fn len(&self) -> usize {
        self.pairs.len()
    }

    /// The first child alone.
    pub(super) fn first(mut self) -> Parts<'i> {
        Parts { pairs: self.pairs.next().into_iter().collect::<Vec<_>>().into_iter().peekable() }
    }

    /// The next child, which the grammar guarantees.
    pub(super) fn one(&mut self) -> Pair<'i, Rule> {
        self.pairs.next().expect("the grammar promises this child")
    }

    /// The next child if it is of this rule.
    pub(super) fn maybe(&mut self, rule: Rule) -> Option<Pair<'i, Rule>> {
        self.pairs.next_if(|pair| pair.as_rule() == rule)
    }

    /// The following children as long as they are of this rule.
    pub(super) fn every(&mut self, rule: Rule) -> Vec<Pair<'i, Rule>> {
        std::iter::from_fn(|| self.maybe(rule)).collect()
    }
}

impl<'i> Iterator for Parts<'i> {
    type Item = Pair<'i, Rule>;

    fn next(&mut self) -> Option<Pair<'i, Rule>> {
        self.pairs.next()
    }
}

fn is_punctuation(rule: Rule) -> bool {
    use Rule::*;
    let brackets = matches!(rule, round_open | round_close | square_open | square_close | brace_open | brace_close);
    brackets || matches!(rule, comma | colon | dot | arrow | equals | leads | bar | draw | quote | slot_plus | EOI)
}

/// One walk over the text: strings may hold `#`, comments end with their line.
fn meaningful_ends(text: &str) -> Vec<u32> {
    let mut ends = Vec::with_capacity(text.len() + 1);
    let (mut end, mut in_string, mut in_comment) = (0, false, false);
    ends.push(0);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            b'\n' => (in_string, in_comment) = (false, false),
            b'"' if !in_comment => in_string = !in_string,
            b'#' if !in_string => in_comment = true,
            _ => {}
        }
        if !in_comment && !byte.is_ascii_whitespace() {
            end = at as u32 + 1;
        }
        ends.push(end);
    }
    ends
}
