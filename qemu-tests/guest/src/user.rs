//! Runs subjects in user mode, where the guards of `protection` hold for them.
//!
//! In machine mode only locked guards would count, and a lock cannot follow the heap's size. So
//! each call of a subject drops to user mode and comes back by `ecall`, on the same stack and with
//! the same registers: the trap vector does nothing for an `ecall` but go on behind it. `mstatus.MPP`
//! stays `User` all the time, since nothing but a failure enters the vector from machine mode, so
//! no switch writes `mstatus` (each such write would cost QEMU its whole TLB).

use core::alloc::Layout;
use core::arch::asm;
use core::fmt;
use core::mem::{ManuallyDrop, needs_drop};
use core::ops::{ControlFlow, Range};

use harness::declaration::Declaration;
use harness::subject::{Chunk, Freed, Region, Request, Subject};
use harness::subjects::Layer;
use riscv::register::mstatus::{self, MPP};

/// The layer of [`InUserMode`].
pub struct UserMode;

impl Layer for UserMode {
    type Around<S: Subject> = InUserMode<S>;
}

/// A subject whose every call runs in user mode.
pub struct InUserMode<S>(ManuallyDrop<S>);

/// Makes [`enter`] lead to user mode. Called at boot and after each failure.
pub fn prepare() {
    // SAFETY: it decides where the next `mret` leads, and `enter` is the only one.
    unsafe { mstatus::set_mpp(MPP::User) };
}

/// Continues in machine mode, and says whether that was so before. Harmless in both modes.
pub fn leave() -> bool {
    // SAFETY: the vector goes on behind the `ecall` and uses t0 alone.
    unsafe { asm!("ecall", out("t0") _) };
    mstatus::read().mpp() == MPP::Machine
}

/// Continues in user mode.
fn enter() {
    // SAFETY: `mret` goes on at the label, on the same stack. User mode may execute all code and
    // use the stack and all data, and no caller touches the mailbox before `leave`.
    unsafe { asm!("lla {0}, 2f", "csrw mepc, {0}", "mret", "2:", out(reg) _) };
}

#[inline(always)]
fn in_user_mode<T>(call: impl FnOnce() -> T) -> T {
    enter();
    let answer = call();
    // SAFETY: as in `leave`, whose answer only a failure needs.
    unsafe { asm!("ecall", out("t0") _) };
    answer
}

impl<S: Subject> Subject for InUserMode<S> {
    const DECLARATION: Declaration = S::DECLARATION;

    unsafe fn new(region: Region) -> Self {
        // SAFETY: exactly the caller's promise.
        Self(ManuallyDrop::new(in_user_mode(|| unsafe {
            S::new(region)
        })))
    }

    unsafe fn alloc(&mut self, request: Request) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        in_user_mode(|| unsafe { self.0.alloc(request) })
    }

    unsafe fn realloc(&mut self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        in_user_mode(|| unsafe { self.0.realloc(block, layout, new_size) })
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        // SAFETY: exactly the caller's promise.
        in_user_mode(|| unsafe { self.0.free(block, layout) })
    }

    fn walk(&self, visit: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> Option<Range<u64>> {
        in_user_mode(|| self.0.walk(visit))
    }

    fn print_table(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        in_user_mode(|| self.0.print_table(out))
    }
}

impl<S> Drop for InUserMode<S> {
    fn drop(&mut self) {
        if needs_drop::<S>() {
            // SAFETY: it is dropped once, and not used afterwards.
            in_user_mode(|| unsafe { ManuallyDrop::drop(&mut self.0) });
        }
    }
}
