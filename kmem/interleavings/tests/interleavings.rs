//! No order of a few harts' calls and interrupts breaks the heap for many harts; of each planted
//! defect, some order does.

use std::panic::catch_unwind;
use std::sync::atomic::Ordering::Relaxed;

use interleavings::client::Call::{Alloc, AllocAligned, AllocZeroed, Free, Realloc};
use interleavings::hart::Interrupted;
use interleavings::model::{Script, check};
use interleavings::planted::{
    MaskedLate, NotMasked, NotTaken, Nothing, Relaxed as RelaxedDefect, RestoredEarly, Ticket,
};
use kmem::{Hart, TicketLock};
use lock_api::RawMutex;

/// Two harts whose blocks do not all fit at once.
const TWO: &[Script] = &[
    Script {
        calls: &[Alloc(24), Realloc(0, 40), Free(0)],
        handler: None,
    },
    Script {
        calls: &[AllocZeroed(16), Alloc(8), Realloc(0, 8)],
        handler: None,
    },
];

/// Two harts, one of which is interrupted once, by a handler with a block of its own.
const INTERRUPTED: &[Script] = &[
    Script {
        calls: &[Alloc(16), Realloc(0, 32)],
        handler: Some(&[AllocZeroed(8)]),
    },
    Script {
        calls: &[AllocAligned(24)],
        handler: None,
    },
];

type Shipped = TicketLock<Interrupted>;

#[test]
fn two_harts() {
    let reached = check::<Interrupted, Shipped>(TWO, 3);
    println!("{reached:?}");
    for count in [&reached.waits, &reached.refused, &reached.in_place] {
        assert!(count.load(Relaxed) > 0, "{reached:?}");
    }
}

#[test]
fn a_handler_that_allocates_comes_at_any_moment() {
    let reached = check::<Interrupted, Shipped>(INTERRUPTED, 3);
    println!("{reached:?}");
    assert!(reached.interrupts.load(Relaxed) > 0, "{reached:?}");
}

/// What the checker says of a planted defect.
fn objection<H: Hart + 'static, L: RawMutex + Send + Sync + 'static>(
    scripts: &'static [Script],
) -> String {
    let payload = catch_unwind(|| check::<H, L>(scripts, 2))
        .expect_err("every order agrees: the defect was not found");
    let text = payload.downcast_ref::<String>().cloned();
    text.or_else(|| payload.downcast_ref::<&str>().map(|text| text.to_string()))
        .expect("panics carry text")
}

#[test]
fn a_lock_that_is_not_taken_is_found() {
    let found = objection::<Interrupted, NotTaken>(TWO);
    assert!(found.contains("Causality violation"), "{found}");
}

#[test]
fn a_lock_that_hands_nothing_over_is_found() {
    let found = objection::<Interrupted, Ticket<RelaxedDefect>>(TWO);
    assert!(found.contains("Causality violation"), "{found}");
}

const SELF_DEADLOCK: &str = "a handler waits for the hart that it interrupted";

#[test]
fn interrupts_that_are_not_masked_are_found() {
    let found = objection::<NotMasked, Shipped>(INTERRUPTED);
    assert!(found.contains(SELF_DEADLOCK), "{found}");
}

#[test]
fn interrupts_that_are_masked_late_are_found() {
    let found = objection::<NotMasked, Ticket<MaskedLate>>(INTERRUPTED);
    assert!(found.contains(SELF_DEADLOCK), "{found}");
}

#[test]
fn interrupts_that_are_let_in_early_are_found() {
    let found = objection::<Interrupted, Ticket<RestoredEarly>>(INTERRUPTED);
    assert!(found.contains(SELF_DEADLOCK), "{found}");
}

/// What is planted is all that is wrong with those locks.
#[test]
fn the_lock_that_defects_are_planted_in_is_right() {
    check::<Interrupted, Ticket<Nothing>>(INTERRUPTED, 2);
}
