//! What one op did, in offsets from the heap's start: equal on host and guest.

use crate::trace::op::Handle;

/// The record of one op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What the subject answered.
    pub outcome: Outcome,
    /// What the checks of memory found.
    pub contents: Contents,
    /// The chunk walk after the op; `None` where none was taken or the subject lists no chunks.
    pub walk: Option<WalkDigest>,
    /// The first line of a printed table that contradicts the walk, counted from 0.
    pub table_line_wrong: Option<u32>,
}

impl Observation {
    /// An op of which only the outcome is known yet.
    #[must_use]
    pub const fn of(outcome: Outcome) -> Self {
        Self {
            outcome,
            contents: Contents::HELD,
            walk: None,
            table_line_wrong: None,
        }
    }
}

/// What a subject answered to one op.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A block was granted at this many bytes from the heap's start (negative: before it).
    Placed(i64),
    /// Null: no memory.
    Null,
    /// A call without an answer returned.
    Done,
    /// The subject refused a pointer.
    Refused,
    /// The largest request an empty heap granted, in bytes.
    Capacity(u64),
    /// The op cannot be asked of this subject; it was not called.
    NotExpressible,
    /// The op's block is null or dead; the subject was not called.
    NoBlock,
}

/// What verifying memory found; every byte position counts from its block's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// The lowest live handle whose bytes changed behind the client's back, and the first such
    /// byte.
    pub corrupted: Option<(Handle, u64)>,
    /// The first byte of a zeroed allocation that is not 0.
    pub not_zeroed: Option<u64>,
    /// The first byte a realloc failed to carry over.
    pub realloc_lost: Option<u64>,
    /// The first byte behind the heap's end that was written, from the heap's start. Seen where the
    /// no-access page begins later than the heap ends; elsewhere such a store faults.
    pub stray_store: Option<u64>,
}

impl Contents {
    /// Whether nothing is amiss.
    #[must_use]
    pub const fn held(&self) -> bool {
        self.corrupted.is_none()
            && self.not_zeroed.is_none()
            && self.realloc_lost.is_none()
            && self.stray_store.is_none()
    }

    /// Nothing amiss.
    pub const HELD: Self = Self {
        corrupted: None,
        not_zeroed: None,
        realloc_lost: None,
        stray_store: None,
    };
}

/// A digest of the chunk walk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalkDigest {
    /// `None` if the chunks tile the table exactly; else the offset of the chunk at which they
    /// cease to.
    pub broken_at: Option<u64>,
    /// The offset of the first free chunk that is followed by a free one.
    pub unmerged_at: Option<u64>,
    /// How many chunks were walked.
    pub chunks: u32,
    /// [`crate::subject::table::ChunkHash`] of all chunks walked.
    pub hash: u64,
}
