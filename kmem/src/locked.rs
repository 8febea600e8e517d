//! A value for many harts: one of them at a time, and no interrupt handler in between.

#![allow(unsafe_code, reason = "it shares a heap between harts")]

use core::fmt;
use core::marker::PhantomData;

use lock_api::{Mutex, RawMutex};
use spin::RelaxStrategy;
use spin::mutex::TicketMutex;

use crate::hart::Hart;

/// The lock unless another is named: harts get it in the order in which they asked, so that none
/// waits for more than one turn of each other.
pub type TicketLock<H> = TicketMutex<(), Waits<H>>;

/// What the ticket lock does between two looks: what the hart does.
#[derive(Debug)]
pub struct Waits<H>(PhantomData<fn() -> H>);

impl<H: Hart> RelaxStrategy for Waits<H> {
    #[inline]
    fn relax() {
        H::wait();
    }
}

/// A value behind a lock that is taken with interrupts masked.
///
/// `H` says how a hart's interrupts are masked. `L` is the lock, any of `lock_api`'s kind; a kernel
/// of many harts under contention may bring an MCS lock.
///
/// ```
/// use kmem::{Locked, NoInterrupts};
///
/// static TICKS: Locked<u64, NoInterrupts> = Locked::new(0);
///
/// assert_eq!(TICKS.with(|ticks| { *ticks += 1; *ticks }), 1);
/// ```
pub struct Locked<T, H, L = TicketLock<H>> {
    value: Mutex<L, T>,
    hart: PhantomData<fn() -> H>,
}

impl<T, H: Hart, L: RawMutex> Locked<T, H, L> {
    /// Nobody's.
    pub const fn new(value: T) -> Self {
        Self {
            value: Mutex::const_new(L::INIT, value),
            hart: PhantomData,
        }
    }

    /// Runs `work` on the value, once it is this hart's turn.
    ///
    /// `work` should be short: nothing interrupts this hart, and every other one may be waiting. It
    /// must not come back here, or it waits for itself for ever.
    #[inline]
    pub fn with<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        // Dropped in the reverse order, also by a panic that unwinds.
        let _masked = Masked::<H>::new();
        let mut value = self.value.lock();
        work(&mut value)
    }
}

impl<T, H, L> fmt::Debug for Locked<T, H, L> {
    /// Without the value, which would need the lock.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Locked").finish_non_exhaustive()
    }
}

/// Keeps interrupts away from this hart until it is dropped, if they were let in at all.
struct Masked<H: Hart> {
    undo: bool,
    /// Of one hart: it must not be dropped on another.
    hart: PhantomData<*mut H>,
}

impl<H: Hart> Masked<H> {
    #[inline]
    fn new() -> Self {
        Self {
            undo: H::mask(),
            hart: PhantomData,
        }
    }
}

impl<H: Hart> Drop for Masked<H> {
    #[inline]
    fn drop(&mut self) {
        if self.undo {
            // SAFETY: `new` masked them on this hart, since the type is not `Send`. `Locked::with`,
            // the only user, drops this after it has given the lock back, and scopes nest.
            unsafe { H::unmask() };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::Relaxed;
    use std::vec::Vec;
    use std::{thread, thread_local};

    use super::*;
    use crate::hart::NoInterrupts;

    thread_local! {
        static STEPS: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
    }

    fn step(name: &'static str) {
        STEPS.with_borrow_mut(|steps| steps.push(name));
    }

    fn steps() -> Vec<&'static str> {
        STEPS.take()
    }

    /// Whose interrupts were let in or not.
    struct Noted<const LET_IN: bool>;

    // SAFETY: a thread has no interrupt handlers.
    unsafe impl<const LET_IN: bool> Hart for Noted<LET_IN> {
        fn mask() -> bool {
            step("mask");
            LET_IN
        }

        unsafe fn unmask() {
            step("unmask");
        }
    }

    struct NotedLock;

    // SAFETY: used by one thread, which does not nest.
    unsafe impl RawMutex for NotedLock {
        const INIT: Self = Self;
        type GuardMarker = lock_api::GuardNoSend;

        fn lock(&self) {
            assert!(self.try_lock());
        }

        fn try_lock(&self) -> bool {
            step("lock");
            true
        }

        unsafe fn unlock(&self) {
            step("unlock");
        }
    }

    const IN_ORDER: [&str; 5] = ["mask", "lock", "work", "unlock", "unmask"];

    #[test]
    fn interrupts_are_masked_before_the_lock_is_asked_for_and_let_in_after_it_was_given_back() {
        let locked = Locked::<u8, Noted<true>, NotedLock>::new(0);
        locked.with(|_| step("work"));
        assert_eq!(steps(), IN_ORDER);
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            locked.with(|_| {
                step("work");
                panic!("a work of no luck");
            })
        }));
        assert!(panicked.is_err());
        assert_eq!(steps(), IN_ORDER);
    }

    #[test]
    fn what_was_masked_already_stays_masked() {
        Locked::<u8, Noted<false>, NotedLock>::new(0).with(|_| step("work"));
        assert_eq!(steps(), ["mask", "lock", "work", "unlock"]);
    }

    /// The first hart gives the lock back once the second has waited for it.
    #[test]
    fn a_hart_that_waits_does_what_its_type_says() {
        static HELD: AtomicBool = AtomicBool::new(false);
        static WAITED: AtomicBool = AtomicBool::new(false);
        static LOCKED: Locked<(), Waiting> = Locked::new(());

        fn until(flag: &AtomicBool) {
            while !flag.load(Relaxed) {
                NoInterrupts::wait();
            }
        }

        struct Waiting;
        // SAFETY: a thread has no interrupt handlers.
        unsafe impl Hart for Waiting {
            fn mask() -> bool {
                true
            }
            unsafe fn unmask() {
                // SAFETY: it does nothing.
                unsafe { NoInterrupts::unmask() };
            }
            fn wait() {
                WAITED.store(true, Relaxed);
            }
        }
        thread::scope(|scope| {
            scope.spawn(|| {
                LOCKED.with(|()| {
                    HELD.store(true, Relaxed);
                    until(&WAITED);
                });
            });
            until(&HELD);
            LOCKED.with(|()| ());
        });
        assert!(WAITED.load(Relaxed));
    }
}
