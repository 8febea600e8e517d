//! A forked worker: the process in which a subject may crash or hang.
//!
//! The child shares a transcript with its parent. A panic, a fault or a hang in the child is
//! written there and ends the child; the parent reads what was done up to that op.

use std::io;
use std::ptr::null_mut;

use qemu_exec::die_with_parent;

use super::watch::{self, Watch};

/// A running child; killed and reaped when dropped.
pub struct Worker {
    id: libc::pid_t,
    ended: bool,
}

impl Worker {
    /// Forks a child that calls `body` and ends. The child shares nothing with this process but
    /// what was mapped as shared before.
    ///
    /// # Errors
    /// The kernel's, when it forks no process.
    pub fn start(watch: &Watch<'_>, body: impl FnOnce()) -> io::Result<Self> {
        watch::prepare();
        let parent = std::process::id();
        // SAFETY: the child runs `child` alone and leaves by `_exit`. It uses the global allocator
        // only: the C library makes its own usable after a fork, and a binary with another vouches
        // for that (docs/own-allocator.md). No lock of ours is held across it.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => child(parent, watch, body),
            id => Ok(Self { id, ended: false }),
        }
    }

    /// Whether the child has ended.
    ///
    /// # Errors
    /// The kernel's.
    pub fn has_ended(&mut self) -> io::Result<bool> {
        self.reap(libc::WNOHANG)
    }

    /// Waits for the child's end.
    ///
    /// # Errors
    /// The kernel's.
    pub fn wait(&mut self) -> io::Result<()> {
        self.reap(0).map(|_| ())
    }

    fn reap(&mut self, flags: i32) -> io::Result<bool> {
        while !self.ended {
            // SAFETY: waits for a child of ours that was not reaped yet; a null status is allowed.
            match unsafe { libc::waitpid(self.id, null_mut(), flags) } {
                -1 if io::Error::last_os_error().kind() == io::ErrorKind::Interrupted => {}
                -1 => return Err(io::Error::last_os_error()),
                0 => return Ok(false),
                _ => self.ended = true,
            }
        }
        Ok(true)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        if !self.ended {
            // SAFETY: the child was not reaped, so the id is still its own.
            unsafe { libc::kill(self.id, libc::SIGKILL) };
            // Nothing can be done about a child that cannot be waited for.
            let _ = self.wait();
        }
    }
}

/// The child's life, which ends with its parent's.
fn child(parent: u32, watch: &Watch<'_>, body: impl FnOnce()) -> ! {
    if die_with_parent(parent).is_err() {
        watch::leave();
    }
    // SAFETY: this function never returns, so its argument lives until the process has ended.
    unsafe { watch::and_leave(watch) };
    body();
    watch::leave()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicU64;
    use std::sync::atomic::Ordering::Relaxed;
    use std::time::{Duration, Instant};

    use harness::transcript::Transcript;

    use super::*;
    use crate::execute::host::shared::Shared;

    /// It may be gone before its child has asked to die with it.
    #[test]
    fn a_worker_does_not_outlive_a_parent_that_dies_at_once() {
        let transcript = Shared::<Transcript>::new().unwrap();
        let worker = Shared::<AtomicU64>::new().unwrap();
        let watch = Watch {
            transcript: &transcript,
            op_limit: Duration::from_secs(3600),
            heap_start: 0,
        };
        let sleep = || {
            loop {
                std::thread::sleep(Duration::from_secs(1));
            }
        };
        // Orphans become children of this process, which can wait for them.
        // SAFETY: no memory is involved.
        assert_eq!(unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1) }, 0);
        for _ in 0..50 {
            // SAFETY: the child starts a worker, as any process may, and leaves by `_exit`.
            let parent = unsafe { libc::fork() };
            assert_ne!(parent, -1);
            if parent == 0 {
                let started = Worker::start(&watch, sleep);
                let id = started.as_ref().map_or(0, |started| started.id);
                worker.store(id as u64, Relaxed);
                // SAFETY: no memory is involved.
                unsafe { libc::_exit(0) };
            }
            let ended = false;
            Worker { id: parent, ended }.wait().unwrap();
            let id = worker.load(Relaxed) as libc::pid_t;
            assert_ne!(id, 0, "no worker was started");
            let mut orphan = Worker { id, ended };
            let deadline = Instant::now() + Duration::from_secs(20);
            while !orphan.has_ended().unwrap() {
                assert!(Instant::now() < deadline, "the worker still runs");
                std::thread::sleep(Duration::from_millis(1));
            }
        }
        // SAFETY: as above.
        unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 0) };
    }
}
