//! `bump-scope`: an arena over a source of chunks, reset as soon as it is empty.

use std::alloc::Layout;
use std::cell::Cell;
use std::process::ExitCode;
use std::ptr::{NonNull, null_mut};
use std::rc::Rc;

use bump_scope::alloc::{AllocError, Allocator as Arena};
use bump_scope::{Bump, Checkpoint};
use harness::declaration::{Declaration, Reuse};
use harness::entry::Entry;
use harness::subject::{Freed, Region, Subject};

const NAME: &str = env!("CARGO_PKG_NAME");

/// The region as a source of chunks: what is left of it, from its start on.
#[derive(Clone)]
struct Source(Rc<Cell<(usize, Region)>>);

// SAFETY: what is granted lies in the region, aligned, and is granted once: it is never taken back.
unsafe impl Arena for Source {
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let (used, region) = self.0.get();
        let offset = used.next_multiple_of(layout.align());
        let left = region.bytes.checked_sub(offset).ok_or(AllocError)?;
        if layout.size() > left {
            return Err(AllocError);
        }
        self.0.set((offset + layout.size(), region));
        let start = NonNull::new(region.start.wrapping_add(offset)).ok_or(AllocError)?;
        Ok(NonNull::slice_from_raw_parts(start, layout.size()))
    }

    unsafe fn deallocate(&self, _: NonNull<u8>, _: Layout) {}
}

pub struct Allocator {
    arena: Bump<Source>,
    empty: Checkpoint,
    live: usize,
}

impl Subject for Allocator {
    const DECLARATION: Declaration = Declaration::new(NAME)
        .region_at_least(2048)
        // What an arena keeps when it is reset depends on what was asked of it.
        .reuse(Reuse::Never);

    unsafe fn new(region: Region) -> Self {
        let source = Source(Rc::new(Cell::new((0, region))));
        let arena = Bump::try_with_size_in(512, source).expect("the region holds a chunk");
        let empty = arena.checkpoint();
        Self {
            arena,
            empty,
            live: 0,
        }
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        let granted = (&self.arena).allocate(layout);
        self.live += usize::from(granted.is_ok());
        granted.map_or(null_mut(), |block| block.as_ptr().cast())
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        if let Some(block) = NonNull::new(block) {
            // SAFETY: exactly the caller's promise.
            unsafe { (&self.arena).deallocate(block, layout) };
            self.live -= 1;
        }
        if self.live == 0 {
            // SAFETY: no block that was granted after the checkpoint is live.
            unsafe { self.arena.reset_to(self.empty) };
        }
        Freed::Done
    }
}

static SUBJECTS: [Entry; 1] = [Entry::of::<Allocator>()];

fn main() -> ExitCode {
    kmem_rig::cli::main(&SUBJECTS)
}
