//! The structure and policy rules: chunk lists and placements.

use super::*;

#[test]
fn broken_table() {
    let broken = WalkDigest {
        broken_at: Some(32),
        ..walk(&[(32, true), (168, false)])
    };
    let steps = [(alloc(24), walked(placed(8), broken))];
    let expected = "chunks that end exactly where the next begins, up to the tail";
    let observed = "the chunk at 0x20 does not (2 walked)";
    assert_breaks(&published(), &steps, Rule::BrokenTable, expected, observed);
    let misprinted = Observation {
        table_line_wrong: Some(1),
        ..done()
    };
    let (expected, observed) = (
        "a printed line for each chunk walked",
        "line 2 of the table is another",
    );
    let steps = [(Op::Table, misprinted)];
    assert_breaks(&published(), &steps, Rule::BrokenTable, expected, observed);
    let sound = walk(&[(32, true), (160, false)]);
    assert_agrees(
        &published(),
        &[(alloc(24), walked(placed(8), sound)), (Op::Table, done())],
    );
}

#[test]
fn unmerged() {
    let chunks = [(32, false), (160, false)];
    let unmerged = WalkDigest {
        unmerged_at: Some(0),
        ..walk(&chunks)
    };
    let (expected, observed) = (
        "no free chunk behind a free one",
        "one behind the free chunk at 0x0",
    );
    let first = (alloc(24), placed(8));
    let steps = [first, (free(A0), walked(done(), unmerged))];
    assert_breaks(&published(), &steps, Rule::Unmerged, expected, observed);
    assert_agrees(
        &published(),
        &[first, (free(A0), walked(done(), walk(&[(192, false)])))],
    );
}

#[test]
fn placement() {
    let steps = [(alloc(24), placed(8)), (alloc(8), placed(48))];
    assert_breaks(
        &first_fit(),
        &steps,
        Rule::Placement,
        "a1 at 0x28",
        "a1 at 0x30",
    );
    assert_agrees(
        &first_fit(),
        &[(alloc(24), placed(8)), (alloc(8), placed(40))],
    );
    // A block where the model has none left, and null where only the policy demands success.
    let full = [(alloc(184), placed(8)), (alloc(0), placed(192))];
    assert_breaks(&first_fit(), &full, Rule::Placement, "null", "a1 at 0xc0");
    let shrunk = [(alloc(184), placed(8)), (realloc(A0, 8), null())];
    assert_breaks(&first_fit(), &shrunk, Rule::Placement, "a0 at 0x8", "null");
    assert_agrees(&published(), &steps);
}

#[test]
fn table() {
    let one = |chunks: &[(u64, bool)]| [(alloc(24), walked(placed(8), walk(chunks)))];
    assert_breaks(
        &first_fit(),
        &one(&[(40, true), (152, false)]),
        Rule::Table,
        "2 chunks: 0x0 32 taken, 0x20 160 free",
        "2 chunks, not these",
    );
    assert_agrees(&first_fit(), &one(&[(32, true), (160, false)]));
    assert_agrees(&published(), &one(&[(40, true), (152, false)]));
    let freed = |op| {
        [
            (alloc(24), placed(8)),
            (op, walked(done(), walk(&[(192, false)]))),
        ]
    };
    assert_agrees(&first_fit(), &freed(free(A0)));
    assert_agrees(&first_fit(), &freed(Op::FreeAll));
    assert!(found(&first_fit(), &freed(Op::Table)).is_some());
}

#[test]
fn page_allocators_are_judged_in_pages() {
    let geometry = Geometry::from_pages(4).expect("it is a heap's size");
    let judged = |steps: &[Step]| {
        let declaration = declared("page");
        let mut judge = Judge::new(&declaration, geometry, Rules::ALL, 0);
        let mut findings = steps
            .iter()
            .filter_map(|(op, observed)| judge.step(op, observed));
        findings.next().map(|found| {
            let words = Words::of(&found.violation, declaration.unit);
            (found.rule(), words.expected, words.observed)
        })
    };
    let first = (alloc(5000), placed(4096));
    let rest = walk_from(4096, &[(8192, true), (4096, false)]);
    assert_eq!(
        judged(&[(first.0, walked(first.1, rest)), (alloc(1), placed(12_288))]),
        None
    );
    let (rule, expected, observed) = judged(&[first, (alloc(1), placed(8192))]).expect("overlap");
    assert_eq!(rule, Rule::Overlap);
    assert_eq!(expected, "bytes that no live block holds");
    assert_eq!(
        observed,
        "a1 at page 2, 1 byte over a0 at page 1, 5000 bytes"
    );
    let (rule, expected, _) = judged(&[first, (alloc(4096), null())]).expect("spurious");
    assert_eq!(rule, Rule::SpuriousOom);
    assert_eq!(expected, "a block, since 4096 bytes fit at page 3");
    let (rule, expected, _) = judged(&[(first.0, walked(first.1, walk(&[])))]).expect("table");
    assert_eq!(rule, Rule::Table);
    assert_eq!(expected, "2 chunks: page 1 2 taken, page 3 1 free");
}
