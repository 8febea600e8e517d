//! The page that holds an MMU table.

use crate::align::PAGE_SIZE;

/// Entries of a table: Sv39 indexes each level with 9 bits.
pub const ENTRIES: usize = 512;

/// One page of page table entries. The global `init` allocates one; nothing here walks it.
#[derive(Clone, Debug)]
#[repr(C)]
pub struct Table {
    /// The entries, 0 being "not valid".
    pub entries: [u64; ENTRIES],
}

const _: () = assert!(size_of::<Table>() == PAGE_SIZE);
