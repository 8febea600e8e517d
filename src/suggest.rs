//! What a user may have meant by a name that does not exist.

/// The most edits by which a name is still taken for a slip: a third of its length.
fn edits_max(name: &str) -> usize {
    name.chars().count().div_ceil(3)
}

/// The candidate nearest to `name`, as `; did you mean `kmem-2019`?`; empty if none is near.
pub(crate) fn did_you_mean<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> String {
    candidates
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(edits, _)| *edits <= edits_max(name))
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, nearest)| format!("; did you mean `{nearest}`?"))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let of = |name| did_you_mean(name, ["kmem-2019", "kmem", "page"].into_iter());
        assert_eq!(of("kmem2019"), "; did you mean `kmem-2019`?");
        assert_eq!(of("kmen"), "; did you mean `kmem`?");
        assert_eq!(of("talc"), "");
    }
}
