//! `virt`'s device for interrupts between harts, by which one wakes another.

#![allow(unsafe_code, reason = "it drives devices")]

/// Software interrupts, a word a hart.
const SOFTWARE: usize = 0x0200_0000;

fn software(hart: usize) -> *mut u32 {
    (SOFTWARE + 4 * hart) as *mut u32
}

/// Wakes a hart that sleeps in [`sleep_until_woken`].
pub fn wake(hart: usize) {
    // SAFETY: the register is the machine's.
    unsafe { software(hart).write_volatile(1) };
}

/// Sleeps until another hart wakes this one. It uses no static: memory may not have been cleared
/// yet.
pub fn sleep_until_woken(hart: usize) {
    // SAFETY: interrupts are masked, so the pending one wakes `wfi` and nothing else happens.
    unsafe { riscv::register::mie::set_msoft() };
    while !riscv::register::mip::read().msoft() {
        riscv::asm::wfi();
    }
    // SAFETY: as above; the register is the machine's.
    unsafe {
        riscv::register::mie::clear_msoft();
        software(hart).write_volatile(0);
    }
}
