//! A heap that writes down each call while it has the lock, so that the records are in the order in
//! which the calls were really made.

#![allow(unsafe_code, reason = "it calls a heap")]

use kmem::{FreeError, Heap, Kmem};

use crate::mailbox;
use crate::record::{Event, NONE, Record};
use crate::timer::context;

/// [`Kmem`], and the number of the next call.
pub struct Recorded {
    heap: Kmem,
    /// Read before a call and written after it: two harts in here at once get the same number.
    next: u64,
}

impl Recorded {
    /// Around a fresh heap.
    pub fn new(heap: Kmem) -> Self {
        Self { heap, next: 0 }
    }

    fn record<R>(&mut self, call: impl FnOnce(&mut Kmem) -> (R, Event)) -> R {
        // SAFETY: a field, read as it is: the compiler must not put this off until the call was
        // made.
        let order = unsafe { (&raw const self.next).read_volatile() };
        let (result, event) = call(&mut self.heap);
        let log = &mailbox().logs[context()];
        assert!(log.push(Record { order, event }), "the log is full");
        // SAFETY: as above.
        unsafe { (&raw mut self.next).write_volatile(order + 1) };
        result
    }

    fn offset(heap: &Kmem, block: *mut u8) -> u64 {
        match block.is_null() {
            true => NONE,
            false => block.addr().wrapping_sub(heap.get_head().addr()) as u64,
        }
    }
}

// SAFETY: as for `Kmem`, which does it all.
unsafe impl Heap for Recorded {
    fn place(&mut self, size: usize, align: usize) -> *mut u8 {
        self.record(|heap| {
            let block = Heap::place(heap, size, align);
            let event = Event::Place {
                size: size as u64,
                align: align.trailing_zeros() as u8,
                at: Self::offset(heap, block),
            };
            (block, event)
        })
    }

    fn resize(&mut self, ptr: *mut u8, new_size: usize) -> Result<bool, FreeError> {
        self.record(|heap| {
            let done = Heap::resize(heap, ptr, new_size);
            let event = Event::Resize {
                at: Self::offset(heap, ptr),
                size: new_size as u64,
                done: done == Ok(true),
            };
            (done, event)
        })
    }

    unsafe fn free(&mut self, ptr: *mut u8) -> Result<(), FreeError> {
        self.record(|heap| {
            // SAFETY: the same contract.
            let freed = unsafe { Heap::free(heap, ptr) };
            let event = Event::Free {
                at: Self::offset(heap, ptr),
                done: freed.is_ok(),
            };
            (freed, event)
        })
    }
}
