//! What a lock asks of the hart that it is taken on: that no interrupt handler runs meanwhile.
//!
//! A handler that wants the lock which its own hart holds waits for ever. So interrupts are masked
//! before a lock is asked for and let in again after it was given back: a handler that runs while
//! the hart merely waits would queue up behind it, and nobody would move.

#![allow(unsafe_code, reason = "it masks interrupts")]

#[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
use core::arch::asm;
use core::hint;

/// The hart that runs the caller, as far as a lock is concerned.
///
/// # Safety
///
/// From the return of [`mask`](Self::mask) until [`unmask`](Self::unmask) no interrupt handler runs
/// on the hart, or none that takes a lock for which this type masks interrupts. The compiler moves
/// no access to memory over either.
pub unsafe trait Hart {
    /// Masks interrupts, and tells whether they were let in until now.
    fn mask() -> bool;

    /// Lets interrupts in again.
    ///
    /// # Safety
    ///
    /// The latest [`mask`](Self::mask) on this hart that was not undone yet returned true, and no
    /// lock that was taken since is held.
    unsafe fn unmask();

    /// Passes a moment of the time in which another hart holds the lock.
    #[inline]
    fn wait() {
        hint::spin_loop();
    }
}

/// A hart whose interrupt handlers leave the locks alone, or a thread of a hosted program: masks
/// nothing.
#[derive(Clone, Copy, Debug)]
pub struct NoInterrupts;

// SAFETY: who names this type says that no handler takes its locks; and nothing else is promised.
unsafe impl Hart for NoInterrupts {
    #[inline]
    fn mask() -> bool {
        false
    }

    #[inline]
    unsafe fn unmask() {}
}

/// A RISC-V hart in machine mode: `mstatus.MIE`.
#[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
#[derive(Clone, Copy, Debug)]
pub struct Machine;

/// A RISC-V hart in supervisor mode: `sstatus.SIE`. Machine mode's own interrupts come all the
/// same; the firmware's handlers know nothing of the kernel's locks.
#[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
#[derive(Clone, Copy, Debug)]
pub struct Supervisor;

#[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
macro_rules! masks {
    ($hart:ty, $status:literal, $enabled:literal) => {
        // SAFETY: one instruction reads and clears the bit without which no interrupt that this
        // mode handles is taken, and only `unmask` sets it again. Neither claims to leave memory
        // alone, so the compiler keeps accesses on their sides.
        unsafe impl Hart for $hart {
            #[inline]
            fn mask() -> bool {
                let before: usize;
                // SAFETY: the register is this mode's own, and a hart without interrupts is sound.
                unsafe {
                    asm!(
                        concat!("csrrci {before}, ", $status, ", ", $enabled),
                        before = out(reg) before,
                        options(nostack, preserves_flags),
                    );
                }
                before & $enabled != 0
            }

            #[inline]
            unsafe fn unmask() {
                // SAFETY: the caller vouches that interrupts were let in before.
                unsafe {
                    asm!(
                        concat!("csrsi ", $status, ", ", $enabled),
                        options(nostack, preserves_flags),
                    );
                }
            }
        }
    };
}

#[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
masks!(Machine, "mstatus", 8);
#[cfg(any(target_arch = "riscv32", target_arch = "riscv64"))]
masks!(Supervisor, "sstatus", 2);
