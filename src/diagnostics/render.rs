//! Messages as text, in rustc's look.
//!
//! In: diagnostics and the sources that their spans point into. Out: one string, with ANSI colours or without; without
//! them it depends on nothing but its input, so that tests can hold it.

use super::{Diagnostic, Diagnostics, Severity};
use crate::source::{FileId, Sources, Span};
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

/// All messages, each followed by an empty line.
pub fn render(diagnostics: &Diagnostics, sources: &Sources, color: bool) -> String {
    let renderer = if color { Renderer::styled() } else { Renderer::plain() };
    let mut text = String::new();
    for diagnostic in diagnostics.iter() {
        text.push_str(&renderer.render(&[report(diagnostic, sources)]));
        text.push_str("\n\n");
    }
    text
}

fn report<'s>(diagnostic: &'s Diagnostic, sources: &'s Sources) -> Group<'s> {
    let title = level(diagnostic.severity).primary_title(&*diagnostic.message).id(diagnostic.code.name);
    let mut group = Group::with_title(title);
    for file in files(diagnostic) {
        group = group.element(snippet(diagnostic, sources, file));
    }
    match &diagnostic.help {
        Some(help) => group.element(Level::HELP.message(&**help)),
        None => group,
    }
}

fn level(severity: Severity) -> Level<'static> {
    match severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Note => Level::NOTE,
    }
}

/// The files that the labels point into, the main one first.
fn files(diagnostic: &Diagnostic) -> Vec<FileId> {
    let mut files = Vec::new();
    for (span, _) in &diagnostic.labels {
        if !files.contains(&span.file) {
            files.push(span.file);
        }
    }
    files
}

fn snippet<'s>(diagnostic: &'s Diagnostic, sources: &'s Sources, file: FileId) -> Snippet<'s, Annotation<'s>> {
    let source = sources.file(file);
    let mut snippet = Snippet::source(&*source.text).path(source.path.to_string_lossy().into_owned());
    for (place, (span, label)) in diagnostic.labels.iter().enumerate().filter(|(_, (span, _))| span.file == file) {
        let kind = if place == 0 { AnnotationKind::Primary } else { AnnotationKind::Context };
        snippet = snippet.annotation(kind.span(range(*span, &source.text)).label(&**label));
    }
    snippet
}

/// A range that lies in the text and on the borders of characters, whatever a span says.
fn range(span: Span, text: &str) -> std::ops::Range<usize> {
    let border = |at: u32| {
        let at = (at as usize).min(text.len());
        (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
    };
    border(span.start)..border(span.end.max(span.start))
}
