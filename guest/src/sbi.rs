//! What the guest asks of the firmware: to be woken.

#![allow(unsafe_code, reason = "it is the machine's side of a kernel")]

use core::arch::asm;

/// The extension TIME of SBI 0.2 and later.
const TIME: usize = 0x5449_4d45;
/// Its only function.
const SET_TIMER: usize = 0;

/// Makes the supervisor's timer interrupt pending at `time`, and not before.
pub fn set_timer(time: u64) {
    // SAFETY: the call changes a0 and a1 and nothing else of the caller's. The interrupt is enabled
    // around `wfi` only, where it does nothing but wake the hart.
    unsafe {
        asm!(
            "ecall",
            inlateout("a0") time => _,
            out("a1") _,
            in("a6") SET_TIMER,
            in("a7") TIME,
        );
    }
}
