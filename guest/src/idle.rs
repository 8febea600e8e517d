//! The time between two requests.
//!
//! A busy host posts the next request within microseconds, so the guest looks without pause at
//! first. An idle one must cost next to nothing: the hart sleeps until its mode's timer wakes it,
//! longer each time. The timer never interrupts: `mstatus.MIE` or `SIE` is off, and `mie.MTIE` or
//! `sie.STIE` is on only around `wfi` (in user mode the first would interrupt regardless).

#![allow(unsafe_code, reason = "it is the machine's side of a kernel")]

use riscv::interrupt::{machine, supervisor};
use riscv::register::{mie, sie, time};

use crate::memory::mailbox;
use crate::privilege::{Privilege, privilege};
use crate::sbi;

/// `virt`'s clock has 10 MHz.
const TICKS_PER_US: u64 = 10;
/// Looks between two looks at the clock, which QEMU emulates slowly.
const SPINS: u32 = 64;
/// How long the guest looks for a request without a pause: longer than a host takes between two,
/// even one under libFuzzer, whose own work takes up to 200 us an input. A pause costs QEMU more
/// time than a short trace does.
const SPIN: u64 = 300 * TICKS_PER_US;
/// The first sleep.
const SLEEP_MIN: u64 = 50 * TICKS_PER_US;
/// The longest sleep: 10 ms. A request is seen late by no more than this, nor by more than the time
/// that the guest was idle before.
const SLEEP_MAX: u64 = 10_000 * TICKS_PER_US;
/// When a timer that is not wanted goes off. One that has gone off stays pending until it is set
/// again, and a pending interrupt, even a disabled one, has QEMU stop at each block that it looks
/// up.
const NEVER: u64 = u64::MAX;
/// The timer's compare register of hart 0, in the CLINT of `virt`.
const MTIMECMP: *mut u64 = 0x0200_4000 as *mut u64;

/// Returns once a request waits.
pub fn wait_for_request() {
    if spin() {
        return;
    }
    let start = time::read64();
    while time::read64() - start < SPIN {
        if spin() {
            return;
        }
    }
    let mut ticks = SLEEP_MIN;
    while !mailbox().waits() {
        sleep(ticks);
        ticks = (ticks * 2).min(SLEEP_MAX);
    }
}

/// Whether a request waits, after some looks.
fn spin() -> bool {
    (0..SPINS).any(|_| {
        core::hint::spin_loop();
        mailbox().waits()
    })
}

fn sleep(ticks: u64) {
    let until = time::read64() + ticks;
    match privilege() {
        Privilege::Machine => {
            // SAFETY: the register is the machine's, and nothing else of the guest uses it.
            unsafe { MTIMECMP.write_volatile(until) };
            // SAFETY: `mstatus.MIE` is off, so this wakes `wfi` and does nothing else.
            unsafe { mie::enable(machine::Interrupt::MachineTimer) };
            riscv::asm::wfi();
            mie::disable(machine::Interrupt::MachineTimer);
            // SAFETY: as above.
            unsafe { MTIMECMP.write_volatile(NEVER) };
        }
        Privilege::Supervisor => {
            sbi::set_timer(until);
            // SAFETY: `sstatus.SIE` is off, so this wakes `wfi` and does nothing else.
            unsafe { sie::enable(supervisor::Interrupt::SupervisorTimer) };
            riscv::asm::wfi();
            sie::disable(supervisor::Interrupt::SupervisorTimer);
            sbi::set_timer(NEVER);
        }
    }
}
