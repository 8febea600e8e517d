//! The instructions that the hart has retired, by which calls of a subject are metered.
//!
//! Under QEMU it is that number only with `-icount shift=0`; without, a clock of the host's.

#![allow(unsafe_code, reason = "it is the machine's side of a kernel")]

use riscv::register::{instret, mcounteren, scounteren};

use crate::privilege::{Privilege, privilege};

/// Lets whoever runs traces read the counter: user mode, for which QEMU 7.2 asks supervisor mode's
/// leave as well. Supervisor mode has the firmware's leave.
pub fn open() {
    if privilege() == Privilege::Supervisor {
        return;
    }
    // SAFETY: it gives away the sight of a number.
    unsafe { mcounteren::set_ir() };
    // SAFETY: as above.
    unsafe { scounteren::set_ir() };
}

/// Instructions retired so far.
pub fn instructions() -> u64 {
    instret::read64()
}
