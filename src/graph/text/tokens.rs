//! Cuts the text form into tokens.

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Token {
    /// A word or the name of an axis, dots included.
    Word(String),
    /// In quotes.
    Text(String),
    /// Without sign.
    Number(f64),
    /// `%node.result`
    Value(usize, u32),
    /// `$step`
    Step(usize),
    /// One of `= : ; , ( ) [ ] @ + - * < >`, or `==`, `>=`.
    Sign(&'static str),
}

const SIGNS: [&str; 17] = ["==", ">=", "=", ":", ";", ",", "(", ")", "[", "]", "@", "+", "-", "*", "<", ">", "/"];

/// The tokens of one line.
pub(super) fn tokens(line: &str) -> Result<Vec<Token>, String> {
    let mut rest = line.trim_start();
    let mut all = Vec::new();
    while !rest.is_empty() {
        let (token, length) = next(rest)?;
        all.push(token);
        rest = rest[length..].trim_start();
    }
    Ok(all)
}

fn next(text: &str) -> Result<(Token, usize), String> {
    if let Some(sign) = SIGNS.iter().find(|sign| text.starts_with(**sign)) {
        return Ok((Token::Sign(sign), sign.len()));
    }
    let span = |start: usize, belongs: fn(char) -> bool| {
        text[start..].find(|character| !belongs(character)).map_or(text.len(), |end| start + end)
    };
    match text.chars().next() {
        Some('"') => quoted(text),
        Some('%') => {
            let end = span(1, |character| character.is_ascii_digit() || character == '.');
            let (node, result) = text[1..end].split_once('.').unwrap_or((&text[1..end], "0"));
            let bad = |_| format!("`{}` names no value", &text[..end]);
            Ok((Token::Value(node.parse().map_err(bad)?, result.parse().map_err(bad)?), end))
        }
        Some('$') => {
            let end = span(1, |character| character.is_ascii_digit());
            Ok((Token::Step(text[1..end].parse().map_err(|_| "`$` wants a number")?), end))
        }
        Some(first) if first.is_ascii_digit() => number(text),
        Some(first) if first.is_alphabetic() || first == '_' => {
            let end = span(0, |character| character.is_alphanumeric() || character == '_' || character == '.');
            Ok((Token::Word(text[..end].to_string()), end))
        }
        _ => Err(format!("`{text}` begins with no token")),
    }
}

fn quoted(text: &str) -> Result<(Token, usize), String> {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Ok((Token::Text(value), at + 1)),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    Err("a text does not end".into())
}

fn number(text: &str) -> Result<(Token, usize), String> {
    let mut end = 0;
    let bytes = text.as_bytes();
    while end < bytes.len() {
        let sign_of_exponent = matches!(bytes[end], b'-' | b'+') && end > 0 && bytes[end - 1] == b'e';
        if !(bytes[end].is_ascii_digit() || matches!(bytes[end], b'.' | b'e') || sign_of_exponent) {
            break;
        }
        end += 1;
    }
    let value = text[..end].parse().map_err(|_| format!("`{}` is no number", &text[..end]))?;
    Ok((Token::Number(value), end))
}
