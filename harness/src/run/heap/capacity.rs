//! The largest request that an empty heap grants.

use core::alloc::Layout;

use super::{Heap, layout, request};
use crate::observation::Outcome;
use crate::trace::op::Align;

impl Heap<'_> {
    /// Asks an empty heap for `fresh` bytes, the largest request it once granted; only if that is
    /// refused, searches for the largest it grants now.
    pub fn capacity(&mut self, fresh: u64) -> Outcome {
        if self.live > 0 {
            return Outcome::NotExpressible;
        }
        Outcome::Capacity(if self.grants(fresh) {
            fresh
        } else {
            self.largest(fresh)
        })
    }

    /// The largest request up to `limit` bytes that is granted; tried blocks are freed at once.
    fn largest(&mut self, limit: u64) -> u64 {
        let (mut granted, mut refused) = (0, limit);
        while granted + 1 < refused {
            let middle = granted + (refused - granted) / 2;
            if self.grants(middle) {
                granted = middle
            } else {
                refused = middle
            }
        }
        granted
    }

    /// Whether `size` bytes are granted now.
    fn grants(&mut self, size: u64) -> bool {
        let Some(request) = request(self.declaration, size, None, false) else {
            return false;
        };
        // SAFETY: `request` answers only with requests inside the declaration.
        let block = unsafe { self.called().alloc(request) };
        if block.is_null() {
            return false;
        }
        // What lies between is not filled; the headers at both ends were written.
        let from = block.addr().wrapping_sub(self.region.start.addr());
        let end = from.saturating_add(request.size);
        self.ground.mark(from, from);
        self.ground.mark(end, end);
        let layout = layout(size, Align::DEFAULT).unwrap_or(Layout::new::<u64>());
        // SAFETY: the block was granted above for this layout, and nothing was called since.
        unsafe { self.called().free(block, layout) };
        true
    }
}
