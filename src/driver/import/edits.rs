//! Replacements of byte ranges of one text.

/// Ranges that do not overlap, with what comes in their place.
#[derive(Debug, Default)]
pub struct Edits {
    all: Vec<(usize, usize, String)>,
    /// Parameters that only arms make which are left out.
    pub gone: Vec<String>,
}

impl Edits {
    /// Puts a text in the place of a range.
    pub fn replace(&mut self, start: u32, end: u32, text: impl Into<String>) {
        self.all.push((start as usize, end as usize, text.into()));
    }

    /// Takes a range away.
    pub fn remove(&mut self, start: u32, end: u32) {
        self.replace(start, end, "");
    }

    /// The text with all edits done. Of edits that overlap, the first to begin counts.
    pub fn apply(mut self, text: &str) -> String {
        self.all.sort_by_key(|(start, end, _)| (*start, *end));
        let (mut result, mut at) = (String::new(), 0);
        for (start, end, new) in self.all {
            if start >= at {
                result.push_str(&text[at..start]);
                result.push_str(&new);
                at = end;
            }
        }
        result.push_str(&text[at..]);
        result
    }
}
