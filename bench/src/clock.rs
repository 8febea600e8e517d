//! The clock of measurements: CPU time of the calling thread, which others on the machine do not
//! use up. Wall time would charge the longer of two runs for every time slice that it lost.

#![allow(unsafe_code, reason = "it asks for the time of a thread")]

use std::time::Duration;

/// CPU time that this thread has used.
#[must_use]
pub fn thread_time() -> Duration {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: the call writes to `time` alone. It cannot fail: every Linux thread has this clock.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}
