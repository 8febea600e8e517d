//! A worker and its parent: how they share memory, and how the one sees how far the other is, waits
//! for it, and learns what ended it.
//!
//! ```text
//! parent: start --fork--> worker: op after op, case after case
//!         attend <-- ops begun, how it ended, and whatever `T` says besides
//! ```
//!
//! A worker that stands still at an op for longer than its limit ends itself ([`watch`]). Once one
//! has ended, the next may be started over the same memory.

use std::ops::{ControlFlow, Deref};
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use harness::op::{Op, OpKind};
use harness::trace::Trace;
use harness::transcript::{End, Transcript};

use super::shared::{Shareable, Shared};
use super::watch::Watch;
use super::worker::Worker;
use crate::oracle::judge::Broken;
use crate::oracle::violation::Violation;
use crate::run::fault::Panic;

/// What a worker and its parent see alike.
#[repr(C)]
pub struct Common<T> {
    /// Counts the ops begun, and says how the worker ended, if not well.
    pub transcript: Transcript,
    /// Ops begun before the case under way.
    before: AtomicU32,
    more: T,
}

// SAFETY: atomics, of which zero is a value, and what is shareable itself.
unsafe impl<T: Shareable> Shareable for Common<T> {}

impl<T> Common<T> {
    /// Moves with every op of the worker's.
    pub const fn progress(&self) -> &AtomicU32 {
        self.transcript.progress()
    }

    /// The worker begins a case.
    pub fn begin_case(&self) {
        self.before.store(self.transcript.begun(), Relaxed);
    }

    /// What the case under way broke when it ended the worker, as far as that can be told without
    /// running it again.
    pub fn crash(&self, case: &Trace) -> Broken {
        let violation = match self.transcript.end() {
            End::Hung => Violation::Hang,
            End::Panicked => Violation::Panic(Panic::read(&self.transcript)),
            _ => Violation::Fault(super::fault_of(self.transcript.fault(), case.geometry)),
        };
        let begun = self.transcript.begun();
        let begun = begun.wrapping_sub(self.before.load(Relaxed)) as usize;
        let op = case.ops.get(begun.saturating_sub(1));
        Broken {
            rule: violation.rule(),
            kind: Some(op.map_or(OpKind::Table, Op::kind)),
            source: violation.source().cloned(),
        }
    }
}

impl<T> Deref for Common<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.more
    }
}

/// A worker, if one is at work, and the memory that it shares. The worker is killed with it.
pub struct Supervised<T: Shareable> {
    worker: Option<Worker>,
    common: Shared<Common<T>>,
}

impl<T: Shareable> Supervised<T> {
    /// Memory for workers, of which none is started yet.
    ///
    /// # Errors
    /// When the kernel grants no memory.
    pub fn new() -> Result<Self> {
        let common = Shared::new().context("mapping shared memory for a worker")?;
        let worker = None;
        Ok(Self { worker, common })
    }

    /// Starts a worker in place of the last one. It calls `body` and ends; an op may take
    /// `op_limit` of its CPU time. Faults are told by their distance from `heap_start`.
    ///
    /// # Errors
    /// When the kernel forks no process.
    pub fn start(
        &mut self,
        op_limit: Duration,
        heap_start: usize,
        body: impl FnOnce(&Common<T>),
    ) -> Result<()> {
        self.worker = None;
        let common = &*self.common;
        common.transcript.clear();
        let watch = Watch {
            transcript: &common.transcript,
            op_limit,
            heap_start,
        };
        let started = Worker::start(&watch, || body(common));
        self.worker = Some(started.context("forking a worker")?);
        Ok(())
    }

    /// Whether a worker was started, and has not been seen to end.
    pub const fn is_at_work(&self) -> bool {
        self.worker.is_some()
    }

    /// Looks at what the worker shares until `look` has seen enough; whether the worker has ended.
    ///
    /// # Errors
    /// When the worker cannot be waited for.
    pub fn attend(
        &mut self,
        mut pace: Pace,
        mut look: impl FnMut(&Common<T>) -> ControlFlow<()>,
    ) -> Result<bool> {
        loop {
            // Asked first: whatever the worker told before its end is seen.
            let ended = match &mut self.worker {
                Some(worker) => worker.has_ended().context("waiting for a worker")?,
                None => true,
            };
            let looked = look(&self.common);
            if ended {
                self.worker = None;
                return Ok(true);
            }
            if looked.is_break() {
                return Ok(false);
            }
            pace.pause();
        }
    }

    /// Waits for the worker's end.
    ///
    /// # Errors
    /// When it cannot be waited for.
    pub fn wait(&mut self) -> Result<()> {
        match &mut self.worker.take() {
            Some(worker) => worker.wait().context("waiting for a worker"),
            None => Ok(()),
        }
    }
}

impl<T: Shareable> Deref for Supervised<T> {
    type Target = Common<T>;

    fn deref(&self) -> &Common<T> {
        &self.common
    }
}

/// How a process waits for the other: it looks again at once, as long as nobody else wants the
/// processor, and later after naps.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    looks: u32,
    nap: Duration,
}

impl Pace {
    /// For an answer that is due at any moment.
    pub const SOON: Self = Self {
        looks: 2000,
        nap: Duration::from_micros(50),
    };

    /// A look now and then.
    pub const fn every(nap: Duration) -> Self {
        Self { looks: 0, nap }
    }

    /// Lets some time pass.
    pub fn pause(&mut self) {
        match self.looks.checked_sub(1) {
            Some(left) => {
                self.looks = left;
                thread::yield_now();
            }
            None => thread::sleep(self.nap),
        }
    }
}
