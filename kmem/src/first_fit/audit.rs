//! Whether the side memory says what the headers say: for tests, and for whoever searches all
//! states of a heap and tells them by their table.
//!
//! This is the invariant of `side` written out a second time, as a walk over the chunks.

use super::extent::Extent;
use super::side::{SPAN_WORDS, STRETCH_SPANS, STRETCH_WORDS, Span, WORD_BYTES, bit};
use super::{FirstFit, Variant};
use crate::chunk::Chunk;

/// What one stretch should hold.
#[derive(Default)]
struct Expected {
    number: usize,
    spans: [Span; STRETCH_SPANS],
    largest: usize,
}

impl<V: Variant> FirstFit<V> {
    /// Whether all that calls rely on in the side memory follows from the headers.
    ///
    /// Walks the whole heap. Always true between calls, unless a client wrote over a header.
    pub fn audit(&self) -> bool {
        self.follows_from(self.chunks())
    }

    /// Whether it follows from these chunks, in address order. Pages that they leave out are not
    /// the heap's.
    pub(crate) fn follows_from(&self, chunks: impl Iterator<Item = Chunk>) -> bool {
        let mut expected = Expected::default();
        let mut top = self.words;
        let mut end = 0;
        for chunk in chunks {
            let extent = Extent {
                at: (chunk.header.addr() - self.head.addr()) / WORD_BYTES,
                words: chunk.size / WORD_BYTES,
            };
            end = extent.end();
            while expected.number < extent.at / STRETCH_WORDS {
                if !self.holds(&expected) {
                    return false;
                }
                expected = Expected {
                    number: expected.number + 1,
                    ..Expected::default()
                };
            }
            let span = extent.at / SPAN_WORDS;
            let bits = &mut expected.spans[span % STRETCH_SPANS];
            if chunk.taken {
                bits.taken |= bit(extent.at);
            } else if end == self.words {
                top = extent.at;
            } else {
                bits.holes |= bit(extent.at);
                expected.largest = expected.largest.max(extent.words);
                let last = (end - 1) / SPAN_WORDS;
                let crosses = last != span;
                if crosses && (end > self.words || self.side.crossing(last) != extent.at) {
                    return false;
                }
            }
        }
        // No chunk starts in what else is open; nothing is known of the rest.
        let open = self.side.open_stretches();
        while expected.number < open {
            if !self.holds(&expected) {
                return false;
            }
            expected = Expected {
                number: expected.number + 1,
                ..Expected::default()
            };
        }
        end == self.words && top == self.side.top() && self.side.maxima.is_sound(open)
    }

    fn holds(&self, expected: &Expected) -> bool {
        let Expected {
            number,
            spans,
            largest,
        } = *expected;
        let first = number * STRETCH_SPANS;
        number < self.side.open_stretches()
            && spans == [first, first + 1].map(|span| self.side.span(span))
            && self.side.maxima.of_stretch(number) as usize == largest
    }
}
