//! The messages for what could not be read: the text of a bad node is read again with the strict rule of its place, and
//! pest then says where it stopped and what it expected. Mistakes with a name of their own are told by that name.

use super::ast::Line;
use super::builder::{Builder, Parts};
use super::expected;
use super::grammar::{Grammar, Rule};
use crate::diagnostics::Diagnostic;
use crate::diagnostics::codes::{E0101, E0102, E0105, E0106, E0107, E0108, E0109, E0110};
use crate::source::Span;
use pest::Parser;
use pest::error::{Error, ErrorVariant, InputLocation};
use pest::iterators::Pair;

type Node<'i> = Pair<'i, Rule>;

impl<'i> Builder<'i> {
    /// A bad line (arm, head, …): one error, at the column where reading stopped.
    pub(super) fn bad(&mut self, pair: Node<'i>, wanted: Rule) {
        let span = self.span(&pair);
        let diagnostic = self.lexical(span).unwrap_or_else(|| self.stopped(span, wanted));
        self.found.push(diagnostic);
    }

    /// A `for` with a bad head; the lines of its body are still read, as if they stood around it.
    pub(super) fn broken_for(&mut self, pair: Node<'i>) -> Vec<Line> {
        let mut parts = Parts::of(pair);
        let head = parts.one();
        self.head_or_brace(head, Rule::only_for_head);
        self.body(parts.one()).lines
    }

    /// A block or model with a bad head.
    pub(super) fn broken_item(&mut self, pair: Node<'i>) {
        let mut parts = Parts::of(pair);
        let head = parts.one();
        let model = head.as_str().starts_with("model");
        self.head_or_brace(head, if model { Rule::only_model_head } else { Rule::only_block_head });
        self.body(parts.one());
    }

    /// A head that is good by itself lacks the brace behind it.
    fn head_or_brace(&mut self, head: Node<'i>, wanted: Rule) {
        let span = self.span(&head);
        if Grammar::parse(wanted, self.slice(span)).is_err() {
            return self.bad(head, wanted);
        }
        let end = self.place(span.end as usize, span.end as usize);
        self.found.push(Diagnostic::new(E0110, "the `{` of a body is missing").label(end, "expected `{` here"));
    }

    /// Text between items.
    pub(super) fn bad_item(&mut self, pair: Node<'i>) {
        let span = self.span(&pair);
        if ["block ", "model ", "weights "].iter().any(|word| self.slice(span).starts_with(word)) {
            let diagnostic = self.stopped(span, Rule::only_item);
            return self.found.push(diagnostic);
        }
        let first_line = self.slice(span).lines().next().unwrap_or_default().len();
        let place = self.place(span.start as usize, span.start as usize + first_line);
        let help = match self.slice(span).starts_with('}') {
            true => "this `}` closes nothing; is there one too many above?",
            false => "if this line belongs to the block above, a `}` there closes it too early",
        };
        let message = "a file holds `use`, `block`, `model` and `weights`, and this is none of them";
        let label = "expected `use`, `block`, `model` or `weights`";
        self.found.push(Diagnostic::new(E0108, message).label(place, label).help(help));
    }

    /// A body that the next item, or the end of the file, cuts off.
    pub(super) fn unclosed(&mut self, body: Span) {
        let open = self.suspect(body);
        let help = "the next `block`, `model`, `weights` or `use` ends it; close it before";
        let diagnostic = Diagnostic::new(E0102, "this `{` is never closed").label(open, "opened here");
        self.found.push(diagnostic.help(help));
    }

    /// The brace that was most likely forgotten: the last that is opened in a line whose indentation nothing closes.
    fn suspect(&self, body: Span) -> Span {
        let mut open = vec![(body.start as usize, 0)];
        let mut line_start = self.text[..body.start as usize].rfind('\n').map_or(0, |at| at + 1);
        let indent = |start: usize| self.text[start..].bytes().take_while(|byte| *byte == b' ').count();
        open[0].1 = indent(line_start);
        for (at, byte) in self.text.bytes().enumerate().take(body.end as usize).skip(body.start as usize + 1) {
            match byte {
                b'\n' => line_start = at + 1,
                b'{' => open.push((at, indent(line_start))),
                b'}' if open.last().is_some_and(|(_, column)| *column > indent(line_start)) => break,
                b'}' if open.len() > 1 => drop(open.pop()),
                _ => {}
            }
        }
        let brace = open.last().map_or(body.start as usize, |(at, _)| *at);
        self.place(brace, brace + 1)
    }

    /// Where braces do not match, what follows in the item is misread: the brace is the one to mend.
    pub(super) fn keep_first_of_unclosed(&mut self, earlier: usize) {
        let item = self.found.split_off(earlier);
        let of = |code| item.iter().find(|diagnostic: &&Diagnostic| diagnostic.code == code).cloned();
        match (of(E0110), of(E0102)) {
            (Some(unopened), Some(_)) => self.found.push(unopened),
            (None, Some(unclosed)) => self.found.push(unclosed),
            _ => self.found.extend(item),
        }
    }

    /// The file nests deeper than can be read.
    pub(super) fn unreadable(&mut self, at: usize) {
        let end = (at + 1).min(self.text.len());
        let message = "this nests too deeply to be read";
        self.found.push(Diagnostic::new(E0109, message).label(self.place(at, end), "reading stopped here"));
    }

