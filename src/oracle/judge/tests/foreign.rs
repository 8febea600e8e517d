//! What somebody else's allocator is judged by, of whose overhead nothing is known.

use harness::declaration::Reuse;

use super::*;

fn reusing(reuse: Reuse) -> Declaration {
    Declaration::new("foreign").reuse(reuse)
}

fn capacity(bytes: u64) -> Step {
    (Op::Capacity, Observation::of(Outcome::Capacity(bytes)))
}

#[test]
fn spurious_oom_of_what_the_empty_heap_granted() {
    let first = (alloc_aligned(24, 64), placed(64));
    let steps = [first, (free(A0), done()), (alloc_aligned(24, 64), null())];
    assert_breaks(
        &reusing(Reuse::Whole),
        &steps,
        Rule::SpuriousOom,
        "a block, since the empty heap granted 24 bytes aligned to 64 before",
        "null",
    );
    // What the fresh heap was measured to grant counts too.
    assert_breaks(
        &reusing(Reuse::Whole),
        &[(alloc(FRESH), null())],
        Rule::SpuriousOom,
        "a block, since the empty heap granted 184 bytes before",
        "null",
    );
    for reuse in [Reuse::Cached, Reuse::Never] {
        assert_agrees(&reusing(reuse), &steps);
        assert_agrees(&reusing(reuse), &[(alloc(FRESH), null())]);
    }
}

#[test]
fn spurious_oom_needs_an_empty_heap_and_the_same_request() {
    let whole = reusing(Reuse::Whole);
    let first = (alloc(24), placed(0));
    // Beside a live block nothing is owed, nor is what was granted beside one.
    assert_agrees(&whole, &[first, (alloc(24), null())]);
    assert_agrees(
        &whole,
        &[
            first,
            (alloc(40), placed(32)),
            (Op::FreeAll, done()),
            (alloc(40), null()),
        ],
    );
    // Size classes are not monotone: a smaller or less aligned request proves nothing.
    let freed = [first, (free(A0), done())];
    for other in [alloc(8), alloc(32), alloc_aligned(24, 64)] {
        assert_agrees(&whole, &[freed[0], freed[1], (other, null())]);
    }
}

#[test]
fn leak_of_a_subject_that_reuses_all() {
    assert_breaks(
        &reusing(Reuse::Whole),
        &[capacity(FRESH), capacity(FRESH - 8)],
        Rule::Leak,
        "184 bytes, as the fresh heap granted",
        "176 bytes at most",
    );
    assert_agrees(&reusing(Reuse::Whole), &[capacity(FRESH), capacity(FRESH)]);
}

#[test]
fn leak_of_a_subject_that_keeps_caches() {
    let falling: Vec<_> = (1..=8).map(|cycle| capacity(FRESH - 8 * cycle)).collect();
    let expected = "a capacity that does not fall 8 times in a row, from 184 bytes";
    let cached = reusing(Reuse::Cached);
    let observed = "120 bytes at most";
    assert_breaks(&cached, &falling, Rule::Leak, expected, observed);
    assert_agrees(&cached, &falling[..7]);
    // A cache that has filled up is none.
    assert_agrees(&cached, &[capacity(FRESH - 80); 20]);
}

#[test]
fn no_leak_of_a_subject_that_never_reuses() {
    let falling: Vec<_> = (0..20).map(|cycle| capacity(FRESH - 8 * cycle)).collect();
    assert_agrees(&reusing(Reuse::Never), &falling);
}

#[test]
fn a_subject_without_chunks_breaks_no_rule_of_theirs() {
    assert_agrees(
        &reusing(Reuse::Whole),
        &[
            (alloc(24), placed(0)),
            (Op::Table, done()),
            (Op::FreeAll, done()),
        ],
    );
}
