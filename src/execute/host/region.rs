//! Heaps on the host: memory with no-access pages before and behind it, and side memory beside it.
//!
//! Each lies in a numbered slot of address space, so that what depends on addresses in a broken
//! allocator, and what a wild pointer of its meets, is the same in every process:
//!
//! ```text
//! FIRST         FIRST + SLOT_BYTES                                            LAST_END
//! | slot 0      | slot 1                                              | ...   |
//! |             | no access | heap | no access | side | no access     |       |
//!               0           HEAP_AT                                   SLOT_BYTES
//! ```
//!
//! On processors other than x86-64, whose address spaces differ, a slot is where the kernel puts
//! it.

use std::ffi::c_void;
use std::io;
use std::ptr::{NonNull, null_mut};
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::{AcqRel, Release};

use harness::geometry::{Geometry, PAGE_BYTES};
use harness::subject::Region;

/// Where a heap starts in its slot: the largest alignment, and the least that lies before it.
const HEAP_AT: usize = 32 << 20;
const _: () = assert!(HEAP_AT as u64 == Geometry::largest().region_align());
/// Room for the largest heap and its side memory, with as much as [`HEAP_AT`] on all their sides.
/// Wild offsets are often powers of two, so that no two heaps are a power of two apart.
const SLOT_BYTES: usize = 15 * HEAP_AT;
const _: () = assert!(HEAP_AT * 6 + Geometry::BYTES_MAX as usize / 20 <= SLOT_BYTES);
/// As many as the kernel keeps apart in one process, by its default of 65,530 mappings.
const SLOTS: usize = 1 << 14;
/// The first slot: behind AddressSanitizer's shadow (up to 0x1000_7fff_8000).
const FIRST: usize = 0x2000_0000_0000;
/// Before anything that the kernel or AddressSanitizer puts somewhere by itself: libraries without
/// a limit to the stack (from 0x2aaa_aaaa_a000 on), AddressSanitizer's heap (0x5000_0000_0000),
/// programs (0x5555_5555_4000), libraries and stacks (down from 0x7fff_ffff_f000).
const LAST_END: usize = FIRST + SLOTS * SLOT_BYTES;
const _: () = assert!(FIRST.is_multiple_of(HEAP_AT) && LAST_END <= 0x2aaa_aaaa_a000);

/// Whether a slot is some heap's. No lock guards this: a process may fork at any time.
static TAKEN: [AtomicBool; SLOTS] = [const { AtomicBool::new(false) }; SLOTS];

/// A slot, in which one heap at a time lies, at the alignment the guest's heap has.
pub struct HostRegion {
    number: usize,
    slot: NonNull<u8>,
    geometry: Geometry,
    /// Set iff the heap's pages can be accessed, and no others.
    is_open: bool,
}

// SAFETY: the slot belongs to this value alone, and nothing in it is bound to a thread.
unsafe impl Send for HostRegion {}

impl HostRegion {
    /// Maps a heap of this geometry, in the first slot that is free.
    ///
    /// # Errors
    /// The kernel's, when it grants no memory, or when no slot is free.
    pub fn new(geometry: Geometry) -> io::Result<Self> {
        Self::behind(0, geometry)
    }

    /// As [`Self::new`], in a slot from this one on.
    fn behind(first: usize, geometry: Geometry) -> io::Result<Self> {
        for (number, taken) in TAKEN.iter().enumerate().skip(first) {
            if taken.swap(true, AcqRel) {
                continue;
            }
            match reserve(number) {
                Ok(slot) => {
                    let mut mapped = Self {
                        number,
                        slot,
                        geometry,
                        is_open: false,
                    };
                    return mapped.open(geometry).map(|_| mapped);
                }
                // Something else lies there, so the slot stays taken.
                Err(error) if error.raw_os_error() == Some(libc::EEXIST) => {}
                Err(error) => {
                    taken.store(false, Release);
                    return Err(error);
                }
            }
        }
        Err(io::Error::other(format!(
            "each of the {SLOTS} places for heaps at {FIRST:#x} is taken"
        )))
    }

