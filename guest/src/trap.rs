//! Traps: the way back from user mode, and the end of a subject that went astray.

use core::arch::global_asm;

use harness::transcript::End;

use crate::layout::STACK;
use crate::memory::mailbox;
use crate::{bounds, recovery};

// The vectors of both modes. None needs a stack, which may be the very thing that is broken: an
// `ecall` in the guest without firmware (causes 8 to 11) goes on behind it, in machine mode;
// anything else never goes back to where it came from, so the stack and the registers that code
// relies on are made anew.
global_asm!(
    ".section .text.trap, \"ax\"",
    ".balign 4",
    ".global machine_trap",
    "machine_trap:",
    "csrr t0, mcause",
    "andi t0, t0, -4",
    "addi t0, t0, -8",
    "bnez t0, 2f",
    "csrr t0, mepc",
    "jr 4(t0)",
    "2:",
    "csrr a0, mcause",
    "csrr a1, mepc",
    "csrr a2, mtval",
    "j 3f",
    ".balign 4",
    ".global supervisor_trap",
    "supervisor_trap:",
    "csrr a0, scause",
    "csrr a1, sepc",
    "csrr a2, stval",
    "3:",
    ".option push",
    ".option norelax",
    "lla gp, __global_pointer$",
    ".option pop",
    "li sp, {stack}",
    "j {fault}",
    stack = const STACK.end(),
    fault = sym fault,
);

/// Records the trap and recovers. One that was not taken within a subject's bounds is the guest's
/// own fault.
extern "C" fn fault(cause: u64, place: u64, value: u64) -> ! {
    let own = !bounds::leave_after_trap();
    let transcript = &mailbox().transcript;
    transcript.set_fault([cause, place, value]);
    transcript.set_end(End::Faulted);
    recovery::recover(own)
}
