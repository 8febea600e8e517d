//! What a call of the subject costs.
//!
//! The caller brings a counter: in the guest the instructions retired, which `-icount` makes
//! repeatable. It is read before and after each call of `alloc`, `realloc` and `free`, and of
//! nothing else: what the harness fills, verifies and walks is not in the cost.
//!
//! Invariant: a call that does nothing costs 0. What reading the counter and reaching the subject
//! take is found out on such a call, through the same code, and subtracted.

use core::alloc::Layout;
use core::cell::Cell;
use core::fmt;
use core::hint::black_box;
use core::ops::{ControlFlow, Range};
use core::ptr::null_mut;

use crate::observation::WalkDigest;
use crate::subject::entry::{AnySubject, Request};
use crate::subject::{Chunk, Freed};

/// Something that only grows, by one an instruction.
pub type Counter = fn() -> u64;

/// Adds up what calls cost.
#[derive(Debug)]
pub struct Meter {
    counter: Counter,
    /// Of an alloc, a realloc and a free that do nothing.
    overhead: [u64; 3],
    spent: Cell<u64>,
}

/// Which overhead to subtract.
#[derive(Clone, Copy)]
enum Call {
    Alloc,
    Realloc,
    Free,
}

impl Meter {
    /// A meter that has found out its overhead.
    #[must_use]
    pub fn new(counter: Counter) -> Self {
        let mut meter = Self {
            counter,
            overhead: [0; 3],
            spent: Cell::new(0),
        };
        meter.overhead = meter.measure_overhead();
        meter
    }

    /// What the calls since the last take cost together.
    pub fn take(&self) -> u64 {
        self.spent.take()
    }

    /// The subject, with its calls counted.
    pub(super) fn around<'a>(&'a self, subject: &'a mut dyn AnySubject) -> Metered<'a> {
        Metered {
            meter: self,
            subject,
        }
    }

    fn measure_overhead(&self) -> [u64; 3] {
        // Hidden from the optimiser, so that the calls are those of any subject.
        let mut idle = Idle;
        let mut metered = self.around(black_box(&mut idle));
        let subject: &mut dyn AnySubject = black_box(&mut metered);
        let request = Request {
            size: 8,
            align: None,
            zeroed: false,
        };
        let (block, layout) = (null_mut(), Layout::new::<u64>());
        // SAFETY: `Idle` touches nothing, whatever it is given.
        unsafe { subject.alloc(request) };
        let alloc = self.take();
        // SAFETY: as above.
        unsafe { subject.realloc(block, layout, 8) };
        let realloc = self.take();
        // SAFETY: as above.
        unsafe { subject.free(block, layout) };
        [alloc, realloc, self.take()]
    }

    fn count<T>(&self, call: Call, work: impl FnOnce() -> T) -> T {
        let before = (self.counter)();
        let answer = work();
        let spent = (self.counter)().wrapping_sub(before);
        let own = spent.saturating_sub(self.overhead[call as usize]);
        self.spent.set(self.spent.get() + own);
        answer
    }
}

/// A subject whose calls are counted.
pub(super) struct Metered<'a> {
    meter: &'a Meter,
    subject: &'a mut dyn AnySubject,
}

impl AnySubject for Metered<'_> {
    #[inline(never)]
    unsafe fn alloc(&mut self, request: Request) -> *mut u8 {
        self.meter.count(Call::Alloc, || {
            // SAFETY: exactly the caller's promise.
            unsafe { self.subject.alloc(request) }
        })
    }

    #[inline(never)]
    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        self.meter.count(Call::Realloc, || {
            // SAFETY: exactly the caller's promise.
            unsafe { self.subject.realloc(block, layout, new_size) }
        })
    }

    #[inline(never)]
    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        self.meter.count(Call::Free, || {
            // SAFETY: exactly the caller's promise.
            unsafe { self.subject.free(block, layout) }
        })
    }

    fn walk(&self, visit: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> Option<Range<u64>> {
        self.subject.walk(visit)
    }

    fn audit(&self) -> bool {
        self.subject.audit()
    }

    fn digest(&self, digest: &mut Option<WalkDigest>) {
        self.subject.digest(digest);
    }

    fn print_table(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.subject.print_table(out)
    }
}

/// The subject that does nothing.
struct Idle;

impl AnySubject for Idle {
    unsafe fn alloc(&mut self, _: Request) -> *mut u8 {
        null_mut()
    }

    unsafe fn realloc(&mut self, _: *mut u8, _: Layout, _: usize) -> *mut u8 {
        null_mut()
    }

    unsafe fn free(&mut self, _: *mut u8, _: Layout) -> Freed {
        Freed::Done
    }

    fn walk(&self, _: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> Option<Range<u64>> {
        None
    }

    fn audit(&self) -> bool {
        true
    }

    fn digest(&self, digest: &mut Option<WalkDigest>) {
        *digest = None;
    }

    fn print_table(&self, _: &mut dyn fmt::Write) -> fmt::Result {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    std::thread_local! {
        static NOW: Cell<u64> = const { Cell::new(0) };
    }

    /// Takes 5 to read.
    fn now() -> u64 {
        NOW.set(NOW.get() + 5);
        NOW.get()
    }

    /// Takes 100 for a free, and nothing for the rest.
    struct Slow;

    impl AnySubject for Slow {
        unsafe fn alloc(&mut self, _: Request) -> *mut u8 {
            null_mut()
        }

        unsafe fn realloc(&mut self, _: *mut u8, _: Layout, _: usize) -> *mut u8 {
            null_mut()
        }

        unsafe fn free(&mut self, _: *mut u8, _: Layout) -> Freed {
            NOW.set(NOW.get() + 100);
            Freed::Refused
        }

        fn walk(&self, _: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> Option<Range<u64>> {
            NOW.set(NOW.get() + 1000);
            None
        }

        fn audit(&self) -> bool {
            true
        }

        fn digest(&self, digest: &mut Option<WalkDigest>) {
            *digest = None;
        }

        fn print_table(&self, _: &mut dyn fmt::Write) -> fmt::Result {
            Ok(())
        }
    }

    #[test]
    fn only_the_calls_own_cost_is_counted_and_added_up() {
        let meter = Meter::new(now);
        let mut slow = Slow;
        let mut metered = meter.around(&mut slow);
        let (block, layout) = (null_mut(), Layout::new::<u64>());
        let request = Request {
            size: 8,
            align: None,
            zeroed: false,
        };
        // SAFETY: `Slow` touches no memory.
        unsafe { metered.alloc(request) };
        // SAFETY: as above.
        unsafe { metered.realloc(block, layout, 16) };
        assert_eq!(meter.take(), 0);
        for _ in 0..3 {
            // SAFETY: as above.
            assert_eq!(unsafe { metered.free(block, layout) }, Freed::Refused);
        }
        metered.walk(&mut |_| ControlFlow::Continue(()));
        assert_eq!(meter.take(), 300);
        assert_eq!(meter.take(), 0);
    }
}