    /// Maps a heap of this geometry in place of the one before, whose memory goes. Only the pages
    /// of heap and side memory can be accessed.
    ///
    /// # Errors
    /// The kernel's, when it grants no memory.
    pub fn open(&mut self, geometry: Geometry) -> io::Result<Region> {
        if self.is_open && self.geometry == geometry {
            return Ok(self.region());
        }
        self.is_open = false;
        self.geometry = geometry;
        // SAFETY: the slot is this value's, and whoever was given the memory of the heap before
        // keeps it no longer than until this call.
        unsafe { map(self.slot.as_ptr().cast(), libc::MAP_FIXED) }?;
        let region = self.region();
        let heap_bytes = region.bytes + region.slack;
        let access = libc::PROT_READ | libc::PROT_WRITE;
        for (start, bytes) in [
            (region.start, heap_bytes),
            (region.side, geometry.side_bytes() as usize),
        ] {
            // SAFETY: whole pages are changed, and lie in the slot by the assertion at
            // `SLOT_BYTES`.
            if unsafe { libc::mprotect(start.cast(), bytes, access) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        self.is_open = true;
        Ok(region)
    }

    /// The heap's memory.
    #[must_use]
    pub fn region(&self) -> Region {
        let bytes = self.geometry.bytes() as usize;
        let open_bytes = bytes.next_multiple_of(PAGE_BYTES as usize);
        let start = self.slot.as_ptr().wrapping_add(HEAP_AT);
        // No bytes to add where slots lie at `FIRST`.
        let start = start.wrapping_add(start.align_offset(HEAP_AT));
        Region {
            start,
            bytes,
            slack: open_bytes - bytes,
            growth: self.geometry.growth(),
            side: start.wrapping_add(open_bytes + HEAP_AT),
        }
    }
}

impl Drop for HostRegion {
    fn drop(&mut self) {
        // SAFETY: the slot was mapped in `reserve` with this length and is unmapped only here.
        unsafe { libc::munmap(self.slot.as_ptr().cast(), SLOT_BYTES) };
        TAKEN[self.number].store(false, Release);
    }
}

/// Maps a slot without access, at its place where slots have one.
fn reserve(number: usize) -> io::Result<NonNull<u8>> {
    let (place, flags) = if cfg!(target_arch = "x86_64") {
        let place = null_mut::<c_void>().with_addr(FIRST + number * SLOT_BYTES);
        (place, libc::MAP_FIXED_NOREPLACE)
    } else {
        (null_mut(), 0)
    };
    // SAFETY: without `MAP_FIXED`, a new mapping touches none that is there.
    let slot = unsafe { map(place, flags) }?;
    if !place.is_null() && slot.as_ptr() != place {
        // Linux before 4.17 does not know the flag, and takes the place for a mere wish.
        // SAFETY: mapped above, and nobody else has heard of it.
        unsafe { libc::munmap(slot.as_ptr(), SLOT_BYTES) };
        return Err(io::Error::from_raw_os_error(libc::EEXIST));
    }
    Ok(slot.cast())
}

/// Maps as many bytes as a slot has, without access.
///
/// # Safety
/// With `MAP_FIXED` among the flags, whatever lies at `place` is the caller's, and in no use.
unsafe fn map(place: *mut c_void, flags: i32) -> io::Result<NonNull<c_void>> {
    let flags = flags | libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
    // SAFETY: exactly the caller's promise.
    let mapped = unsafe { libc::mmap(place, SLOT_BYTES, libc::PROT_NONE, flags, -1, 0) };
    match NonNull::new(mapped) {
        Some(slot) if mapped != libc::MAP_FAILED => Ok(slot),
        _ => Err(io::Error::last_os_error()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(region: &mut HostRegion, bytes: u64) -> usize {
        let geometry = Geometry::from_bytes(bytes).unwrap();
        region.open(geometry).unwrap().start.addr()
    }

    /// Slots that no other test's heaps come near, since each takes the first that is free.
    const APART: usize = SLOTS - 8;
    const PUBLISHED: Geometry = Geometry::published();

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn a_slot_has_one_place_for_heaps_of_every_size() {
        let place = |number: usize| FIRST + number * SLOT_BYTES + HEAP_AT;
        let mut first = HostRegion::behind(APART, PUBLISHED).unwrap();
        let mut second = HostRegion::behind(APART, PUBLISHED).unwrap();
        for bytes in [16, 64 * PAGE_BYTES, Geometry::BYTES_MAX, 24] {
            assert_eq!(start(&mut first, bytes), place(APART));
            assert_eq!(start(&mut second, bytes), place(APART + 1));
        }
        // Free again once the heap is gone.
        drop(first);
        let mut next = HostRegion::behind(APART, PUBLISHED).unwrap();
        assert_eq!(start(&mut next, 16), place(APART));
    }

    #[test]
    fn a_heap_in_place_of_another_holds_nothing_of_it() {
        let mut region = HostRegion::new(PUBLISHED).unwrap();
        for geometry in [PUBLISHED, Geometry::largest(), PUBLISHED] {
            let Region {
                start, bytes, side, ..
            } = region.open(geometry).unwrap();
            for end in [start, start.wrapping_add(bytes - 1), side] {
                // SAFETY: heap and side memory can be accessed, and are nobody else's.
                unsafe {
                    assert_eq!(end.read(), 0);
                    end.write(1);
                }
            }
        }
    }

    #[test]
    #[cfg(target_arch = "x86_64")]
    fn what_lies_in_a_slot_is_passed_over() {
        let (taken, last) = (SLOTS - 2, SLOTS - 1);
        let other = reserve(taken).unwrap();
        let mut region = HostRegion::behind(taken, PUBLISHED).unwrap();
        assert_eq!(start(&mut region, 16), FIRST + last * SLOT_BYTES + HEAP_AT);
        let error = HostRegion::behind(taken, PUBLISHED)
            .err()
            .unwrap()
            .to_string();
        assert_eq!(
            error,
            "each of the 16384 places for heaps at 0x200000000000 is taken"
        );
        // SAFETY: mapped above with this length, and in no use.
        unsafe { libc::munmap(other.as_ptr().cast(), SLOT_BYTES) };
    }
}
