//! A chunk by its place, in words of 8 bytes from the head.

/// `words` words from word `at` on, header included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Extent {
    /// The header's word.
    pub at: usize,
    /// Not 0.
    pub words: usize,
}

impl Extent {
    /// The word behind it: the next header's, or the number of words of the heap.
    pub const fn end(self) -> usize {
        self.at + self.words
    }
}
