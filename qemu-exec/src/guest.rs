//! A running guest: wait for it, watch it, read what it said, end it.

use std::thread;
use std::time::{Duration, Instant};

use crate::process::Process;
use crate::serial::Drain;
use crate::{Ended, Error, Exit, Serial, SharedMemory};

/// First pause between two looks at a process: short beside a boot (tens of milliseconds).
const PAUSE_MIN: Duration = Duration::from_micros(200);
/// Longest pause: it bounds how late an end is noticed, and what waiting costs.
const PAUSE_MAX: Duration = Duration::from_millis(2);
/// How long the output of an ended QEMU may take to arrive. Its pipe ends with it, unless a child
/// that it left behind holds it open.
const DRAIN_PATIENCE: Duration = Duration::from_secs(1);

/// A guest in its QEMU process. It can move between threads freely.
///
/// Dropping it kills and reaps QEMU. QEMU is also killed by the kernel when this process ends in
/// any way. (Only QEMU itself: a wrapper script in its place dies, the QEMU below it may not.)
#[derive(Debug)]
pub struct Guest {
    /// First, so that QEMU is gone before the host unmaps its RAM.
    process: Process,
    memory: Option<SharedMemory>,
    console: Drain,
    errors: Drain,
    /// Set iff QEMU has ended and its output has been waited for, which is done once.
    finished: bool,
}

impl Guest {
    pub(crate) fn new(
        process: Process,
        memory: Option<SharedMemory>,
        console: Drain,
        errors: Drain,
    ) -> Guest {
        Guest {
            process,
            memory,
            console,
            errors,
            finished: false,
        }
    }

    /// The guest's RAM, if the machine was made with [`Machine::shared`](crate::Machine::shared).
    /// It stays readable after the guest has ended.
    pub fn memory(&self) -> Option<&SharedMemory> {
        self.memory.as_ref()
    }

    /// QEMU's process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// CPU time that QEMU has used, all its threads together, start-up included.
    ///
    /// To tell a hang from a busy machine: a guest that gets no processor uses no CPU time. Of a
    /// guest that has ended, the last reading.
    ///
    /// # Errors
    /// If the clock cannot be read.
    pub fn cpu_time(&self) -> Result<Duration, Error> {
        self.process.cpu_time().map_err(|source| Error::CpuTime {
            id: self.id(),
            source,
        })
    }

    /// How QEMU ended, if it has; it is then reaped. Never blocks for a guest that runs.
    ///
    /// # Errors
    /// If the process cannot be waited for.
    pub fn try_wait(&mut self) -> Result<Option<Exit>, Error> {
        let exit = self
            .process
            .try_wait()
            .map_err(|source| self.wait_error(source))?;
        if exit.is_some() {
            self.finish_output();
        }
        Ok(exit)
    }

    /// Waits until QEMU ends, at most for `deadline` of wall time from now; then kills and reaps.
    ///
    /// # Errors
    /// If the process cannot be waited for or killed.
    pub fn wait(&mut self, deadline: Duration) -> Result<Ended, Error> {
        let start = Instant::now();
        let mut pause = PAUSE_MIN;
        loop {
            if let Some(exit) = self.try_wait()? {
                return Ok(Ended::Exited(exit));
            }
            let left = deadline.saturating_sub(start.elapsed());
            if left.is_zero() {
                self.end()?;
                return Ok(Ended::DeadlineExceeded);
            }
            thread::sleep(pause.min(left));
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Kills QEMU and reaps it; does nothing if it has ended. [`try_wait`](Guest::try_wait) then
    /// tells how it ended.
    pub fn kill(&mut self) {
        // It can fail only if the child is not ours to reap; then `try_wait` says so.
        let _ = self.end();
    }

    /// What was printed so far; after the guest's end, everything.
    pub fn serial(&self) -> Serial {
        let (text, dropped_bytes) = self.console.text();
        let (errors, errors_dropped_bytes) = self.errors.text();
        Serial {
            text,
            dropped_bytes,
            errors,
            errors_dropped_bytes,
        }
    }

    fn end(&mut self) -> Result<(), Error> {
        self.process
            .kill()
            .map_err(|source| self.wait_error(source))?;
        self.finish_output();
        Ok(())
    }

    fn finish_output(&mut self) {
        if !self.finished {
            let start = Instant::now();
            self.console.finish(DRAIN_PATIENCE);
            self.errors
                .finish(DRAIN_PATIENCE.saturating_sub(start.elapsed()));
            self.finished = true;
        }
    }

    fn wait_error(&self, source: std::io::Error) -> Error {
        Error::Wait {
            id: self.id(),
            source,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_may_be_used_from_any_thread() {
        fn assert_send_and_sync<T: Send + Sync>() {}
        assert_send_and_sync::<Guest>();
    }
}
