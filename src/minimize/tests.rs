use super::*;
use harness::text::Document;
use std::convert::Infallible;

fn trace(ops: &str) -> Trace {
    let text = format!("# kmem-rig trace v1\nheap 512 bytes\n{ops}");
    Document::parse(&text).unwrap().trace()
}

/// What is left of `ops` while `holds`.
fn left(ops: &str, holds: impl Fn(&Trace) -> bool) -> String {
    let trace = trace(ops);
    assert!(holds(&trace));
    let ok = |candidate: &Trace| {
        candidate.check_invariants();
        Ok::<_, Infallible>(holds(candidate))
    };
    let Ok(small) = minimize(&trace, ok);
    small
        .to_string()
        .lines()
        .skip(1)
        .collect::<Vec<_>>()
        .join("; ")
}

#[test]
fn each_predicate_leaves_only_what_it_needs() {
    let long = "a0 = alloc 100 align 64\na1 = alloc_zeroed 7\nfree a0\na2 = alloc 300\n\
                realloc a2 77\nfree a1\na3 = alloc 9\nfree all\ncapacity\n";
    let has = |trace: &Trace, wanted: fn(&Op) -> bool| trace.ops.iter().any(wanted);
    assert_eq!(left(long, |_| true), "heap 64 pages");
    assert_eq!(
        left(long, |t| has(t, |op| matches!(
            op,
            Op::Alloc { size: 77.., .. }
        ))),
        "heap 64 pages; a0 = alloc 77"
    );
    assert_eq!(
        left(long, |t| has(t, |op| matches!(op, Op::Realloc { .. }))),
        "heap 64 pages; a0 = alloc 8; realloc a0 8"
    );
    let aligned: fn(&Op) -> bool =
        |op| matches!(op, Op::Alloc { align: Some(align), .. } if align.bytes() >= 32);
    assert_eq!(
        left(long, |t| has(t, aligned)),
        "heap 64 pages; a0 = alloc 8 align 32"
    );
    assert_eq!(
        left(long, |t| t.geometry.bytes() < 1000
            && has(t, |op| *op == Op::Capacity)),
        "heap 192 bytes; capacity"
    );
    assert_eq!(
        left(long, |t| t
            .ops
            .iter()
            .filter(|op| matches!(op, Op::Free { .. }))
            .count()
            == 2),
        "heap 64 pages; a0 = alloc 8; a1 = alloc 8; free a0; free a1"
    );
}

#[test]
fn a_realloc_is_folded_into_its_alloc_or_becomes_a_free() {
    let ops = "a0 = alloc 8\nrealloc a0 64\na1 = alloc 8\nrealloc a0 300\na2 = alloc 64\n";
    let gone = |op: &Op| matches!(op, Op::Realloc { size: 65.., .. } | Op::Free { .. });
    let sixty_four = |op: &Op| number_of(op) == 64;
    let reuses = |t: &Trace| {
        let gone = t.ops.iter().position(gone);
        gone.is_some_and(|at| {
            t.ops[..at].iter().any(sixty_four) && t.ops[at..].iter().any(sixty_four)
        })
    };
    assert_eq!(
        left(ops, reuses),
        "heap 64 pages; a0 = alloc 64; free a0; a1 = alloc 64"
    );
}

#[test]
fn allocs_that_only_fill_the_heap_become_one() {
    let sizes = |t: &Trace, overhead: u64| -> u64 {
        let allocs = t.ops.iter().filter(|op| matches!(op, Op::Alloc { .. }));
        allocs
            .map(|op| number_of(op).next_multiple_of(8) + overhead)
            .sum()
    };
    let full = "a0 = alloc 100\na1 = alloc 7\na2 = alloc 300\na3 = alloc 20\n";
    for (overhead, one) in [(0, 440), (8, 464)] {
        let filled = sizes(&trace(full), overhead);
        let rest = left(full, |t| sizes(t, overhead) == filled);
        assert_eq!(
            rest,
            format!("heap 64 pages; a0 = alloc {}", one - 7),
            "{overhead}"
        );
    }
    let shrinks = |t: &Trace| sizes(t, 0) == 440 && t.ops.iter().any(|op| op.handle().is_some());
    let shrunk = "a0 = alloc 100\na1 = alloc 7\na2 = alloc 300\na3 = alloc 20\nrealloc a1 3\n";
    assert_eq!(
        left(shrunk, shrinks),
        "heap 64 pages; a0 = alloc 433; free a0"
    );
}

#[test]
fn huge_sizes_stay_only_where_they_are_needed() {
    let ops = "a0 = alloc 18446744073709551615\n";
    let big: fn(&Trace) -> bool = |t| t.ops.iter().any(|op| number_of(op) > 1 << 40);
    assert_eq!(left(ops, big), "heap 64 pages; a0 = alloc 1099511627777");
}

#[test]
fn a_predicates_error_comes_through() {
    assert_eq!(minimize(&trace("table\n"), |_| Err("no")), Err("no"));
}
