//! Counts with their nouns, and heaps, as a sentence has them: `1 find`, `2 finds`, `a heap of 1
//! page`.

use std::fmt::Display;

use harness::geometry::Geometry;

/// The count and the noun, which is an English one that takes an `s`.
#[must_use]
pub fn counted<N: Display + PartialEq + From<u8>>(count: N, noun: &str) -> String {
    let plural = if count == N::from(1) { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// A heap as its line in a trace has it, but that one page is no `1 pages`.
#[must_use]
pub fn heap(geometry: Geometry) -> String {
    let text = geometry.to_string();
    match text.strip_prefix("1 pages") {
        Some(rest) => format!("1 page{rest}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        let counts = [0_u64, 1, 2, 11].map(|count| counted(count, "find"));
        assert_eq!(counts, ["0 finds", "1 find", "2 finds", "11 finds"]);
        let heaps = [1, 2, 11].map(|pages| heap(Geometry::from_pages(pages).unwrap()));
        assert_eq!(heaps, ["1 page", "2 pages", "11 pages"]);
        assert_eq!(heap(Geometry::from_bytes(192).unwrap()), "192 bytes");
    }
}
