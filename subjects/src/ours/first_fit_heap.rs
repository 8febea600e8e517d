//! `kmem`, plain or hardened, over a heap that does not grow.

use core::alloc::Layout;
use core::fmt;
use core::ops::{ControlFlow, Range};
use core::ptr::null_mut;

use harness::declaration::{Declaration, Misuse, Overhead, Policy};
use harness::ground::DIRT;
use harness::subject::{Chunk, Freed, Region, Subject};

use super::allocators::{FirstFit, Hardening, POISON, Variant};
use crate::ours::kernel_heap::{self, calls, refusing_calls};

/// What `kmem` declares.
const fn first_fit(name: &'static str) -> Declaration {
    kernel_heap::declaration(name)
        .overhead(Overhead {
            chunk_min: 16,
            ..kernel_heap::OVERHEAD
        })
        .policy(Policy::FirstFit)
        .misuse(Misuse::Refuses)
}

/// What its hardened variants declare. They are a family of their own, since what clients do to
/// them may end otherwise.
const fn hardened(name: &'static str) -> Declaration {
    first_fit(name).family("hardened-heap").panics_on_damage()
}

// What is free looks as at the start of a run: the harness fills again what blocks have touched, no
// more.
const _: () = assert!(POISON == DIRT);

/// `kmem`, or a hardened variant of it.
pub struct FirstFitHeap<V: Variant = Hardening<false, false>> {
    heap: FirstFit<V>,
    region: Region,
}

impl<V: Variant> Subject for FirstFitHeap<V> {
    const DECLARATION: Declaration = match (V::SEALS, V::POISONS) {
        (false, false) => first_fit("kmem"),
        (true, false) => hardened("kmem-sealed"),
        (false, true) => hardened("kmem-poisoned"),
        (true, true) => hardened("kmem-hardened"),
    };
    const TABLE_IS_STATE: bool = true;

    fn side_bytes(heap_bytes: usize) -> usize {
        FirstFit::<V>::side_bytes(heap_bytes)
    }

    unsafe fn new(region: Region) -> Self {
        // SAFETY: the caller vouches for the region and for as much side memory as is used; the
        // geometry is a multiple of 8 and >= 16.
        let heap = unsafe { FirstFit::new(region.start, region.bytes, region.side) };
        Self { heap, region }
    }

    calls!();
    refusing_calls!();
}
