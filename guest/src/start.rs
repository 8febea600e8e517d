//! The first instructions, and which of the two configurations this boot is.
//!
//! A hart cannot be asked for its mode. So the guest sets the trap vector that only machine mode
//! has: in supervisor mode the attempt is an illegal instruction, which the firmware hands to
//! supervisor mode's own vector. There is no data to copy and nothing to clear: QEMU puts data
//! where it is used, and all other memory starts as zeros.

use core::arch::global_asm;

use crate::layout::STACK;

global_asm!(
    ".section .text.start, \"ax\"",
    ".global _start",
    "_start:",
    ".option push",
    ".option norelax",
    "lla gp, __global_pointer$",
    ".option pop",
    "li sp, {stack}",
    // Floating point is on, its state clean but for what a subject does: FS is Initial.
    "li t0, 0x2000",
    "csrs sstatus, t0",
    "csrw fcsr, zero",
    "lla t0, 2f",
    "csrw stvec, t0",
    "lla t0, machine_trap",
    "csrw mtvec, t0",
    "li a0, 0",
    "j {main}",
    ".balign 4",
    "2:",
    "lla t0, supervisor_trap",
    "csrw stvec, t0",
    // What is the guest's own is within reach (`reach`): SUM.
    "li t0, 0x40000",
    "csrs sstatus, t0",
    "li a0, 1",
    "j {main}",
    stack = const STACK.end(),
    main = sym crate::main,
);
