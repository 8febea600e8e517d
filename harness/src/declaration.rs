//! What a subject's users are told: the facts that decide what is asked of it and what it is
//! judged for. A request outside the declaration is never made.

use crate::geometry::Geometry;

/// A subject's promises and needs.
#[derive(Clone, Copy, Debug)]
pub struct Declaration {
    /// The subject's name on the command line and in traces.
    pub name: &'static str,
    /// Subjects of one family are generations of one design: a regression of one is expected of all.
    pub family: &'static str,
    /// Whether it is wrong on purpose: then nobody tests it who does not name it.
    pub planted: bool,
    /// Bytes in the unit its offsets and chunks are shown in: 1, or a page.
    pub unit: u64,
    /// Whether it has entries that take any size without a layout (`kmalloc`, `kzmalloc`, `kfree`).
    pub native: bool,
    /// What its region must be like.
    pub region: RegionNeeds,
    /// The strictest alignment it grants, in bytes.
    pub align_max: u64,
    /// What becomes of memory that is given back.
    pub reuse: Reuse,
    /// Whether where it places blocks depends on the region's address beyond
    /// [`Geometry::region_align`]: then host and guest are compared without offsets.
    pub placement_absolute: bool,
    /// How it spends memory, where that is known: makes `spurious-oom` exact.
    pub overhead: Option<Overhead>,
    /// Where exactly it places blocks, where it promises that.
    pub policy: Option<Policy>,
    /// The form of the table it prints.
    pub table: TableForm,
    /// What it promises about misuse.
    pub misuse: Misuse,
}

impl Declaration {
    /// What may be said of an allocator of which nothing is known but its name: it takes any region
    /// and reuses all memory; of its bookkeeping, its placement and misuse it says nothing.
    #[must_use]
    pub const fn foreign(name: &'static str) -> Self {
        Self {
            name,
            family: name,
            planted: false,
            unit: 1,
            native: false,
            region: RegionNeeds {
                bytes_min: Geometry::BYTES_MIN,
                bytes_multiple: 8,
                zeroed: false,
            },
            align_max: Geometry::ALIGN,
            reuse: Reuse::Whole,
            placement_absolute: false,
            overhead: None,
            policy: None,
            table: TableForm::Nothing,
            misuse: Misuse::Undefined,
        }
    }

    /// Whether the subject can be given a heap of this geometry.
    #[must_use]
    pub const fn accepts(&self, geometry: Geometry) -> bool {
        geometry.bytes() >= self.region.bytes_min
            && geometry.bytes().is_multiple_of(self.region.bytes_multiple)
    }
}

/// What a subject needs of the region it is given.
#[derive(Clone, Copy, Debug)]
pub struct RegionNeeds {
    /// Smallest region, in bytes.
    pub bytes_min: u64,
    /// The region's size is a multiple of this many bytes.
    pub bytes_multiple: u64,
    /// Whether the region must come zeroed; otherwise it comes filled with [`crate::heap::DIRT`].
    pub zeroed: bool,
}

/// What becomes of memory that is given back: what an empty heap must grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reuse {
    /// All of it is as good as new: an empty heap grants what the fresh one did, and what it
    /// granted when it was empty before.
    Whole,
    /// Some of it is kept for requests of the same size. That is no leak unless more is kept with
    /// every cycle.
    Cached,
    /// None of it is used again.
    Never,
}

/// How a subject spends memory besides payload, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Overhead {
    /// Before each payload.
    pub header: u64,
    /// Chunk sizes are multiples of this.
    pub granularity: u64,
    /// The smallest chunk, header included.
    pub chunk_min: u64,
    /// The most that a chunk may hold beyond what was asked, because the rest was too small to split.
    pub absorb_max: u64,
    /// What the subject keeps at the region's start for itself.
    pub reserved: Reserved,
}

/// What lies before the first chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reserved {
    /// Nothing: the first chunk starts with the region.
    Nothing,
    /// A byte a page, rounded up to whole pages.
    PageDescriptors,
}

/// A placement that a subject promises to the byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Address-ordered first fit over chunks with 8-byte headers (`kmem`).
    FirstFit,
    /// The lowest run of free pages (`page`).
    LowestRun,
}

/// How a subject's table reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableForm {
    /// A line a chunk: address, length, taken.
    Chunks,
    /// A line an allocation: first and last byte, pages; with totals.
    Pages,
    /// It prints none, and lists no chunks.
    Nothing,
}

/// What a subject promises when its client breaks the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Misuse {
    /// Every detectable misuse is refused and changes nothing.
    Refuses,
    /// Misuse has no effect on any live block or on the walk.
    Tolerates,
    /// Nothing is promised: what happens is observed, not judged.
    Undefined,
}
