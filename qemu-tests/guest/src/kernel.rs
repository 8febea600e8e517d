//! What the kernels in `bin` have in common: memory for the page allocator, and how a panic ends.

#![allow(unsafe_code, reason = "a kernel hands its memory to its heap")]

pub mod virt;

use core::cell::UnsafeCell;
use core::panic::PanicInfo;

use harness::geometry::PAGE_BYTES;
use kmem::global;
use virt::{leave, say};

/// The heap's 64 pages, the page table's one, and one for the page allocator's descriptors.
const MEMORY_BYTES: usize = 66 * PAGE_BYTES as usize;

#[repr(align(4096))]
struct Memory(UnsafeCell<[u8; MEMORY_BYTES]>);

// SAFETY: `init` alone refers to it, once, and gives it to the page allocator for good.
unsafe impl Sync for Memory {}

static MEMORY: Memory = Memory(UnsafeCell::new([0; MEMORY_BYTES]));

/// Makes the heap. Nothing can be allocated before.
///
/// # Safety
/// Called once, by the only hart, without interrupt handlers.
pub unsafe fn init() {
    // SAFETY: exactly the caller's promise; the memory is nobody else's.
    unsafe {
        global::page::init(MEMORY.0.get().cast(), MEMORY_BYTES);
        global::init();
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    say(format_args!("kernel: {info}"));
    leave(1)
}
