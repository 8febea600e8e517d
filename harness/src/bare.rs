//! The calls of a trace and nothing else: what a judged run is measured against.
//!
//! No block is filled, nothing is observed, and the heap is as the last run left it. Misuse and
//! checkpoints are left out.

use core::alloc::Layout;

use crate::entry::{AnySubject, Entry};
use crate::heap::request;
use crate::op::{Handle, Op};
use crate::subject::Region;
use crate::trace::OPS_MAX;

/// Blocks by handle; null where there is none.
type Block = (*mut u8, Layout);

/// Memory for the blocks of a run.
pub struct Blocks {
    blocks: [Block; OPS_MAX],
    issued: usize,
}

impl Default for Blocks {
    fn default() -> Self {
        Self {
            blocks: [(core::ptr::null_mut(), Layout::new::<u64>()); OPS_MAX],
            issued: 0,
        }
    }
}

/// Makes the calls of `ops` on a fresh subject over `region`.
///
/// # Safety
/// As for [`crate::execute::execute`], but that the region need not be prepared for a subject that
/// does not ask for zeroes.
pub unsafe fn run(entry: &Entry, ops: &[Op], region: Region, blocks: &mut Blocks) {
    blocks.issued = 0;
    let mut work = |subject: &mut dyn AnySubject| {
        for op in ops {
            step(entry, op, subject, blocks);
        }
    };
    // SAFETY: exactly the caller's promise.
    unsafe { entry.with_fresh(region, &mut work) };
}

fn step(entry: &Entry, op: &Op, subject: &mut dyn AnySubject, blocks: &mut Blocks) {
    match *op {
        Op::Alloc {
            size,
            align,
            zeroed,
        } => {
            let mut block = (core::ptr::null_mut(), Layout::new::<u64>());
            if let Some(request) = request(&entry.declaration, size, align, zeroed) {
                let align = request.align.unwrap_or(8);
                if let Ok(layout) = Layout::from_size_align(request.size, align) {
                    // SAFETY: `request` answers only with requests inside the declaration.
                    block = (unsafe { subject.alloc(request) }, layout);
                }
            }
            blocks.blocks[blocks.issued] = block;
            blocks.issued += 1;
        }
        Op::Realloc {
            handle: Handle(handle),
            size,
        } => {
            let (block, layout) = blocks.blocks[handle as usize];
            let new = Layout::from_size_align(size as usize, layout.align());
            if let (false, true, Ok(new)) = (block.is_null(), size > 0, new) {
                // SAFETY: the block is live, was granted for `layout`, and `new` is valid.
                let moved = unsafe { subject.realloc(block, layout, new.size()) };
                if !moved.is_null() {
                    blocks.blocks[handle as usize] = (moved, new);
                }
            }
        }
        Op::Free {
            handle: Handle(handle),
        } => free(handle as usize, subject, blocks),
        Op::FreeAll => (0..blocks.issued).for_each(|handle| free(handle, subject, blocks)),
        _ => {}
    }
}

fn free(handle: usize, subject: &mut dyn AnySubject, blocks: &mut Blocks) {
    let (block, layout) = blocks.blocks[handle];
    if !block.is_null() {
        blocks.blocks[handle].0 = core::ptr::null_mut();
        // SAFETY: the block was live until the line above, and was granted for this layout.
        unsafe { subject.free(block, layout) };
    }
}
