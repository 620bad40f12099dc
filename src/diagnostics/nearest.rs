//! The known name that a wrong one most likely meant.

/// The candidate with the fewest typing slips from `name`, if there are few enough that it was likely meant: one in a
/// short name, a third of a long one. Of equals the first in the alphabet, so that messages do not depend on order.
pub fn nearest<'c>(name: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let most = (name.chars().count() / 3).max(1);
    let slips = candidates.into_iter().filter(|candidate| *candidate != name).map(|known| (slips(name, known), known));
    slips
        .filter(|(slips, known)| *slips <= most && *slips < known.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours that turn one word into the other; another case, or a
/// word written out (`epsilon` for `eps`), counts as one slip in all (optimal string alignment, three rows of the table at a time).
fn slips(from: &str, to: &str) -> usize {
    let (short, long) = if from.len() < to.len() { (from, to) } else { (to, from) };
    if from.eq_ignore_ascii_case(to) || (short.len() >= 3 && long.starts_with(short)) {
        return 1;
    }
    let (from, to) = (from.chars().collect::<Vec<_>>(), to.chars().collect::<Vec<_>>());
    let mut before = vec![0; to.len() + 1];
    let mut last = (0..=to.len()).collect::<Vec<_>>();
    for (i, a) in from.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in to.iter().enumerate() {
            let mut best = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *a == to[j - 1] && from[i - 1] == *b {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[to.len()]
}
