//! A value for many harts: one of them at a time, and no interrupt handler in between.

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
/// `H` says how a hart's interrupts are masked. `L` is the lock, any of `lock_api`'s kind; a kernel of
/// many harts under contention may bring an MCS lock.
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
    /// `work` should be short: nothing interrupts this hart, and every other one may be waiting. It must
    /// not come back here, or it waits for itself for ever.
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
            // SAFETY: `new` masked them on this hart, since the type is not `Send`. `Locked::with`, the
            // only user, drops this after it has given the lock back, and scopes nest.
            unsafe { H::unmask() };
        }
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
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

    struct Noted;

    // SAFETY: a thread has no interrupt handlers.
    unsafe impl Hart for Noted {
        fn mask() -> bool {
            step("mask");
            true
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
            step("lock");
        }

        fn try_lock(&self) -> bool {
            unreachable!("nobody tries")
        }

        unsafe fn unlock(&self) {
            step("unlock");
        }
    }

    const IN_ORDER: [&str; 5] = ["mask", "lock", "work", "unlock", "unmask"];

    #[test]
    fn interrupts_are_masked_before_the_lock_is_asked_for_and_let_in_after_it_was_given_back() {
        let locked = Locked::<u8, Noted, NotedLock>::new(0);
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
        struct Masked;
        // SAFETY: as above.
        unsafe impl Hart for Masked {
            fn mask() -> bool {
                step("mask");
                false
            }
            unsafe fn unmask() {
                step("unmask");
            }
        }
        Locked::<u8, Masked, NotedLock>::new(0).with(|_| step("work"));
        assert_eq!(steps(), ["mask", "lock", "work", "unlock"]);
    }

    #[test]
    fn threads_lose_no_step_to_each_other() {
        static COUNT: Locked<u64, NoInterrupts> = Locked::new(0);
        const STEPS: u64 = if cfg!(miri) { 50 } else { 10_000 };
        thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..STEPS {
                        COUNT.with(|count| *count += 1);
                        thread::yield_now();
                    }
                });
            }
        });
        assert_eq!(COUNT.with(|count| *count), 3 * STEPS);
    }
}
