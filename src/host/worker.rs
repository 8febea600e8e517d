//! A forked worker: the process in which a subject may crash or hang.
//!
//! The child shares a transcript with its parent. A panic, a fault or a hang in the child is
//! written there and ends the child; the parent reads what was done up to that op.

use std::io;
use std::ptr::null_mut;

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
        // SAFETY: the child runs `child` alone and leaves by `_exit`. It uses the allocator only,
        // which the C library makes usable after a fork; no lock of ours is held across it.
        match unsafe { libc::fork() } {
            -1 => Err(io::Error::last_os_error()),
            0 => child(watch, body),
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

/// The child's life.
fn child(watch: &Watch<'_>, body: impl FnOnce()) -> ! {
    // SAFETY: no memory is involved. The child must not outlive its parent.
    unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    // SAFETY: this function never returns, so its argument lives until the process has ended.
    unsafe { watch::and_leave(watch) };
    body();
    watch::leave()
}