    fn slice(&self, span: Span) -> &'i str {
        &self.text[span.start as usize..span.end as usize]
    }

    /// Quotes and brackets that are never closed, which would otherwise be told as something else far behind them.
    fn lexical(&self, span: Span) -> Option<Diagnostic> {
        let (mut open, mut quote) = (Vec::new(), None);
        for (at, character) in self.slice(span).char_indices() {
            match character {
                '"' => quote = if quote.is_some() { None } else { Some(at) },
                '\n' if quote.is_some() => break,
                '#' if quote.is_none() => break,
                _ if quote.is_some() => {}
                '(' | '[' => open.push((at, character)),
                ')' | ']' => match open.pop() {
                    Some((_, opened)) if (opened == '(') == (character == ')') => {}
                    _ => return None,
                },
                _ => {}
            }
        }
        let at = |at: usize| self.place(span.start as usize + at, span.start as usize + at + 1);
        if let Some(start) = quote {
            return Some(Diagnostic::new(E0107, "this text is never closed").label(at(start), "opened here"));
        }
        let (start, bracket) = open.pop()?;
        let message = format!("this `{bracket}` is never closed");
        Some(Diagnostic::new(E0105, message).label(at(start), "opened here"))
    }

    /// Reads the text strictly and tells where that stopped.
    fn stopped(&self, span: Span, wanted: Rule) -> Diagnostic {
        let text = self.slice(span);
        if wanted == Rule::only_line && Grammar::parse(Rule::only_expression, text).is_ok() {
            let help = "bind it to a name (`y = …`), or give it to `return`, `yield`, `output` or `loss`";
            let message = "an expression alone does nothing";
            return Diagnostic::new(E0106, message).label(span, "its value is not used").help(help);
        }
        match Grammar::parse(wanted, text) {
            Ok(_) => {
                let end = self.place(span.end as usize, span.end as usize);
                Diagnostic::new(E0101, "expected the end of the line").label(end, "this line ends in the middle")
            }
            Err(error) => self.expectation(span, &error),
        }
    }

    fn expectation(&self, span: Span, error: &Error<Rule>) -> Diagnostic {
        let text = self.slice(span);
        let at = offset(error).min(text.len());
        let found = token(&text[at..]);
        let expected_here = match &error.variant {
            ErrorVariant::ParsingError { positives, .. } => expected::describe(positives),
            ErrorVariant::CustomError { message } => message.clone(),
        };
        let behind = self.text[span.end as usize..].trim_start_matches(' ');
        let shown = match found {
            "" if behind.starts_with('{') => "`{`".to_string(),
            "" => "the end of the line".to_string(),
            found => format!("`{found}`"),
        };
        let place = self.place(span.start as usize + at, span.start as usize + at + found.len());
        let message = format!("expected {expected_here}, found {shown}");
        let diagnostic = Diagnostic::new(E0101, message).label(place, "reading stopped here");
        match hint(found, at == 0, &text[..at]) {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        }
    }
}

fn offset(error: &Error<Rule>) -> usize {
    match error.location {
        InputLocation::Pos(at) => at,
        InputLocation::Span((start, _)) => start,
    }
}

/// The word or sign that a text begins with.
fn token(text: &str) -> &str {
    let is_word = |character: char| character.is_alphanumeric() || character == '_';
    let word = text.find(|character| !is_word(character)).unwrap_or(text.len());
    let sign =
        ["==", "=>", "->", "&&", "||", "**", "+=", "-=", "*=", "/="].iter().find(|sign| text.starts_with(**sign));
    match (word, sign) {
        (0, Some(sign)) => &text[..sign.len()],
        (0, None) => &text[..text.chars().next().map_or(0, char::len_utf8)],
        _ => &text[..word],
    }
}

/// What other languages would write here, and what this one does.
fn hint(found: &str, at_start: bool, before: &str) -> Option<String> {
    let help = match found {
        "&&" => "logic is written in words: `and`",
        "||" => "logic is written in words: `or`",
        "!" => "logic is written in words: `not`",
        "**" => "a power is written `^`",
        "*" if before.trim_end().ends_with('*') => "a power is written `^`",
        "if" => "a choice at run time is `x where relation else y`, one at compile time is `match`",
        "-=" => "there is no `-=`; write `x += -(…)`",
        "/=" => "there is no `/=`; write `x *= 1 / (…)`",
        "+" | "-" | "*" | "/" | "^" | "%" | "and" | "or" | "where" | "else" if at_start => {
            "a line goes on below only after an operator: end the line above with it"
        }
        _ if before.trim_end().ends_with("=>") => {
            "as a line, a `match` has arms in { }; as a value it is bound: `y = match …`"
        }
        "=" if is_reserved(before.trim()) => {
            return Some(format!("`{}` is a reserved word and cannot be a name", before.trim()));
        }
        "@" => "a sum of products is `sum[d](x * w)`",
        _ if is_reserved(found) => return Some(format!("`{found}` is a reserved word and cannot be a name")),
        _ if !found.is_ascii() => "names are ASCII; other letters stand only in comments and quotes",
        _ => return None,
    };
    Some(help.to_string())
}

fn is_reserved(word: &str) -> bool {
    let is_word = word.starts_with(|character: char| character.is_ascii_alphabetic());
    is_word && Grammar::parse(Rule::name, word).is_err()
}
