//! Locks and harts with a defect each. A checker that passes one of them would pass anything.

#![allow(unsafe_code, reason = "it locks wrongly on purpose")]

use std::marker::PhantomData;

use kmem::Hart;
use lock_api::{GuardNoSend, RawMutex};
use portable_atomic::{AtomicUsize, Ordering};

use crate::hart::Interrupted;

/// A lock that keeps nobody out.
pub struct NotTaken;

// SAFETY: none; that it excludes nobody is the defect that is planted here.
unsafe impl RawMutex for NotTaken {
    const INIT: Self = Self;
    type GuardMarker = GuardNoSend;

    fn lock(&self) {}

    fn try_lock(&self) -> bool {
        true
    }

    unsafe fn unlock(&self) {}
}

/// A hart whose interrupts are let in at all times.
pub struct NotMasked;

// SAFETY: none; that interrupts are not masked is the defect that is planted here.
unsafe impl Hart for NotMasked {
    fn mask() -> bool {
        false
    }

    unsafe fn unmask() {}

    fn wait() {
        Interrupted::wait();
    }
}

/// A ticket lock, right but for what `D` plants.
pub struct Ticket<D> {
    next: AtomicUsize,
    serving: AtomicUsize,
    defect: PhantomData<fn() -> D>,
}

/// What is wrong with a [`Ticket`].
pub trait Defect {
    /// How the lock is given back.
    const RELEASE: Ordering = Ordering::Release;

    /// Between having the lock and using what it guards.
    fn taken() {}

    /// Between having used it and giving it back.
    fn before_release() {}

    /// Behind having given it back.
    fn released() {}
}

/// The lock itself is right.
pub struct Nothing;

impl Defect for Nothing {}

/// What one hart has written, the next one need not see.
pub struct Relaxed;

impl Defect for Relaxed {
    const RELEASE: Ordering = Ordering::Relaxed;
}

/// Interrupts are masked only once the lock is held. To be used with [`NotMasked`], since this
/// masks.
pub struct MaskedLate;

impl Defect for MaskedLate {
    fn taken() {
        Interrupted::mask();
    }

    fn released() {
        // SAFETY: `taken` masked them, and the lock was given back.
        unsafe { Interrupted::unmask() };
    }
}

/// Interrupts are let in before the lock is given back.
pub struct RestoredEarly;

impl Defect for RestoredEarly {
    fn before_release() {
        // SAFETY: `Locked` masked them. That the lock is still held is the defect.
        unsafe { Interrupted::unmask() };
    }
}

// SAFETY: a ticket is served once the one before it was given back; of the planted defects,
// `Relaxed` alone breaks the promise, and is meant to.
unsafe impl<D: Defect> RawMutex for Ticket<D> {
    const INIT: Self = Self {
        next: AtomicUsize::new(0),
        serving: AtomicUsize::new(0),
        defect: PhantomData,
    };
    type GuardMarker = GuardNoSend;

    fn lock(&self) {
        let ticket = self.next.fetch_add(1, Ordering::Relaxed);
        while self.serving.load(Ordering::Acquire) != ticket {
            Interrupted::wait();
        }
        D::taken();
    }

    fn try_lock(&self) -> bool {
        unreachable!("a heap waits")
    }

    unsafe fn unlock(&self) {
        D::before_release();
        self.serving.fetch_add(1, D::RELEASE);
        D::released();
    }
}
