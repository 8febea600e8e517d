use super::*;
use alloc::string::{String, ToString};

/// The message for a trace of this line behind `heap 64 pages` and `a0 = alloc 1`.
fn message(line: &str) -> String {
    let text = format!("# kmem-rig trace v1\nheap 64 pages\na0 = alloc 1\n{line}\n");
    Document::parse(&text).unwrap_err().to_string()
}

#[test]
fn errors_name_line_column_and_what_was_expected() {
    for (line, expected) in [
        (
            "a1 = alloc",
            "4:11: expected a size in bytes, found the end of the line",
        ),
        ("a1 = alloc x", "4:12: expected a size in bytes, found `x`"),
        (
            "a2 = alloc 1",
            "4:1: expected `a1`: blocks are numbered in order, found `a2`",
        ),
        (
            "a1 = alloc 1 align 3",
            "4:20: expected a power of two, found `3`",
        ),
        (
            "a1 = alloc 1 align 0",
            "4:20: expected a power of two, found `0`",
        ),
        (
            "a1 = new 1",
            "4:6: expected `alloc` or `alloc_zeroed`, found `new`",
        ),
        ("free a1", "4:6: expected a block from a0 to a0, found `a1`"),
        (
            "free a0 + 0",
            "4:11: expected an offset greater than 0, found `0`",
        ),
        (
            "free a0 a0",
            "4:9: expected the end of the line, found `a0`",
        ),
        (
            "  free",
            "4:7: expected a block from a0 to a0, found the end of the line",
        ),
        (
            "heap 1 pages",
            "4:1: expected an op: a trace has one heap line, found `heap`",
        ),
        (
            "title x",
            "4:1: expected an op: headers stand before the heap, found `title`",
        ),
        (
            "realloc a0 18446744073709551616",
            "4:12: expected a size in bytes of at most 18446744073709551615, found `18446744073709551616`",
        ),
        (
            "write a0 + 1 65536",
            "4:14: expected a length in bytes of at most 65535, found `65536`",
        ),
    ] {
        assert_eq!(message(line), expected);
    }
}

#[test]
fn a_file_must_start_and_hold_a_heap() {
    let first = |text| Document::parse(text).unwrap_err().to_string();
    assert!(first("").starts_with("1:1: expected the first line `# kmem-rig trace v1`"));
    assert!(first("heap 1 pages").contains("found `heap`"));
    assert!(first("# kmem-rig trace v1\n").starts_with("2:1: expected a heap line"));
    assert!(first("# kmem-rig trace v1\na0 = alloc 1").contains("before the first op"));
    assert!(first("# kmem-rig trace v1\nheap 9 bytes").contains("a multiple of 8"));
    for (heap, error) in [
        (
            "1 pages grow",
            "2:18: expected how many pages the heap may take",
        ),
        (
            "1 pages grow 0",
            "2:19: expected a heap of whole pages, with these at most 8192",
        ),
        ("192 bytes grow 1", "2:21: expected a heap of whole pages"),
        ("8192 pages grow 1", "2:22: expected a heap of whole pages"),
        (
            "1 pages grow 4 every 1 taken",
            "2:27: expected a number from 2 to 255",
        ),
        ("1 pages grow 4 every 2", "2:28: expected `taken`"),
        (
            "1 pages every 2 taken",
            "2:14: expected the end of the line",
        ),
    ] {
        let text = format!("# kmem-rig trace v1\nheap {heap}");
        let found = Document::parse(&text).unwrap_err().to_string();
        assert!(found.starts_with(error), "{heap}: {found}");
    }
    assert!(first("# kmem-rig trace v1\ntitle").contains("a text behind `title`"));
    assert!(first("# kmem-rig trace v1\ntitle \u{1b}[31m").starts_with("2:7: expected printable"));
}

#[test]
fn a_trace_has_a_bounded_number_of_ops() {
    let text = format!(
        "# kmem-rig trace v1\nheap 1 pages\n{}",
        "table\n".repeat(OPS_MAX)
    );
    assert_eq!(Document::parse(&text).unwrap().trace().ops.len(), OPS_MAX);
    let error = Document::parse(&(text + "table\n")).unwrap_err();
    assert_eq!((error.line, error.column), (OPS_MAX + 3, 1));
}
