//! The guest's RAM, as far as the rig touches it: the mailbox.

use harness::mailbox::{MAILBOX_ADDRESS, Mailbox, RAM_ADDRESS, RAM_BYTES};
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
