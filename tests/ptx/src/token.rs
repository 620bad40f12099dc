//! PTX text to words, numbers and marks, each with its line (PTX ISA, "Syntax").

use crate::fault::ParseError;

/// One piece of the text. A word may hold dots and `::`, as in `ld.shared::cta.b32` or `%tid.x`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Token<'a> {
    Word(&'a str),
    /// An integer, or the bits of a floating-point literal.
    Number(u64),
    /// Text in quotes; its content never matters here.
    Text,
    Mark(char),
}

pub(crate) struct Tokens<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    ahead: Option<(Token<'a>, usize)>,
}

impl<'a> Tokens<'a> {
    pub fn new(text: &'a str) -> Tokens<'a> {
        Tokens { text, at: 0, line: 1, ahead: None }
    }

    /// The line of the token that comes next.
    pub fn line(&mut self) -> usize {
        let _ = self.peek();
        self.ahead.as_ref().map_or(self.line, |(_, line)| *line)
    }

    pub fn peek(&mut self) -> Result<Option<&Token<'a>>, ParseError> {
        if self.ahead.is_none() {
            self.ahead = self.scan()?;
        }
        Ok(self.ahead.as_ref().map(|(token, _)| token))
    }

    pub fn next(&mut self) -> Result<Option<Token<'a>>, ParseError> {
        self.peek()?;
        Ok(self.ahead.take().map(|(token, _)| token))
    }

    /// Takes the mark if it comes next.
    pub fn take(&mut self, mark: char) -> Result<bool, ParseError> {
        let found = self.peek()? == Some(&Token::Mark(mark));
        if found {
            self.ahead = None;
        }
        Ok(found)
    }

    pub fn expect(&mut self, mark: char) -> Result<(), ParseError> {
        if self.take(mark)? {
            return Ok(());
        }
        let found = self.peek()?.cloned();
        self.fail(format!("`{mark}` expected, found {found:?}"))
    }

    pub fn word(&mut self) -> Result<&'a str, ParseError> {
        match self.next()? {
            Some(Token::Word(word)) => Ok(word),
            other => self.fail(format!("a name expected, found {other:?}")),
        }
    }

    pub fn number(&mut self) -> Result<u64, ParseError> {
        match self.next()? {
            Some(Token::Number(number)) => Ok(number),
            other => self.fail(format!("a number expected, found {other:?}")),
        }
    }

    pub fn fail<T>(&mut self, message: String) -> Result<T, ParseError> {
        Err(ParseError { line: self.line(), message })
    }

    /// Skips everything up to and with the end of the current statement.
    pub fn skip_statement(&mut self) -> Result<(), ParseError> {
        while let Some(token) = self.next()? {
            if token == Token::Mark(';') {
                break;
            }
        }
        Ok(())
    }

    /// Skips the rest of the line, for directives that have no end mark (`.loc`, `.file`).
    pub fn skip_line(&mut self) -> Result<(), ParseError> {
        let line = self.line;
        while self.peek()?.is_some() && self.line() == line {
            self.ahead = None;
        }
        Ok(())
    }

    /// Skips a `{ … }` group whose content is not PTX (`.section`).
    pub fn skip_braces(&mut self) -> Result<(), ParseError> {
        let rest = &self.text[self.at..];
        let Some(end) = rest.find('}') else { return self.fail("a section without an end".into()) };
        self.line += rest[..end].matches('\n').count();
        self.at += end + 1;
        Ok(())
    }

    fn skip_blank(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(byte) = bytes.get(self.at) {
            let rest = &self.text[self.at..];
            let step = match byte {
                b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
                b'/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
                byte if byte.is_ascii_whitespace() => 1,
                _ => return,
            };
            self.line += rest[..step].matches('\n').count();
            self.at += step;
        }
    }

    fn scan(&mut self) -> Result<Option<(Token<'a>, usize)>, ParseError> {
        self.skip_blank();
        let rest = &self.text[self.at..];
        let Some(first) = rest.chars().next() else { return Ok(None) };
        let line = self.line;
        let length = word_length(rest);
        if first == '"' {
            let end = rest[1..].find('"').map_or(rest.len(), |end| end + 2);
            self.at += end;
            return Ok(Some((Token::Text, line)));
        }
        if length == 0 {
            self.at += first.len_utf8();
            return Ok(Some((Token::Mark(first), line)));
        }
        let word = &rest[..length];
        self.at += length;
        if !first.is_ascii_digit() {
            return Ok(Some((Token::Word(word), line)));
        }
        let token = literal(word).map_or(Token::Word(word), Token::Number);
        Ok(Some((token, line)))
    }
}

fn word_length(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        let plain = bytes[at].is_ascii_alphanumeric() || matches!(bytes[at], b'_' | b'$' | b'%' | b'.');
        at += match plain {
            true => 1,
            false if text[at..].starts_with("::") => 2,
            false => break,
        };
    }
    at
}

/// PTX ISA, "Integer constants" and "Floating-point constants": `0f` and `0d` give the bits themselves.
fn literal(word: &str) -> Option<u64> {
    let hexadecimal = ["0f", "0F", "0d", "0D", "0x", "0X"].iter().find_map(|prefix| word.strip_prefix(prefix));
    if let Some(digits) = hexadecimal {
        return u64::from_str_radix(digits.trim_end_matches(['U', 'u']), 16).ok();
    }
    if let Some(digits) = word.strip_prefix("0b").or_else(|| word.strip_prefix("0B")) {
        return u64::from_str_radix(digits, 2).ok();
    }
    let digits = word.trim_end_matches(['U', 'u']);
    match digits.strip_prefix('0') {
        Some(octal) if !octal.is_empty() => u64::from_str_radix(octal, 8).ok(),
        _ => digits.parse().ok(),
    }
}
