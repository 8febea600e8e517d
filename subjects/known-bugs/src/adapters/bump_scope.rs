//! `bump-scope`: an arena over a source of chunks, reset as soon as it is empty.

mod source;

use std::alloc::Layout;
use std::ptr::{NonNull, null_mut};

use bump_scope::{Bump, Checkpoint, alloc as api};
use harness::declaration::{Declaration, Reuse};
use harness::subject::{Freed, Region, Subject};

use self::api::Allocator as _;
use self::source::Source;

const NAME: &str = env!("CARGO_PKG_NAME");

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
        let arena =
            Bump::try_with_size_in(512, Source::new(region)).expect("the region holds a chunk");
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
