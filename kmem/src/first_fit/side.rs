//! The side memory: what is known of the chunks beside their headers, so that nobody has to walk.
//!
//! Places are counted in *words* of 8 bytes from the heap's head. 64 words are a *span*, 512 bytes:
//! one bit for each word of it in a `u64`. Two spans are a *stretch*. A *hole* is a free chunk that
//! another chunk follows; the free chunk at the heap's end, if there is one, is the *top*, and no
//! hole.
//!
//! ```text
//! side memory: | top, open, root | taken, holes of each span | crossing of each span | maxima |
//! heap:        | taken | hole | taken | ... | taken | top                          |
//!              head                               |   tail
//! stretches:   |0      |1      |2      | ... |s      |not open ...
//! ```
//!
//! - `top`: where the top starts; the number of words if the last chunk is taken.
//! - `taken`, `holes`: a bit is set iff the header of a taken chunk, of a hole, is that word.
//! - crossing of a span: where the hole starts that began in an earlier span and ends in this one.
//!   It means nothing if there is no such hole, so whoever reads it checks it against the hole it
//!   names.
//! - maxima (`maxima`): the size of the largest hole that starts in each stretch, and in more of
//!   them.
//!
//! All of that but crossings that mean nothing follows from the headers; `audit` says so.
//!
//! Only stretches in which a chunk may ever have started are *open*: in those behind them nobody
//! looks, and what is known of them means nothing. One is made blank when the top moves up into it
//! for the first time. So a heap is made in the same time whatever its size.
//!
//! Nothing here lies in the heap: a client that writes over a header or into a chunk it gave back
//! cannot make a place that holds no chunk look like one.

use core::ops::Range;

use super::maxima::{self, Maxima};
use crate::chunk::HEADER_BYTES;

/// Bytes of a word: of a header, and what chunk sizes are multiples of.
pub(super) const WORD_BYTES: usize = HEADER_BYTES;
/// Words of a span.
pub(super) const SPAN_WORDS: usize = u64::BITS as usize;
/// Spans of a stretch: with one, the tree would be too large for a twentieth of the heap.
pub(super) const STRETCH_SPANS: usize = 2;
/// Words of a stretch.
pub(super) const STRETCH_WORDS: usize = STRETCH_SPANS * SPAN_WORDS;

/// Where chunks start in a span.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub(super) struct Span {
    /// Taken ones.
    pub taken: u64,
    /// Holes.
    pub holes: u64,
}

/// The side memory of one heap. It does not own it.
#[derive(Debug)]
pub(super) struct Side {
    /// Of the heap.
    words: usize,
    top: *mut usize,
    /// How many stretches are open.
    open: *mut usize,
    spans: *mut Span,
    crossings: *mut u32,
    /// Where the large holes are.
    pub maxima: Maxima,
}

/// Bytes of side memory for a heap of so many words, a multiple of 8.
pub(super) const fn bytes(words: usize) -> usize {
    let stretches = words.div_ceil(STRETCH_WORDS);
    let spans = stretches * STRETCH_SPANS;
    let small = spans + maxima::nodes(stretches);
    let bytes = 3 * size_of::<usize>() + spans * size_of::<Span>() + small * size_of::<u32>();
    bytes.next_multiple_of(8)
}

/// The numbers of a stretch's spans.
#[inline]
pub(super) const fn spans_of(stretch: usize) -> Range<usize> {
    stretch * STRETCH_SPANS..(stretch + 1) * STRETCH_SPANS
}

/// A word's bit in its span.
pub(super) const fn bit(at: usize) -> u64 {
    1 << (at % SPAN_WORDS)
}

impl Side {
    /// The side memory of a heap of `words` words that is all top. What it holds does not matter.
    ///
    /// # Safety
    ///
    /// For the life of the value, the [`bytes`] bytes from `start`, a multiple of 8, are readable,
    /// writable and used by nobody else. There are from 1 to `u32::MAX` words.
    pub unsafe fn new(start: *mut u8, words: usize) -> Self {
        let stretches = words.div_ceil(STRETCH_WORDS);
        let count = stretches * STRETCH_SPANS;
        let top: *mut usize = start.cast();
        let open = top.wrapping_add(1);
        let root = top.wrapping_add(2);
        let spans: *mut Span = root.wrapping_add(1).cast();
        let crossings: *mut u32 = spans.wrapping_add(count).cast();
        // SAFETY: behind the crossings, `bytes` has counted the tree's nodes.
        let maxima = unsafe { Maxima::new(root, crossings.wrapping_add(count), stretches) };
        let mut side = Self {
            words,
            top,
            open,
            spans,
            crossings,
            maxima,
        };
        side.blank(0);
        // SAFETY: the first two words of the side memory.
        unsafe {
            side.top.write(0);
            side.open.write(1);
        }
        side
    }

