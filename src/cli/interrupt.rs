//! A signal that ends the process takes the line of its progress along: the shell's prompt begins
//! where that was.

#![allow(unsafe_code, reason = "it handles signals")]

use std::sync::Once;
use std::sync::atomic::{AtomicI32, Ordering::Relaxed};

/// What clears the line that the cursor is on.
const CLEAR: &[u8] = b"\r\x1b[2K";

/// The process that shows the line; its forked workers inherit the handler, and show none.
static SHOWN_BY: AtomicI32 = AtomicI32::new(0);

/// From now on the terminal's line is cleared when a signal ends this process. Then the signal does
/// what it does without.
pub(super) fn clear_line() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        SHOWN_BY.store(std::process::id().cast_signed(), Relaxed);
        for signal in [libc::SIGINT, libc::SIGTERM, libc::SIGHUP] {
            let handler = clear_and_end as extern "C" fn(i32);
            // SAFETY: the handler only calls functions that a signal handler may call.
            let previous = unsafe { libc::signal(signal, handler as libc::sighandler_t) };
            if previous == libc::SIG_IGN {
                // Whoever started us wants it to be ignored.
                // SAFETY: it was ignored before.
                unsafe { libc::signal(signal, libc::SIG_IGN) };
            }
        }
    });
}

extern "C" fn clear_and_end(signal: i32) {
    // SAFETY: no memory is involved.
    let this_process = unsafe { libc::getpid() };
    if this_process == SHOWN_BY.load(Relaxed) {
        // SAFETY: the bytes are a static. Nothing can be done about a terminal that is gone.
        unsafe { libc::write(libc::STDERR_FILENO, CLEAR.as_ptr().cast(), CLEAR.len()) };
    }
    // SAFETY: no memory is involved. The signal is raised once this handler returns.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}
