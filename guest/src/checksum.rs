//! Whether the guest itself is still what was booted.
//!
//! Code and constants cannot be written by anyone, data could be by a stray store of a subject.
//! Taken once at boot, compared after everything that went wrong. Stack and buffers are not in it:
//! they mean nothing between two requests.

#![allow(unsafe_code, reason = "it is the machine's side of a kernel")]

use core::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The sum at boot. It lies outside the memory it sums up (in bss).
static AT_BOOT: AtomicU64 = AtomicU64::new(0);

unsafe extern "C" {
    static __stext: u64;
    static __etext: u64;
    static __srodata: u64;
    static __erodata: u64;
    static __sdata: u64;
    static __edata: u64;
}

/// Takes the sum.
pub fn take() {
    AT_BOOT.store(sum(), Relaxed);
}

/// Whether the sum is still the same.
pub fn holds() -> bool {
    AT_BOOT.load(Relaxed) == sum()
}

fn sum() -> u64 {
    let parts = [
        (&raw const __stext, &raw const __etext),
        (&raw const __srodata, &raw const __erodata),
        (&raw const __sdata, &raw const __edata),
    ];
    let mut sum = 0xcbf2_9ce4_8422_2325;
    for (start, end) in parts {
        let mut word = start;
        while word.addr() + size_of::<u64>() <= end.addr() {
            // SAFETY: the linker script puts readable, 8-byte aligned memory between these symbols
            // (the code's last odd word is left out). Volatile: a subject may have changed it.
            sum = (sum ^ unsafe { word.read_volatile() }).wrapping_mul(0x0000_0100_0000_01b3);
            word = word.wrapping_add(1);
        }
    }
    sum
}
