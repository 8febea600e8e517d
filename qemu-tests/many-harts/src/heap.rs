//! The heaps that the image can boot with: the one that is shipped, and two with a planted defect.

#![allow(unsafe_code, reason = "it hands memory to a heap")]

use core::alloc::GlobalAlloc;
use core::cell::UnsafeCell;
use core::sync::atomic::Ordering::Acquire;

use kmem::{Hart, Kmem, Machine, SharedHeap};
use lock_api::{GuardNoSend, RawMutex};

use crate::mailbox;
use crate::record::{Build, HEAP_BYTES};
use crate::recorded::Recorded;
use crate::timer::nap;

static SHIPPED: SharedHeap<Recorded, Napping> = SharedHeap::new();
static LOCK_NOT_TAKEN: SharedHeap<Recorded, Napping, NotTaken> = SharedHeap::new();
static INTERRUPTS_NOT_MASKED: SharedHeap<Recorded, NotMasked> = SharedHeap::new();

/// Masks as is shipped; how a hart waits is the kernel's own.
struct Napping;

// SAFETY: `Machine` does what is promised.
unsafe impl Hart for Napping {
    fn mask() -> bool {
        Machine::mask()
    }

    unsafe fn unmask() {
        // SAFETY: the same contract.
        unsafe { Machine::unmask() };
    }

    fn wait() {
        nap();
    }
}

/// A hart whose interrupts come while it has the lock.
struct NotMasked;

// SAFETY: none; that interrupts are not masked is the defect that is planted here.
unsafe impl Hart for NotMasked {
    fn mask() -> bool {
        false
    }

    unsafe fn unmask() {}

    fn wait() {
        nap();
    }
}

/// A lock that keeps nobody out.
struct NotTaken;

// SAFETY: none; that it excludes nobody is the defect that is planted here.
unsafe impl RawMutex for NotTaken {
    const INIT: Self = Self;
    type GuardMarker = GuardNoSend;

    fn lock(&self) {}

    fn try_lock(&self) -> bool {
        true
    }

    unsafe fn unlock(&self) {}
}

const SIDE_BYTES: usize = Kmem::side_bytes(HEAP_BYTES);

#[repr(align(4096))]
struct Memory<const BYTES: usize>(UnsafeCell<[u8; BYTES]>);

// SAFETY: `init` alone refers to it, once, and gives it to the heap for good.
unsafe impl<const BYTES: usize> Sync for Memory<BYTES> {}

static MEMORY: Memory<HEAP_BYTES> = Memory(UnsafeCell::new([0; HEAP_BYTES]));
static SIDE: Memory<SIDE_BYTES> = Memory(UnsafeCell::new([0; SIDE_BYTES]));

fn build() -> Build {
    let wanted = mailbox().go.load(Acquire);
    let build = Build::ALL.into_iter().find(|&build| build as u64 == wanted);
    build.expect("the host names a kernel")
}

/// Gives the chosen heap its memory. For the first hart, before the others wake.
pub fn init() {
    // SAFETY: the statics are page-aligned, large enough, and nobody else's.
    let heap = unsafe { Kmem::new(MEMORY.0.get().cast(), HEAP_BYTES, SIDE.0.get().cast()) };
    let heap = Recorded::new(heap);
    match build() {
        Build::Shipped => SHIPPED.init(heap),
        Build::LockNotTaken => LOCK_NOT_TAKEN.init(heap),
        Build::InterruptsNotMasked => INTERRUPTS_NOT_MASKED.init(heap),
    }
}

/// Where offsets are counted from.
pub fn start() -> usize {
    MEMORY.0.get().addr()
}

/// The heap that the host chose.
pub fn chosen() -> &'static dyn GlobalAlloc {
    match build() {
        Build::Shipped => &SHIPPED,
        Build::LockNotTaken => &LOCK_NOT_TAKEN,
        Build::InterruptsNotMasked => &INTERRUPTS_NOT_MASKED,
    }
}
