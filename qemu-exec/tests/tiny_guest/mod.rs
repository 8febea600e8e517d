//! Guests of a few instructions, assembled here: no toolchain, no build step.
//!
//! Instruction formats are those of the RISC-V unprivileged specification, chapter "RV32I base
//! integer instruction set"; device addresses are those of QEMU's `virt` machine.

#![allow(dead_code, reason = "each test program uses its own part")]

use std::path::PathBuf;

/// A word whose store ends the guest.
const TEST_DEVICE: u32 = 0x0010_0000;
/// A byte whose store prints it.
const UART: u32 = 0x1000_0000;
const PASS: u32 = 0x5555;
const FAIL: u32 = 0x3333;

/// Registers by number: two temporaries.
const T0: u32 = 5;
const T1: u32 = 6;

/// A program under construction. It runs from the start of RAM.
#[derive(Default)]
pub struct TinyGuest {
    words: Vec<u32>,
}

impl TinyGuest {
    pub fn new() -> TinyGuest {
        TinyGuest::default()
    }

    /// Ends with code 0.
    pub fn pass(self) -> TinyGuest {
        self.store(TEST_DEVICE, PASS).spin()
    }

    /// Ends with what is left of `code`.
    pub fn fail(self, code: u16) -> TinyGuest {
        self.store(TEST_DEVICE, FAIL | u32::from(code) << 16).spin()
    }

    /// Prints `text`.
    pub fn print(mut self, text: &str) -> TinyGuest {
        self = self.load_immediate(T0, UART);
        for byte in text.bytes() {
            self.words.push(addi(T1, 0, byte.into()));
            self.words.push(sb(T1, T0));
        }
        self
    }

    /// Prints one byte for ever.
    pub fn print_for_ever(mut self, byte: u8) -> TinyGuest {
        self = self
            .load_immediate(T0, UART)
            .load_immediate(T1, byte.into());
        self.words.push(sb(T1, T0));
        self.words.push(jump(-4));
        self
    }

    /// Stores a word.
    pub fn store(mut self, address: u32, value: u32) -> TinyGuest {
        self = self.load_immediate(T0, address).load_immediate(T1, value);
        self.words.push(sw(T1, T0));
        self
    }

    /// Spins until the word at `from` is not zero, then stores it to `to`.
    pub fn copy_once_set(mut self, from: u32, to: u32) -> TinyGuest {
        self = self.load_immediate(T0, from);
        self.words.push(lw(T1, T0));
        self.words.push(branch_if_zero(T1, -4));
        self = self.load_immediate(T0, to);
        self.words.push(sw(T1, T0));
        self
    }

    /// Does nothing, for ever.
    pub fn spin(mut self) -> TinyGuest {
        self.words.push(jump(0));
        self
    }

    /// Writes the image. `name` must be the test's own: tests run at the same time.
    pub fn write(&self, name: &str) -> PathBuf {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.bin"));
        let bytes: Vec<u8> = self
            .words
            .iter()
            .flat_map(|word| word.to_le_bytes())
            .collect();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// `lui` and `addiw`, cleared of the sign that both extend.
    fn load_immediate(mut self, register: u32, value: u32) -> TinyGuest {
        let upper = value.wrapping_add(0x800) & 0xffff_f000;
        self.words.push(upper | register << 7 | 0x37);
        self.words
            .push((value & 0xfff) << 20 | register << 15 | register << 7 | 0x1b);
        self.words.push(shift_left_32(register));
        self.words.push(shift_right_32(register));
        self
    }
}

fn addi(to: u32, from: u32, value: u32) -> u32 {
    assert!(value < 0x800, "{value} would be sign-extended");
    value << 20 | from << 15 | to << 7 | 0x13
}

fn shift_left_32(register: u32) -> u32 {
    32 << 20 | register << 15 | 1 << 12 | register << 7 | 0x13
}

fn shift_right_32(register: u32) -> u32 {
    32 << 20 | register << 15 | 5 << 12 | register << 7 | 0x13
}

fn lw(to: u32, address: u32) -> u32 {
    address << 15 | 2 << 12 | to << 7 | 0x03
}

fn sw(value: u32, address: u32) -> u32 {
    value << 20 | address << 15 | 2 << 12 | 0x23
}

fn sb(value: u32, address: u32) -> u32 {
    value << 20 | address << 15 | 0x23
}

/// `jal zero`, by -4 or 0 bytes.
fn jump(bytes: i32) -> u32 {
    match bytes {
        0 => 0x0000_006f,
        -4 => 0xffdf_f06f,
        _ => unreachable!("no guest jumps by {bytes}"),
    }
}

/// `beq register, zero`, by -4 bytes.
fn branch_if_zero(register: u32, bytes: i32) -> u32 {
    assert_eq!(bytes, -4, "no guest branches elsewhere");
    0xfe00_0ee3 | register << 15
}
