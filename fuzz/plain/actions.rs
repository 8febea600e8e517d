//! What the yardstick does with an input, whatever the allocator: its calls on a new heap, and
//! every block filled. Nothing is judged: what AddressSanitizer or a panic shows is all there is to
//! see.

#![allow(unsafe_code, reason = "it calls an allocator")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};

use arbitrary::Arbitrary;
use harness::geometry::Geometry;
use harness::subject::{Region, Subject};

const HEAP_BYTES: usize = 256 << 10;
/// More than any block is aligned to.
const HEAP_ALIGN: usize = 4096;

#[derive(Arbitrary, Debug)]
pub enum Action {
    Alloc { size: u16, align: u8 },
    Dealloc { index: u8 },
    Realloc { index: u8, size: u16 },
}

/// Runs the actions on a new heap; returns how many the allocator was called for.
pub fn run<S: Subject>(actions: &[Action]) -> u64 {
    let mut calls = 0;
    let mut blocks: Vec<(*mut u8, Layout)> = Vec::new();
    // Dropped after the heap, since it was made before.
    let memory = Memory::new();
    // SAFETY: the memory is the heap's alone, and outlives it.
    let mut heap = unsafe { S::new(memory.region()) };
    for action in actions {
        match *action {
            Action::Alloc { size, align } => {
                let layout = layout::<S>(size, 1 << (align % 8));
                // SAFETY: the layout is within the declaration, and not of size 0.
                let block = unsafe { heap.alloc(layout) };
                calls += 1;
                if !block.is_null() {
                    // SAFETY: the block was granted with this size.
                    unsafe { block.write_bytes(0xa5, layout.size()) };
                    blocks.push((block, layout));
                }
            }
            Action::Dealloc { index } if !blocks.is_empty() => {
                let (block, layout) = blocks.swap_remove(usize::from(index) % blocks.len());
                // SAFETY: the block is live, and forgotten from here on.
                unsafe { heap.free(block, layout) };
                calls += 1;
            }
            Action::Realloc { index, size } if !blocks.is_empty() => {
                let at = usize::from(index) % blocks.len();
                let (block, old) = blocks[at];
                let new = layout::<S>(size, old.align());
                // SAFETY: the block is live and has the old layout; the new size is not 0.
                let block = unsafe { heap.realloc(block, old, new.size()) };
                calls += 1;
                if !block.is_null() {
                    // SAFETY: the block was granted with this size.
                    unsafe { block.write_bytes(0x5a, new.size()) };
                    blocks[at] = (block, new);
                }
            }
            Action::Dealloc { .. } | Action::Realloc { .. } => {}
        }
    }
    calls
}

/// A layout that may be asked for: not of size 0, and aligned to no more than is declared.
fn layout<S: Subject>(size: u16, align: usize) -> Layout {
    let align = align.min(S::DECLARATION.align_max as usize);
    Layout::from_size_align(size.max(1).into(), align).expect("a layout")
}

/// A heap's memory and its side memory, each between AddressSanitizer's red zones.
struct Memory {
    heap: *mut u8,
    side: *mut u8,
}

const HEAP: Layout = layout_of(HEAP_BYTES);
const SIDE: Layout = match Geometry::from_bytes(HEAP_BYTES as u64) {
    Some(geometry) => layout_of(geometry.side_bytes() as usize),
    None => panic!("a geometry"),
};

const fn layout_of(bytes: usize) -> Layout {
    match Layout::from_size_align(bytes, HEAP_ALIGN) {
        Ok(layout) => layout,
        Err(_) => panic!("a layout"),
    }
}

impl Memory {
    fn new() -> Self {
        let [heap, side] = [HEAP, SIDE].map(|layout| {
            // SAFETY: the size is not 0.
            let start = unsafe { alloc(layout) };
            if start.is_null() {
                handle_alloc_error(layout);
            }
            start
        });
        Self { heap, side }
    }

    const fn region(&self) -> Region {
        Region {
            start: self.heap,
            bytes: HEAP_BYTES,
            slack: 0,
            growth: harness::geometry::Growth::NONE,
            side: self.side,
        }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        for (start, layout) in [(self.heap, HEAP), (self.side, SIDE)] {
            // SAFETY: `new` allocated it with this layout.
            unsafe { dealloc(start, layout) };
        }
    }
}
