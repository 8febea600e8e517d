//! The contract rules.

use super::*;

#[test]
fn impossible_success() {
    let expected = "null, since the whole heap has 192 bytes";
    let grown = [(alloc(24), placed(8)), (realloc(A0, u64::MAX), placed(8))];
    assert_breaks(
        &published(),
        &[(alloc(193), placed(8))],
        Rule::ImpossibleSuccess,
        expected,
        "a0 at 0x8, 193 bytes",
    );
    let observed = "a0 at 0x8, 18446744073709551615 bytes";
    assert_breaks(
        &published(),
        &grown,
        Rule::ImpossibleSuccess,
        expected,
        observed,
    );
    assert_agrees(&published(), &[(alloc(193), null())]);
    assert_agrees(&foreign(), &[(alloc(192), placed(0))]);
}

#[test]
fn out_of_bounds() {
    let expected = "a block inside the heap's 192 bytes";
    for (at, observed) in [
        (176, "a0 at 0xb0, 24 bytes"),
        (-8, "a0 at -0x8, 24 bytes"),
        (i64::MAX, "a0 at 0x7fffffffffffffff, 24 bytes"),
    ] {
        let steps = [(alloc(24), placed(at))];
        assert_breaks(&published(), &steps, Rule::OutOfBounds, expected, observed);
    }
    assert_agrees(&published(), &[(alloc(24), placed(168))]);
    assert_agrees(&published(), &[(alloc(0), placed(192))]);
}

#[test]
fn overlap() {
    let first = (alloc(24), placed(8));
    assert_breaks(
        &published(),
        &[first, (alloc(8), placed(24))],
        Rule::Overlap,
        "bytes that no live block holds",
        "a1 at 0x18, 8 bytes over a0 at 0x8, 24 bytes",
    );
    assert_agrees(&published(), &[first, (alloc(8), placed(32))]);
    assert_agrees(&published(), &[first, (alloc(0), placed(16))]);
    assert_agrees(
        &published(),
        &[first, (free(A0), done()), (alloc(8), placed(8))],
    );
    assert_agrees(&published(), &[first, (realloc(A0, 32), placed(16))]);
}

#[test]
fn misaligned() {
    assert_breaks(
        &published(),
        &[(alloc_aligned(24, 64), placed(8))],
        Rule::Misaligned,
        "an offset that is a multiple of 64",
        "a0 at 0x8",
    );
    assert_agrees(&published(), &[(alloc_aligned(24, 64), placed(64))]);
    let moved = |at| {
        [
            (alloc_aligned(8, 16), placed(16)),
            (realloc(A0, 24), placed(at)),
        ]
    };
    assert_eq!(
        found(&foreign(), &moved(40)).map(|found| found.rule()),
        Some(Rule::Misaligned)
    );
    assert_agrees(&foreign(), &moved(48));
}

#[test]
fn corrupted() {
    let hit = with(done(), |contents| contents.corrupted = Some((A0, 3)));
    assert_breaks(
        &published(),
        &[(alloc(24), placed(8)), (free(A0), hit)],
        Rule::Corrupted,
        "a0 at 0x8 as its client left it",
        "byte 3 of a0 changed",
    );
    assert_agrees(&published(), &[(alloc(24), placed(8)), (free(A0), done())]);
}

#[test]
fn not_zeroed() {
    let dirty = with(placed(8), |contents| contents.not_zeroed = Some(5));
    assert_breaks(
        &published(),
        &[(alloc_zeroed(24), dirty)],
        Rule::NotZeroed,
        "24 bytes of 0",
        "byte 5 of a0 is not 0",
    );
    assert_agrees(&published(), &[(alloc_zeroed(24), placed(8))]);
}

#[test]
fn realloc_lost_contents() {
    let lost = with(placed(40), |contents| contents.realloc_lost = Some(16));
    let steps = [(alloc(24), placed(8)), (realloc(A0, 40), lost)];
    assert_breaks(
        &published(),
        &steps,
        Rule::ReallocLostContents,
        "the first 24 bytes of a0 carried over",
        "byte 16 differs",
    );
    assert_agrees(&published(), &[steps[0], (realloc(A0, 40), placed(40))]);
    // The byte that is not the harness's any more is the client's own.
    let write = |offset| Op::Write {
        handle: A0,
        offset,
        length: 1,
    };
    assert_agrees(&published(), &[steps[0], (write(16), done()), steps[1]]);
    assert!(found(&published(), &[steps[0], (write(15), done()), steps[1]]).is_some());
}

#[test]
fn spurious_oom() {
    let first = (alloc(24), placed(8));
    let (expected, null_) = ("a block, since 144 bytes fit at 0x30", "null");
    let steps = [first, (alloc(144), null())];
    assert_breaks(&published(), &steps, Rule::SpuriousOom, expected, null_);
    // With the 8 bytes that a0 may have absorbed, nothing is left for 8 more.
    assert_agrees(&published(), &[first, (alloc(152), null())]);
    assert_agrees(&published(), &[(alloc(u64::MAX), null())]);
    // Of another allocator's overhead nothing is known.
    assert_agrees(&foreign(), &steps);
    let aligned = [(alloc_aligned(32, 64), null())];
    let expected = "a block, since 32 bytes aligned to 64 fit at 0x40";
    assert_breaks(&published(), &aligned, Rule::SpuriousOom, expected, null_);
}

#[test]
fn spurious_oom_of_a_realloc() {
    // The old block stays live, so 80 bytes must fit behind it, and 184 need not.
    let first = (alloc(72), placed(8));
    let expected = "a block, since 88 bytes fit at 0x60";
    let steps = [first, (realloc(A0, 88), null())];
    assert_breaks(&published(), &steps, Rule::SpuriousOom, expected, "null");
    assert_agrees(&published(), &[first, (realloc(A0, 104), null())]);
    // A realloc that could succeed only in place may fail: that is the policy's business.
    let full = (alloc(184), placed(8));
    assert_agrees(&published(), &[full, (realloc(A0, 8), null())]);
    // After a failure the block is where it was.
    let kept = [first, (realloc(A0, 184), null()), (alloc(8), placed(8))];
    assert_eq!(
        found(&published(), &kept).map(|found| found.rule()),
        Some(Rule::Overlap)
    );
}

#[test]
fn leak() {
    let capacity = |bytes| (Op::Capacity, Observation::of(Outcome::Capacity(bytes)));
    let expected = "184 bytes, as the fresh heap granted";
    let steps = [capacity(176)];
    assert_breaks(
        &foreign(),
        &steps,
        Rule::Leak,
        expected,
        "176 bytes at most",
    );
    assert_agrees(&foreign(), &[capacity(184)]);
    let declined = (Op::Capacity, Observation::of(Outcome::NotExpressible));
    assert_agrees(&foreign(), &[declined]);
}

#[test]
fn leak_of_a_block_that_is_not_taken_back() {
    let first = (alloc(24), placed(8));
    let steps = [first, (free(A0), refused())];
    assert_breaks(
        &foreign(),
        &steps,
        Rule::Leak,
        "a0 at 0x8 taken back",
        "refused",
    );
    let steps = [first, (Op::FreeAll, refused())];
    let expected = "every live block taken back";
    assert_breaks(&foreign(), &steps, Rule::Leak, expected, "a refusal");
    assert_agrees(
        &foreign(),
        &[first, (free(A0), done()), (free(A0), refused())],
    );
}
