//! What a kernel needs of QEMU's machine `virt`: a console, and a way out. `many-harts`, a package
//! of its own, includes this file as well.

#![allow(unsafe_code, reason = "it drives devices")]

use core::fmt::{self, Write};

/// The UART.
pub struct Console;

impl Write for Console {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        const TRANSMIT: *mut u8 = 0x1000_0000 as *mut u8;
        const STATUS: *const u8 = 0x1000_0005 as *const u8;
        const CAN_TRANSMIT: u8 = 1 << 5;
        for byte in text.bytes() {
            // SAFETY: the registers are the machine's and no memory of Rust's, on every hart and in
            // every handler. Two that speak at once garble their words, no more.
            unsafe {
                while STATUS.read_volatile() & CAN_TRANSMIT == 0 {}
                TRANSMIT.write_volatile(byte);
            }
        }
        Ok(())
    }
}

/// A message of the kernel's own, on a line. Formatting it allocates nothing.
pub fn say(message: fmt::Arguments<'_>) {
    // The console never fails.
    let _ = writeln!(Console, "{message}");
}

/// Ends the machine through its test device: QEMU exits with this code.
pub fn leave(code: u8) -> ! {
    const TEST_DEVICE: *mut u32 = 0x0010_0000 as *mut u32;
    const PASS: u32 = 0x5555;
    // QEMU exits with the upper half beside it: alone, this is a success as well.
    const FAIL: u32 = 0x3333;
    let word = match code {
        0 => PASS,
        _ => u32::from(code) << 16 | FAIL,
    };
    // SAFETY: the register is the machine's.
    unsafe { TEST_DEVICE.write_volatile(word) };
    loop {
        riscv::asm::wfi();
    }
}
