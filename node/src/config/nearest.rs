//! The name that was meant.

use super::keys::{SECTIONS, all, full_name};

/// The section whose name is nearest to this one, if any is near.
pub(super) fn section(wrong: &str) -> Option<String> {
    nearest(wrong, SECTIONS.iter().map(|section| section.name.to_owned()))
}

/// The key that was meant by a name that its section does not have: one of that section nearly so called, one of that
/// name elsewhere, or the nearest of all.
pub(super) fn key(section: &str, wrong: &str) -> Option<String> {
    let own = || all().filter(|(of, _)| *of == section).map(|(_, key)| key.name.to_owned());
    let elsewhere = || all().find(|(_, key)| key.name == wrong).map(|(of, key)| full_name(of, key.name));
    let anywhere = || nearest(&full_name(section, wrong), all().map(|(of, key)| full_name(of, key.name)));
    let within = nearest(wrong, own()).map(|key| full_name(section, &key));
    within.or_else(elsewhere).or_else(anywhere)
}

/// As words to be put at the end of a sentence.
pub(super) fn hint(meant: Option<String>) -> String {
    meant.map(|name| format!("; did you mean {name}?")).unwrap_or_default()
}

/// The candidate with the fewest changed letters, the first of equals; none where a third of the letters differs.
fn nearest(wrong: &str, candidates: impl Iterator<Item = String>) -> Option<String> {
    let distance = |name: &String| strsim::damerau_levenshtein(wrong, name);
    let best = candidates.min_by_key(distance)?;
    (distance(&best) <= (wrong.chars().count() / 3).max(1)).then_some(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_name_and_nonsense_none() {
        assert_eq!(section("exection").as_deref(), Some("execution"));
        assert_eq!(key("rpc", "litsen").as_deref(), Some("rpc.listen"));
        assert_eq!(key("rpc", "threads").as_deref(), Some("execution.threads"));
        assert_eq!(key("excution", "thread").as_deref(), Some("execution.threads"));
        assert_eq!(key("rpc", "zzzzzzzz"), None);
        assert_eq!(section("q"), None);
    }
}
