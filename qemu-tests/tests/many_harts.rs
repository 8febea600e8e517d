//! Four harts and their timer interrupts on one heap, in the guest: each call is right in the order in
//! which they were made. A lock that is not taken is found, and so are interrupts that are not masked.

use qemu_tests::many_harts::record::Build;
use qemu_tests::many_harts::{Verdict, run};

/// Steps of each hart; its handler makes some besides.
const STEPS: u64 = 12_000;
/// As many are enough for a planted defect.
const STEPS_FEW: u64 = 2000;
/// Runs in which it must show itself once. Harts of QEMU run at the host's will.
const TRIES: u64 = 5;

#[test]
fn four_harts_and_their_handlers_share_a_heap() {
    let reached = match run(Build::Shipped, STEPS, 1) {
        Verdict::Agree(reached) => reached,
        other => panic!("{other:?}"),
    };
    println!("{reached}");
    // All of it happened at once, and went to the heap's limit.
    for (context, calls) in reached.calls.into_iter().enumerate() {
        let enough = if context % 2 == 0 { STEPS } else { 100 };
        assert!(calls as u64 >= enough, "context {context}: {reached}");
    }
    for count in [reached.turns, reached.refused, reached.in_place] {
        assert!(count >= 100, "{reached}");
    }
}

/// The first verdict but *agree* of some runs.
fn found(build: Build) -> Verdict {
    let mut verdicts = (1..=TRIES).map(|seed| run(build, STEPS_FEW, seed));
    let found = verdicts.find(|verdict| !matches!(verdict, Verdict::Agree(_)));
    found.unwrap_or_else(|| panic!("{build:?} was not found in {TRIES} runs"))
}

#[test]
fn a_lock_that_is_not_taken_is_found() {
    println!("{:?}", found(Build::LockNotTaken));
}

#[test]
fn interrupts_that_are_not_masked_are_found() {
    let verdict = found(Build::InterruptsNotMasked);
    assert!(matches!(verdict, Verdict::Hang(_)), "{verdict:?}");
}
