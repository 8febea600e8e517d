//! Four harts and their timer interrupts on one heap, in the guest: each call is right in the order
//! in which they were made. A lock that is not taken is found, and so are interrupts that are not
//! masked.

use qemu_tests::many_harts::record::Build;
use qemu_tests::many_harts::{Verdict, run};

/// Steps of each hart; its handler makes some besides.
const STEPS: u64 = 12_000;
/// Runs in which a planted defect must show itself once. Harts of QEMU run at the host's will.
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

/// Whether one of some runs comes to that verdict.
fn is_found(build: Build, is_it: fn(&Verdict) -> bool) -> bool {
    (1..=TRIES).any(|seed| {
        let verdict = run(build, STEPS, seed);
        println!("{verdict:?}");
        is_it(&verdict)
    })
}

#[test]
fn a_lock_that_is_not_taken_is_found() {
    let is_it = |verdict: &Verdict| matches!(verdict, Verdict::Together(_) | Verdict::Diverge(_));
    assert!(is_found(Build::LockNotTaken, is_it));
}

#[test]
fn interrupts_that_are_not_masked_are_found() {
    let is_it = |verdict: &Verdict| matches!(verdict, Verdict::Hang(_));
    assert!(is_found(Build::InterruptsNotMasked, is_it));
}
