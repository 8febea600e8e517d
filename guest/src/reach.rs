//! The subject's reach in supervisor mode.
//!
//! A subject runs in the mode it is written for, as a kernel's allocator does. What is the guest's
//! own lies in pages marked as user mode's, though nothing runs there: supervisor mode reaches such
//! pages only while `sstatus.SUM` is set. So one bit decides: the guest's code runs with it set, a
//! trace from its first op to its last with it clear.

#![allow(unsafe_code, reason = "it is the machine's side of a kernel")]

use core::arch::asm;

/// `sstatus.SUM`.
const SUM: usize = 1 << 18;

/// Runs `call` with the guest's own pages out of reach.
#[inline(never)]
pub fn with_own_pages_closed<T>(call: impl FnOnce() -> T) -> T {
    // SAFETY: `call` reaches all code and data but the guest's own pages, which it has no business
    // in.
    unsafe { asm!("csrc sstatus, {}", in(reg) SUM) };
    let answer = call();
    open();
    answer
}

/// Puts them in reach; whether they were out of it.
pub fn open() -> bool {
    let before: usize;
    // SAFETY: the guest's own code works with the bit set.
    unsafe { asm!("csrrs {}, sstatus, {}", out(reg) before, in(reg) SUM) };
    before & SUM == 0
}
