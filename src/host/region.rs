//! Heaps on the host: memory with no-access pages before and behind it, and side memory beside it.

use std::io;
use std::ptr::{NonNull, null_mut};

use harness::geometry::{Geometry, PAGE_BYTES};
use harness::subject::Region;

/// A mapping that holds one heap, at the alignment the guest's heap has.
pub struct HostRegion {
    mapping: NonNull<u8>,
    mapping_bytes: usize,
    region: Region,
}

// SAFETY: the mapping belongs to this value alone, and nothing in it is bound to a thread.
unsafe impl Send for HostRegion {}

impl HostRegion {
    /// Maps a heap of this geometry. Address space is reserved for an aligned heap with a guard of
    /// the alignment's size on each side, and for side memory with another guard behind it; only the
    /// pages of heap and side memory can be accessed.
    ///
    /// # Errors
    /// The kernel's, when it grants no memory.
    pub fn new(geometry: Geometry) -> io::Result<Self> {
        let align = geometry.region_align() as usize;
        let heap_bytes = geometry.bytes() as usize;
        let open_bytes = heap_bytes.next_multiple_of(PAGE_BYTES as usize);
        let side_bytes = (geometry.side_bytes() as usize).next_multiple_of(PAGE_BYTES as usize);
        let mapping_bytes = align + align + open_bytes + align + side_bytes + align;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new anonymous mapping at an address of the kernel's choice touches nothing.
        let mapped =
            unsafe { libc::mmap(null_mut(), mapping_bytes, libc::PROT_NONE, flags, -1, 0) };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let mapping = NonNull::new(mapped.cast::<u8>()).ok_or_else(io::Error::last_os_error)?;
        let start = mapping.as_ptr().wrapping_add(align);
        let start = start.wrapping_add(start.align_offset(align));
        // Whole pages, since the alignment and the open bytes are.
        let region = Region {
            start,
            bytes: heap_bytes,
            slack: open_bytes - heap_bytes,
            growth: geometry.growth(),
            side: start.wrapping_add(open_bytes + align),
        };
        let host_region = Self {
            mapping,
            mapping_bytes,
            region,
        };
        let access = libc::PROT_READ | libc::PROT_WRITE;
        for (start, bytes) in [(start, open_bytes), (region.side, side_bytes)] {
            // SAFETY: the pages lie inside the mapping made above: it starts at most 2 * align before the
            // heap, and ends at least `align` behind the side memory.
            if unsafe { libc::mprotect(start.cast(), bytes, access) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(host_region)
    }

    /// The heap's memory.
    #[must_use]
    pub const fn region(&self) -> Region {
        self.region
    }
}

impl Drop for HostRegion {
    fn drop(&mut self) {
        // SAFETY: the mapping was made in `new` with this length and is unmapped only here.
        unsafe { libc::munmap(self.mapping.as_ptr().cast(), self.mapping_bytes) };
    }
}
