//! What a page shows against what was seen: `…` stands for any part of a line, and alone on its
//! line for any lines.

/// Stands for what is not compared.
const ANY: char = '…';

/// Whether what was seen is what is shown.
pub fn matches(shown: &str, seen: &str) -> bool {
    let shown: Vec<_> = shown.lines().collect();
    let seen: Vec<_> = seen.lines().collect();
    lines_match(&shown, &seen)
}

fn lines_match(shown: &[&str], seen: &[&str]) -> bool {
    let Some((first, rest)) = shown.split_first() else {
        return seen.is_empty();
    };
    if first.trim() == ANY.to_string() {
        return (0..=seen.len()).any(|skipped| lines_match(rest, &seen[skipped..]));
    }
    let Some((line, others)) = seen.split_first() else {
        return false;
    };
    line_matches(first, line) && lines_match(rest, others)
}

fn line_matches(shown: &str, mut seen: &str) -> bool {
    let mut parts = shown.split(ANY);
    let first = parts.next().unwrap_or("");
    let Some(behind) = seen.strip_prefix(first) else {
        return false;
    };
    seen = behind;
    let parts: Vec<_> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return seen.is_empty();
    };
    for part in middle {
        let Some(at) = seen.find(part) else {
            return false;
        };
        seen = &seen[at + part.len()..];
    }
    seen.ends_with(last)
}

#[test]
fn only_what_is_left_open_may_differ() {
    let shown = "$ a\none … three\n…\nend\n";
    assert!(matches(shown, "$ a\none two three\nend\n"));
    assert!(matches(shown, "$ a\none  three\n1\n2\nend\n"));
    assert!(!matches(shown, "$ a\none two four\nend\n"));
    assert!(!matches(shown, "$ a\none two three\n1\n"));
    assert!(!matches("$ a\n", "$ a\nmore\n"));
}
