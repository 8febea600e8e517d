//! Who may touch what, as PMP entries: in machine mode, which no page table binds. The first entry
//! that matches an address decides.
//!
//! | entry | from | machine mode | user mode |
//! |---|---|---|---|
//! | 0 | the null page | nothing | nothing |
//! | 1 | code | read, execute | read, execute |
//! | 2 | constants | read | read |
//! | 3, 4 | stack, data, bss | everything | read, write |
//! | 5, 6 | the heap, to the byte (in fast runs with its slack) | everything | read, write |
//! | 7, 8 | the transcript | everything | read, write |
//! | 9 | the side memory | everything | read, write |
//! | none | the rest of the mailbox, devices, all else | everything | nothing |
//!
//! The transcript is that of the run under way. What was answered, and what is still to be run, is
//! out of the subject's reach.
//!
//! The first three are locked: they hold for machine mode too, and until the next boot.

#![allow(unsafe_code, reason = "it is the machine's side of a kernel")]

use core::mem::offset_of;

use harness::mailbox::{HEAP_ADDRESS, MAILBOX_ADDRESS, Mailbox, SIDE_ADDRESS, SIDE_BYTES};
use harness::subject::Region;
use riscv::register::{
    Permission::{NONE, R, RW, RX},
    Range::{self, NAPOT, TOR},
    pmpaddr0, pmpaddr1, pmpaddr2, pmpaddr3, pmpaddr4, pmpaddr5, pmpaddr6, pmpaddr7, pmpaddr8,
    pmpaddr9, pmpcfg0, pmpcfg2,
};

use crate::layout::{Part, RODATA, STACK, TEXT, WRITABLE};

/// A page of memory: of the tables of `paging`, and of what QEMU keeps rights of.
pub const PAGE_BYTES: usize = 4096;
const NULL_PAGE: Part = Part {
    start: 0,
    bytes: PAGE_BYTES,
};

/// From the page in which it starts: accesses to a page with two rights would be slow. What
/// lies before it in that page is the end of the ops, which the guest has copied by then.
pub const TRANSCRIPT: Part = {
    let mailbox = MAILBOX_ADDRESS as usize;
    let start = (mailbox + offset_of!(Mailbox, transcript)) / PAGE_BYTES * PAGE_BYTES;
    let end = (mailbox + size_of::<Mailbox>()).next_multiple_of(PAGE_BYTES);
    Part {
        start,
        bytes: end - start,
    }
};
const _: () = assert!(TRANSCRIPT.start >= MAILBOX_ADDRESS as usize + 2 * PAGE_BYTES);
const _: () = assert!(TRANSCRIPT.end() <= HEAP_ADDRESS as usize);

/// The side memory, of any heap.
pub const SIDE: Part = Part {
    start: SIDE_ADDRESS as usize,
    bytes: SIDE_BYTES as usize,
};

/// PMP addresses count in words of 4 bytes.
const fn word(address: usize) -> usize {
    address >> 2
}

/// A naturally aligned power of two: the size is in the number of ones at the end.
const fn napot(part: Part) -> usize {
    assert!(part.bytes.is_power_of_two());
    assert!(part.start.is_multiple_of(part.bytes));
    word(part.start) | (word(part.bytes) / 2 - 1)
}

/// Sets all guards, with a heap of 0 bytes.
pub fn protect() {
    // SAFETY: the addresses come first, as an entry that is on may deny the code that sets it. The
    // locked entries deny nothing that the guest does: it writes no code, no more constants, and
    // executes no constant.
    unsafe {
        pmpaddr0::write(const { napot(NULL_PAGE) });
        pmpaddr1::write(const { napot(TEXT) });
        pmpaddr2::write(const { napot(RODATA) });
        pmpaddr3::write(word(STACK.start));
        pmpaddr4::write(word(WRITABLE.end()));
        pmpaddr5::write(word(HEAP_ADDRESS as usize));
        pmpaddr6::write(word(HEAP_ADDRESS as usize));
        pmpaddr7::write(word(TRANSCRIPT.start));
        pmpaddr8::write(word(TRANSCRIPT.end()));
        pmpaddr9::write(const { napot(SIDE) });
        pmpcfg0::set_pmp(0, NAPOT, NONE, true);
        pmpcfg0::set_pmp(1, NAPOT, RX, true);
        pmpcfg0::set_pmp(2, NAPOT, R, true);
        pmpcfg0::set_pmp(3, Range::OFF, NONE, false);
        pmpcfg0::set_pmp(4, TOR, RW, false);
        pmpcfg0::set_pmp(5, Range::OFF, NONE, false);
        pmpcfg0::set_pmp(6, TOR, RW, false);
        pmpcfg0::set_pmp(7, Range::OFF, NONE, false);
        pmpcfg2::set_pmp(0, TOR, RW, false);
        pmpcfg2::set_pmp(1, NAPOT, RW, false);
    }
}

/// Lets user mode reach a heap and its slack, a multiple of 4 bytes, and nothing behind it.
pub fn open_heap(heap: Region) {
    let end = word(heap.start.addr() + heap.bytes + heap.slack);
    let before = pmpaddr6::read();
    if before == end {
        return;
    }
    // SAFETY: machine mode, which the guest itself runs in, is not affected.
    unsafe { pmpaddr6::write(end) };
    // QEMU keeps which whole pages may be reached, also over a write of pmpaddr (7.2 does); of a
    // page that is the heap's in part it keeps nothing. So there is something to be forgotten only
    // where whole pages are closed, and forgetting all is not free: most other pages are in use.
    if end / word(PAGE_BYTES) < before / word(PAGE_BYTES) {
        riscv::asm::sfence_vma_all();
    }
}
