//! The guest's RAM, as far as the rig touches it: the mailbox, and the heap before a run.

use harness::geometry::Geometry;
use harness::mailbox::{HEAP_ADDRESS, MAILBOX_ADDRESS, Mailbox, RAM_ADDRESS, RAM_BYTES};
use harness::subject::Region;
use qemu_exec::SharedMemory;

const _: () = assert!(RAM_ADDRESS == qemu_exec::RAM_BASE);
const OUTSIDE: &str = "the machine was started with RAM_BYTES of ram, which hold all of it";
const _: () = assert!(MAILBOX_ADDRESS + (size_of::<Mailbox>() as u64) < RAM_ADDRESS + RAM_BYTES);

/// The mailbox, in a machine of [`RAM_BYTES`].
pub fn mailbox(memory: &SharedMemory) -> &Mailbox {
    let mailbox = memory
        .at(MAILBOX_ADDRESS, size_of::<Mailbox>())
        .expect(OUTSIDE)
        .cast();
    // SAFETY: `at` vouches for the bytes, which stay mapped as long as `memory` is borrowed; the
    // mapping is page-aligned and so is the address. A mailbox is atomics throughout: all bit
    // patterns are valid, and the guest may write at any time.
    unsafe { mailbox.as_ref() }
}

/// Gives the heap the bytes that every run starts from.
///
/// # Panics
/// If a request is under way.
pub fn prepare_heap(memory: &SharedMemory, geometry: Geometry, zeroed: bool) {
    assert!(
        mailbox(memory).replied(),
        "the guest is still using the heap"
    );
    let bytes = geometry.bytes() as usize;
    let start = memory.at(HEAP_ADDRESS, bytes).expect(OUTSIDE).as_ptr();
    let region = Region {
        start,
        bytes,
        slack: 0,
    };
    // SAFETY: `at` vouches for the bytes. The guest touches them only between a request and its
    // reply, and the last request was replied to by the assertion above.
    unsafe { region.prepare(zeroed) };
}
