//! Loom's atomics under the name of a crate that `spin` can take its atomics from, so that the lock
//! which is checked is the lock that is shipped.
//!
//! Loom makes an atomic while a model runs; a lock is made by a `const fn`. So each is made when it
//! is first used. That use must come before the harts part, or loom does not know that all of them
//! have seen the first value.
//!
//! A run that panics is taken apart outside of loom's schedule: locks that are then given back are
//! not looked at again, and no access is made.

use std::sync::OnceLock;
use std::thread::panicking;

use loom::sync::atomic::AtomicUsize as Scheduled;
pub use loom::sync::atomic::Ordering;

/// A word that harts share, of one run of a model.
#[derive(Debug)]
pub struct AtomicUsize {
    first: usize,
    scheduled: OnceLock<Scheduled>,
}

impl AtomicUsize {
    /// With this value.
    #[must_use]
    pub const fn new(first: usize) -> Self {
        Self {
            first,
            scheduled: OnceLock::new(),
        }
    }

    /// What some hart stored.
    pub fn load(&self, order: Ordering) -> usize {
        self.scheduled().load(order)
    }

    /// Stores.
    pub fn store(&self, value: usize, order: Ordering) {
        if !panicking() {
            self.scheduled().store(value, order);
        }
    }

    /// Adds, and returns what was there.
    pub fn fetch_add(&self, more: usize, order: Ordering) -> usize {
        match panicking() {
            true => self.first,
            false => self.scheduled().fetch_add(more, order),
        }
    }

    /// Stores if the value is the expected one.
    ///
    /// # Errors
    /// The value, if it is another.
    pub fn compare_exchange_weak(
        &self,
        expected: usize,
        value: usize,
        success: Ordering,
        failure: Ordering,
    ) -> Result<usize, usize> {
        self.scheduled()
            .compare_exchange_weak(expected, value, success, failure)
    }

    fn scheduled(&self) -> &Scheduled {
        self.scheduled.get_or_init(|| Scheduled::new(self.first))
    }
}
