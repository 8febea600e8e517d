//! `virt`'s devices: the console, the test device, and the one for interrupts between harts.

use core::fmt::{self, Write};

/// Software interrupts, a word a hart.
const SOFTWARE: usize = 0x0200_0000;

/// The UART of `virt`.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const TRANSMIT: *mut u8 = 0x1000_0000 as *mut u8;
        const STATUS: *const u8 = 0x1000_0005 as *const u8;
        const CAN_TRANSMIT: u8 = 1 << 5;
        for byte in text.bytes() {
            // SAFETY: the registers are the machine's. Two harts that speak at once garble their words.
            unsafe {
                while STATUS.read_volatile() & CAN_TRANSMIT == 0 {}
                TRANSMIT.write_volatile(byte);
            }
        }
        Ok(())
    }
}

/// A message. Formatting it allocates nothing.
macro_rules! say {
    ($($message:tt)+) => {
        // The console never fails.
        let _ = core::fmt::Write::write_fmt(&mut Console, format_args!("{}\n", format_args!($($message)+)));
    };
}
pub(crate) use say;

/// Ends the machine through `virt`'s test device.
pub fn leave(code: u32) -> ! {
    const TEST_DEVICE: *mut u32 = 0x0010_0000 as *mut u32;
    // SAFETY: the register is the machine's.
    unsafe { TEST_DEVICE.write_volatile(code) };
    loop {
        riscv::asm::wfi();
    }
}

fn software(hart: usize) -> *mut u32 {
    (SOFTWARE + 4 * hart) as *mut u32
}

/// Wakes a hart that sleeps in [`sleep_until_woken`].
pub fn wake(hart: usize) {
    // SAFETY: the register is the machine's.
    unsafe { software(hart).write_volatile(1) };
}

/// Sleeps until another hart wakes this one. It uses no static: memory may not have been cleared yet.
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
