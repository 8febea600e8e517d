//! Where the guest's own parts lie. The build script writes the linker's memory regions from
//! these, and `protection` and `paging` guard them, so that the two cannot disagree.
//!
//! ```text
//! 0x8000_0000  firmware     where there is one; else nothing
//! 0x8020_0000  code         executed only
//! 0x8030_0000  read only; a stack that overflows traps here
//! 0x8038_0000  constants
//! 0x8040_0000  stack        grows down
//! 0x8054_0000  data, bss
//! 0x8080_0000  mailbox      not the subject's (`harness::mailbox` says where)
//! 0x8200_0000  heap         the subject's, to the byte
//! 0x8420_0000  side memory  the subject's
//! ```
//!
//! QEMU finds a page quickly if no other in use has the same number modulo 256. So what a run uses
//! does not start at the same place of its megabyte as the heap, of which the first pages are used
//! most.

/// One part of memory.
#[derive(Clone, Copy)]
pub struct Part {
    /// Its first byte.
    pub start: usize,
    /// Its size in bytes: a power of two that divides `start`, for parts with a guard of their own.
    pub bytes: usize,
}

impl Part {
    /// The first byte behind it.
    pub const fn end(self) -> usize {
        self.start + self.bytes
    }
}

const MIB: usize = 1 << 20;

/// Code.
pub const TEXT: Part = Part {
    start: 0x8020_0000,
    bytes: MIB,
};
/// Constants, in the upper half.
pub const RODATA: Part = Part {
    start: TEXT.end(),
    bytes: MIB,
};
/// The stack. It lies directly above what cannot be written.
pub const STACK: Part = Part {
    start: RODATA.end(),
    bytes: MIB + MIB / 4,
};
/// Data and bss.
pub const WRITABLE: Part = Part {
    start: STACK.end(),
    bytes: 3 * MIB - MIB / 4,
};
