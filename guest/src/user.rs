//! User mode, in which subjects run where the guest has machine mode, and in which the guards of
//! `protection` hold for them.
//!
//! In machine mode only locked guards would count, and a lock cannot follow the heap's size. So a
//! trace is run in user mode, from its first op to its last, on the same stack and with the same
//! registers. The way back is an `ecall`: the trap vector does nothing for it but go on behind it.
//!
//! The harness's part of a run is in user mode as well, because to switch around each call of the
//! subject costs more than the call: so user mode reaches the transcript too.

#![allow(unsafe_code, reason = "it is the machine's side of a kernel")]

use core::arch::asm;

use riscv::register::mstatus::{self, MPP};

/// Makes [`in_user_mode`] lead to user mode. Called at boot and after each failure; nothing else
/// changes it, as every trap but an own failure comes from user mode.
pub fn prepare() {
    // SAFETY: it decides where the next `mret` leads, and `in_user_mode` has the only one.
    unsafe { mstatus::set_mpp(MPP::User) };
}

/// Runs `call` in user mode.
#[inline(never)]
pub fn in_user_mode<T>(call: impl FnOnce() -> T) -> T {
    // SAFETY: `mret` goes on at the label, on the same stack: user mode may execute all code, and
    // read and write all data.
    unsafe { asm!("lla {0}, 2f", "csrw mepc, {0}", "mret", "2:", out(reg) _) };
    let answer = call();
    leave();
    answer
}

/// Continues in machine mode. Harmless if it was so before.
pub fn leave() {
    // SAFETY: the vector goes on behind the `ecall` and uses t0 alone.
    unsafe { asm!("ecall", out("t0") _) };
}

/// Whether the last trap, an `ecall` or a failure, came from machine mode.
pub fn trapped_in_machine_mode() -> bool {
    mstatus::read().mpp() == MPP::Machine
}
