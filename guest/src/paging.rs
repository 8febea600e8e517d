//! Who may touch what, as Sv39 page tables: in supervisor mode, where physical memory protection is
//! the firmware's.
//!
//! | pages | rights |
//! |---|---|
//! | code | read, execute |
//! | constants | read |
//! | stack, data, bss | read, write |
//! | the heap, with the rest of its last page | read, write |
//! | the transcript, the side memory | read, write |
//! | the rest of the mailbox, these tables | read, write, while `reach` lets it |
//! | all else: null, the pages on both sides of the heap, devices, firmware | none |
//!
//! Every address is mapped to itself, in pages of 4 KiB. A table is the type that the page
//! allocator [`kmem`] gives a page to.

#![allow(unsafe_code, reason = "it is the machine's side of a kernel")]

use core::cell::UnsafeCell;
use core::ops::Range;

use harness::mailbox::{HEAP_ADDRESS, MAILBOX_ADDRESS, RAM_ADDRESS, RAM_BYTES};
use harness::subject::Region;
use kmem::{ENTRIES, Table};
use riscv::register::satp;

use crate::layout::{Part, RODATA, STACK, TEXT, WRITABLE};
use crate::memory::Static;
use crate::protection::{PAGE_BYTES, SIDE, TRANSCRIPT};

/// The bits of entries. Leaves are marked as accessed and written already, so that nobody has to.
const VALID: u64 = 1;
const READ: u64 = VALID | 1 << 1 | ACCESSED | DIRTY;
const WRITE: u64 = READ | 1 << 2;
const EXECUTE: u64 = READ | 1 << 3;
const ACCESSED: u64 = 1 << 6;
const DIRTY: u64 = 1 << 7;
/// User mode's, in which nothing runs: only what `reach` says.
const OWN: u64 = WRITE | 1 << 4;

/// What one entry of each level covers.
const PAGE: u64 = PAGE_BYTES as u64;
const MEGAPAGE: u64 = PAGE * ENTRIES as u64;
const GIGAPAGE: u64 = MEGAPAGE * ENTRIES as u64;
/// Tables of pages: one for each 2 MiB of RAM.
const LEAVES: usize = RAM_BYTES.div_ceil(MEGAPAGE) as usize;
const _: () = assert!(LEAVES <= ENTRIES && RAM_ADDRESS.is_multiple_of(GIGAPAGE));
/// The page before the heap is closed too.
const _: () = assert!(TRANSCRIPT.end() + PAGE_BYTES <= HEAP_ADDRESS as usize);

/// Page-aligned, and in pages of their own: as much the guest's own as the mailbox is. Zero at
/// first, so that they are no data, whose checksum they would change.
#[repr(C, align(4096))]
struct Tables {
    root: Table,
    /// The gibibyte that RAM lies in.
    middle: Table,
    leaves: [Table; LEAVES],
    /// How much is open behind the heap's start.
    heap_bytes: u64,
}

/// Behind all other data, whose pages keep their places in a machine that has no use for these.
#[unsafe(link_section = ".tables.paging")]
static TABLES: Static<Tables> = Static(UnsafeCell::new(Tables {
    root: EMPTY,
    middle: EMPTY,
    leaves: [EMPTY; LEAVES],
    heap_bytes: 0,
}));
const EMPTY: Table = Table {
    entries: [0; ENTRIES],
};

impl Tables {
    /// Gives pages their rights; with 0, none.
    fn map(&mut self, pages: Range<u64>, rights: u64) {
        for page in pages.step_by(PAGE_BYTES) {
            let leaf = &mut self.leaves[((page - RAM_ADDRESS) / MEGAPAGE) as usize];
            leaf.entries[(page / PAGE) as usize % ENTRIES] = match rights {
                0 => 0,
                _ => entry(page, rights),
            };
        }
    }

    /// Leads from the root to the leaves.
    fn link(&mut self) {
        self.root.entries[(RAM_ADDRESS / GIGAPAGE) as usize] = entry(address(&self.middle), VALID);
        for (slot, leaf) in self.middle.entries.iter_mut().zip(&self.leaves) {
            *slot = entry(address(leaf), VALID);
        }
    }
}

/// An entry for what lies at a page's address.
const fn entry(page: u64, bits: u64) -> u64 {
    (page / PAGE) << 10 | bits
}

fn address<T>(table: &T) -> u64 {
    (&raw const *table).addr() as u64
}

const fn pages(part: Part) -> Range<u64> {
    part.start as u64..part.end() as u64
}

/// Maps all there is, with a heap of 0 bytes.
pub fn protect() {
    // SAFETY: there is one hart, and no reference that `open_heap` makes outlives it.
    let tables = unsafe { &mut *TABLES.0.get() };
    tables.map(pages(TEXT), EXECUTE);
    tables.map(pages(RODATA), READ);
    tables.map(pages(STACK), WRITE);
    tables.map(pages(WRITABLE), WRITE);
    let own = address(tables);
    tables.map(own..own + size_of::<Tables>() as u64, OWN);
    tables.map(MAILBOX_ADDRESS..TRANSCRIPT.start as u64, OWN);
    tables.map(pages(TRANSCRIPT), WRITE);
    tables.map(pages(SIDE), WRITE);
    tables.link();
    riscv::asm::sfence_vma_all();
    let root = (own / PAGE) as usize;
    // SAFETY: all that the guest uses is mapped to itself, with the rights that it uses it with.
    unsafe { satp::set(satp::Mode::Sv39, 0, root) };
}

/// Lets a subject reach a heap and its slack, which end with a page, and nothing behind it.
pub fn open_heap(heap: Region) {
    // SAFETY: there is one hart, and no other reference to the tables is in use.
    let tables = unsafe { &mut *TABLES.0.get() };
    let bytes = (heap.bytes + heap.slack) as u64;
    if tables.heap_bytes == bytes {
        return;
    }
    let (before, end) = (HEAP_ADDRESS + tables.heap_bytes, HEAP_ADDRESS + bytes);
    tables.map(before..end, WRITE);
    tables.map(end..before, 0);
    tables.heap_bytes = bytes;
    riscv::asm::sfence_vma_all();
}