    /// Where the top starts; the number of words if there is none.
    #[inline]
    pub fn top(&self) -> usize {
        // SAFETY: the first word of the side memory, which `new` has written.
        unsafe { self.top.read() }
    }

    /// Moves the top, and opens the stretches that it moves up to for the first time.
    #[inline]
    pub fn set_top(&mut self, at: usize) {
        if at / STRETCH_WORDS >= self.open_stretches() {
            self.open_up_to(at);
        }
        // SAFETY: the first word of the side memory; `new` makes this its only user.
        unsafe { self.top.write(at) };
    }

    /// How many stretches are open.
    #[inline]
    pub fn open_stretches(&self) -> usize {
        // SAFETY: the second word of the side memory, which `new` has written.
        unsafe { self.open.read() }
    }

    /// The bits of a span of an open stretch.
    #[inline]
    pub fn span(&self, span: usize) -> Span {
        // SAFETY: an open stretch is one of the heap's, for whose spans there are entries, and
        // `blank` has written them.
        unsafe { self.spans.wrapping_add(span).read() }
    }

    /// Where the holes of a span start, of an open stretch, lowest first.
    #[inline]
    pub fn holes(&self, span: usize) -> Holes {
        Holes {
            first: span * SPAN_WORDS,
            left: self.span(span).holes,
        }
    }

    /// Notes that a taken chunk starts at `at`, in an open stretch.
    #[inline]
    pub fn set_taken(&mut self, at: usize) {
        let Span { taken, holes } = self.span(at / SPAN_WORDS);
        let (taken, holes) = (taken | bit(at), holes & !bit(at));
        self.set_span(at / SPAN_WORDS, Span { taken, holes });
    }

    /// Notes that a hole starts at `at`, in an open stretch, and ends before the word `end`.
    #[inline]
    pub fn set_hole(&mut self, at: usize, end: usize) {
        let span = at / SPAN_WORDS;
        let Span { taken, holes } = self.span(span);
        let (taken, holes) = (taken & !bit(at), holes | bit(at));
        self.set_span(span, Span { taken, holes });
        let last = (end - 1) / SPAN_WORDS;
        if last != span {
            self.set_crossing(last, at as u32);
        }
        self.maxima.raise(at / STRETCH_WORDS, (end - at) as u32);
    }

    /// Notes that no chunk starts at `at`, in an open stretch.
    #[inline]
    pub fn clear(&mut self, at: usize) {
        let Span { taken, holes } = self.span(at / SPAN_WORDS);
        let (taken, holes) = (taken & !bit(at), holes & !bit(at));
        self.set_span(at / SPAN_WORDS, Span { taken, holes });
    }

    /// Where the hole starts that ends in a span, of an open stretch, and began before it; any word
    /// before the span if there is no such hole.
    #[inline]
    pub fn crossing(&self, span: usize) -> usize {
        // SAFETY: as in `span`; there is a crossing for each span too.
        unsafe { self.crossings.wrapping_add(span).read() as usize }
    }

    /// Opens the stretches up to that of `at`.
    #[inline(never)]
    fn open_up_to(&mut self, at: usize) {
        // A top that is nothing starts in no stretch.
        let last = at.min(self.words - 1) / STRETCH_WORDS;
        for stretch in self.open_stretches()..=last {
            self.blank(stretch);
            self.maxima.open(stretch);
        }
        // SAFETY: the second word of the side memory; `new` makes this its only user.
        unsafe { self.open.write(last + 1) };
    }

    #[inline]
    fn blank(&mut self, stretch: usize) {
        for span in spans_of(stretch) {
            self.set_span(span, Span::default());
            self.set_crossing(span, 0);
        }
    }

    #[inline]
    fn set_span(&mut self, span: usize, bits: Span) {
        // SAFETY: one of the heap's spans; `new` makes this the entry's only user.
        unsafe { self.spans.wrapping_add(span).write(bits) };
    }

    #[inline]
    fn set_crossing(&mut self, span: usize, at: u32) {
        // SAFETY: as in `set_span`.
        unsafe { self.crossings.wrapping_add(span).write(at) };
    }
}

/// The words at which the holes of a span start.
#[derive(Clone, Debug)]
pub(super) struct Holes {
    /// Of the span.
    first: usize,
    /// A bit for each hole that was not told yet.
    left: u64,
}

impl Iterator for Holes {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        if self.left == 0 {
            return None;
        }
        let at = self.first + self.left.trailing_zeros() as usize;
        self.left &= self.left - 1;
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn it_is_a_page_or_a_twentieth_of_the_heap_at_most() {
        let step = if cfg!(miri) { 99_991 } else { 1 };
        for words in (2..=(32 << 20) / 8).step_by(step) {
            let heap_bytes = words * 8;
            assert!(
                bytes(words) <= (heap_bytes / 20).max(4096),
                "{heap_bytes} bytes"
            );
        }
        assert_eq!(bytes(2), 3 * 8 + 2 * (16 + 4) + 8 * 4);
    }
}
