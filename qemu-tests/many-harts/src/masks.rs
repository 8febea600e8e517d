//! Whether masking masks, in the status of either mode.

#![allow(unsafe_code, reason = "it masks interrupts")]

use kmem::{Hart, Machine, Supervisor};
use riscv::register::mstatus;

/// Asserts that interrupts are masked, and let in again as they were before. To be called while no
/// interrupt is enabled by itself.
pub fn check() {
    // SAFETY: letting in interrupts that are not enabled lets in none.
    unsafe {
        mstatus::set_mie();
        mstatus::set_sie();
    }
    check_one::<Machine>(|| mstatus::read().mie());
    check_one::<Supervisor>(|| mstatus::read().sie());
    // SAFETY: as it was at first.
    unsafe {
        mstatus::clear_mie();
        mstatus::clear_sie();
    }
}

fn check_one<H: Hart>(let_in: impl Fn() -> bool) {
    assert!(H::mask(), "they were let in");
    assert!(!let_in(), "they are masked");
    assert!(!H::mask(), "they were masked");
    // SAFETY: the first mask was not undone yet, and no lock is held.
    unsafe { H::unmask() };
    assert!(let_in(), "they are let in again");
}
