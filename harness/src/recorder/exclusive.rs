//! The recorder's lock.

use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Runs works one at a time. A kernel that allocates in interrupt handlers brings its own, which
/// keeps interrupts away from the hart that holds it: `without_interrupts(|| self.spin.run(work))`.
///
/// # Safety
/// Of the works given to one value, no two are ever under way at the same time, whatever threads,
/// harts or interrupt handlers they come from; and what one has written, the next one sees.
pub unsafe trait Exclusive {
    /// Runs `work` once nothing else is under way.
    fn run<R>(&self, work: impl FnOnce() -> R) -> R;
}

/// A lock that is waited for by looking again: enough for threads, and for harts whose interrupt
/// handlers do not allocate. A work that never returns keeps it for good.
#[derive(Debug, Default)]
pub struct Spin(AtomicBool);

impl Spin {
    /// Nobody's.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }
}

// SAFETY: only who has changed `false` to `true` runs its work, and puts `false` back behind it;
// the orderings hand over what was written.
unsafe impl Exclusive for Spin {
    fn run<R>(&self, work: impl FnOnce() -> R) -> R {
        while self.0.swap(true, Acquire) {
            while self.0.load(Relaxed) {
                core::hint::spin_loop();
            }
        }
        let result = work();
        self.0.store(false, Release);
        result
    }
}
