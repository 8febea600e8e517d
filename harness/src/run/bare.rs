//! The calls of a trace and nothing else: what a judged run is measured against.
//!
//! No block is filled, nothing is observed, and the heap is as the last run left it. Misuse and
//! checkpoints are left out.

#![allow(unsafe_code, reason = "it makes a trace's calls on a subject")]

use core::alloc::Layout;

use crate::run::heap::request;
use crate::subject::Region;
use crate::subject::entry::{AnySubject, Entry};
use crate::trace::op::{Handle, Op};

/// What an alloc was answered: null where there is no block, or no more.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    address: *mut u8,
    layout: Layout,
}

impl Block {
    /// None.
    pub const NONE: Self = Self {
        address: core::ptr::null_mut(),
        layout: Layout::new::<u64>(),
    };
}

/// Makes the calls of `ops` on a fresh subject over `region`. `blocks` is memory for as many blocks
/// as there are allocs.
///
/// # Panics
/// If `blocks` is shorter.
///
/// # Safety
/// As for [`crate::run::execute::execute`], but that the region need not be prepared for a subject
/// that does not ask for zeroes.
pub unsafe fn run(entry: &Entry, ops: &[Op], region: Region, blocks: &mut [Block]) {
    let mut work = |subject: &mut dyn AnySubject| {
        let mut issued = 0;
        for op in ops {
            step(entry, op, subject, blocks, &mut issued);
        }
    };
    // SAFETY: exactly the caller's promise.
    unsafe { entry.with_fresh(region, &mut work) };
}

fn step(
    entry: &Entry,
    op: &Op,
    subject: &mut dyn AnySubject,
    blocks: &mut [Block],
    issued: &mut usize,
) {
    match *op {
        Op::Alloc {
            size,
            align,
            zeroed,
        } => {
            blocks[*issued] = Block::NONE;
            if let Some(request) = request(&entry.declaration, size, align, zeroed)
                && let Ok(layout) =
                    Layout::from_size_align(request.size, request.align.unwrap_or(8))
            {
                // SAFETY: `request` answers only with requests inside the declaration.
                let address = unsafe { subject.alloc(request) };
                blocks[*issued] = Block { address, layout };
            }
            *issued += 1;
        }
        Op::Realloc {
            handle: Handle(handle),
            size,
        } => {
            let Block { address, layout } = blocks[handle as usize];
            let new = Layout::from_size_align(size as usize, layout.align());
            if let (false, true, Ok(new)) = (address.is_null(), size > 0, new) {
                // SAFETY: the block is live, was granted for `layout`, and `new` is valid.
                let moved = unsafe { subject.realloc(address, layout, new.size()) };
                if !moved.is_null() {
                    blocks[handle as usize] = Block {
                        address: moved,
                        layout: new,
                    };
                }
            }
        }
        Op::Free {
            handle: Handle(handle),
        } => free(&mut blocks[handle as usize], subject),
        Op::FreeAll => blocks[..*issued]
            .iter_mut()
            .for_each(|block| free(block, subject)),
        _ => {}
    }
}

fn free(block: &mut Block, subject: &mut dyn AnySubject) {
    let Block { address, layout } = *block;
    if !address.is_null() {
        *block = Block::NONE;
        // SAFETY: the block was live until the line above, and was granted for this layout.
        unsafe { subject.free(address, layout) };
    }
}
