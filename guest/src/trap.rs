//! Traps: the way back from user mode, and the end of one that went astray.

use core::arch::global_asm;

use harness::transcript::End;

use crate::layout::STACK;
use crate::memory::mailbox;
use crate::{recovery, user};

// The trap vector; `riscv-rt` sets it up under this name. Its own would save all registers on a
// stack that may be the very thing that is broken. This one needs no stack: an `ecall` (causes 8 to
// 11) goes on behind it, in machine mode; anything else never goes back to where it came from, so
// the stack and the registers that code relies on are made anew.
global_asm!(
    ".section .trap.start, \"ax\"",
    ".balign 4",
    ".global _start_trap",
    "_start_trap:",
    "csrr t0, mcause",
    "andi t0, t0, -4",
    "addi t0, t0, -8",
    "bnez t0, 2f",
    "csrr t0, mepc",
    "jr 4(t0)",
    "2:",
    ".option push",
    ".option norelax",
    "lla gp, __global_pointer$",
    ".option pop",
    "li sp, {stack}",
    "csrr a0, mcause",
    "csrr a1, mepc",
    "csrr a2, mtval",
    "j {fault}",
    stack = const STACK.end(),
    fault = sym fault,
);

/// Records the trap and recovers. One that was not taken in user mode is the guest's own fault.
extern "C" fn fault(mcause: u64, mepc: u64, mtval: u64) -> ! {
    let own = user::trapped_in_machine_mode();
    let transcript = &mailbox().transcript;
    transcript.set_fault([mcause, mepc, mtval]);
    transcript.set_end(End::Faulted);
    recovery::recover(own)
}
