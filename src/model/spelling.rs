//! Hints: the nearest of some names, or all of them.

/// The name most like a misspelt one, if any is near.
pub fn nearest(name: &str, candidates: impl IntoIterator<Item = String>) -> Option<String> {
    let all = candidates.into_iter().collect::<Vec<_>>();
    crate::diagnostics::nearest(name, all.iter().map(String::as_str)).map(str::to_string)
}

/// A hint: the nearest name, or all of them.
pub fn hint(name: &str, candidates: impl IntoIterator<Item = String>) -> String {
    let all = candidates.into_iter().collect::<Vec<_>>();
    match nearest(name, all.iter().cloned()) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it can be {}", all.iter().map(|one| format!("`{one}`")).collect::<Vec<_>>().join(", ")),
    }
}
