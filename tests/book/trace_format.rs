//! Traces in the book: all of them are some, and the page of the format tells all there is to it.

use std::collections::BTreeSet;

use harness::text::{Document, HEADER_KEYS};
use kmem_rig::judge::Verdict;

use crate::{page, pages};

#[test]
fn every_trace_is_one_in_canonical_form() {
    let mut count = 0;
    for page in pages() {
        for block in page.blocks_of("trace") {
            let at = || format!("{}:\n{}", page.path.display(), block.text);
            let document = Document::parse(&block.text);
            let document = document.unwrap_or_else(|error| panic!("{error}: {}", at()));
            assert_eq!(document.to_string(), block.text, "{}", at());
            count += 1;
        }
    }
    assert!(count > 0, "the book has traces");
}

/// Each line behind two others, and below it, indented, what is wrong with it.
#[test]
fn every_error_is_what_the_parser_says() {
    let page = page("trace-format.md");
    let block = page.blocks_of("errors").next().expect("a block of errors");
    let lines: Vec<_> = block.text.lines().collect();
    let (pairs, rest) = lines.as_chunks::<2>();
    assert!(rest.is_empty() && !pairs.is_empty());
    for [line, error] in pairs {
        let text = format!("# kmem-rig trace v1\nheap 64 pages\na0 = alloc 1\n{line}\n");
        let found = Document::parse(&text).expect_err(line);
        assert_eq!(format!("  {found}"), *error);
    }
}

#[test]
fn the_first_example_has_every_op_and_header_and_the_grammar_every_word() {
    let page = page("trace-format.md");
    let first = page.blocks_of("trace").next().expect("an example");
    let document = Document::parse(&first.text).unwrap();
    let keys: BTreeSet<_> = document.headers().map(|header| header.2).collect();
    assert_eq!(keys, BTreeSet::from(HEADER_KEYS));
    let kinds: BTreeSet<_> = document
        .trace()
        .ops
        .iter()
        .map(|op| op.kind().name())
        .collect();
    let all = [
        "alloc",
        "alloc_zeroed",
        "realloc",
        "free",
        "free-all",
        "table",
        "capacity",
        "free-interior",
        "free-wild",
        "free-null",
        "write",
    ];
    assert_eq!(kinds, BTreeSet::from(all));

    // Every word of the example that is neither a number nor a handle stands in the grammar.
    let grammar = &page.blocks_of("ebnf").next().expect("a grammar").text;
    let behind_headers = first.text.split_once("\nheap").expect("a heap").1;
    let words = behind_headers.lines().flat_map(|line| {
        let said = line.split('#').next().unwrap_or("");
        said.split_whitespace().collect::<Vec<_>>()
    });
    let named = |word: &str| grammar.contains(&format!("\"{word}\""));
    let is_handle = |word: &str| {
        word.strip_prefix('a')
            .is_some_and(|n| n.parse::<u32>().is_ok())
    };
    for word in words.filter(|word| !word.starts_with(|c: char| c.is_ascii_digit())) {
        assert!(named(word) || is_handle(word), "`{word}`");
    }
    assert!(HEADER_KEYS.iter().all(|key| named(key)));
    for verdict in Verdict::NAMES {
        assert!(page.text.contains(&format!("`{verdict}`")), "`{verdict}`");
    }
}
