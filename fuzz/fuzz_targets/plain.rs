//! The yardstick: a target as allocator crates usually have one, over `kmem`. Nothing is judged.
//!
//! `kmem-rig bench fuzzing` holds the rig's targets against it. The package in `fuzz/plain` builds it
//! as cargo-fuzz does by default: everything instrumented. Only the tally at the end is not usual.
#![no_main]

use std::alloc::Layout;

use arbitrary::Arbitrary;
use kmem::Kmem;
use libfuzzer_sys::fuzz_target;

#[path = "../../src/fuzz/tally.rs"]
mod tally;

const HEAP_BYTES: usize = 256 << 10;

#[derive(Arbitrary, Debug)]
enum Action {
    Alloc { size: u16, align: u8 },
    Dealloc { index: u8 },
    Realloc { index: u8, size: u16 },
}

fuzz_target!(|actions: Vec<Action>| {
    let mut memory = vec![0_u64; HEAP_BYTES / 8];
    tally::add(run(&actions, &mut memory));
});

/// Runs the actions on a new heap; returns how many the allocator was called for.
fn run(actions: &[Action], memory: &mut [u64]) -> u64 {
    let mut calls = 0;
    let mut blocks: Vec<(*mut u8, Layout)> = Vec::new();
    // SAFETY: the memory is borrowed for longer than the heap lives, and is a multiple of 8.
    let mut heap = unsafe { Kmem::new(memory.as_mut_ptr().cast(), HEAP_BYTES) };
    for action in actions {
        match *action {
            Action::Alloc { size, align } => {
                let layout = Layout::from_size_align(size.into(), 1 << (align % 8)).unwrap();
                // SAFETY: any layout may be asked for.
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
                unsafe { heap.dealloc(block, layout) };
                calls += 1;
            }
            Action::Realloc { index, size } if !blocks.is_empty() => {
                let at = usize::from(index) % blocks.len();
                let (block, layout) = blocks[at];
                let new = Layout::from_size_align(size.into(), layout.align()).unwrap();
                // SAFETY: the block is live and has this layout.
                let block = unsafe { heap.realloc(block, layout, new.size()) };
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
