//! What a subject's users are told: the facts that decide what is asked of it and what it is
//! judged for. A request outside the declaration is never made.
//!
//! ```
//! use harness::declaration::{Declaration, Misuse};
//!
//! /// Needs 64 bytes for its lists, aligns up to a page, and checks the pointers it is given.
//! const DECLARATION: Declaration = Declaration::new("my-heap")
//!     .region_at_least(64)
//!     .align_max(4096)
//!     .misuse(Misuse::Refuses);
//! ```

use crate::trace::geometry::Geometry;

/// A subject's name has fewer bytes: the mailbox has room for so many.
pub const NAME_BYTES: usize = 32;

/// A subject's promises and needs; made by [`Declaration::new`] and what follows it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Declaration {
    /// The subject's name on the command line and in traces.
    pub name: &'static str,
    /// Subjects of one family are generations of one design: a regression of one is expected of
    /// all.
    pub family: &'static str,
    /// Whether it is wrong on purpose: then nobody tests it who does not name it.
    pub planted: bool,
    /// Bytes in the unit its offsets and chunks are shown in: 1, or a page.
    pub unit: u64,
    /// Whether its heap may grow: set by [`crate::subject::entry::Entry::growing`]. Heaps that do
    /// are made for no other.
    pub grows: bool,
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
    /// Whether it looks for what clients have overwritten, and panics when it finds something.
    pub panics_on_damage: bool,
}

impl Declaration {
    /// What may be said of an allocator of which nothing is known but its name: it takes any region
    /// and reuses all memory; of its bookkeeping, its placement and misuse it says nothing. The
    /// methods below say more, one fact each.
    ///
    /// The name is how commands and traces call it: lower-case letters, digits and `-`.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            family: name,
            planted: false,
            unit: 1,
            grows: false,
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
            panics_on_damage: false,
        }
    }

    /// It is a generation of a design of which there are others.
    #[must_use]
    pub const fn family(mut self, family: &'static str) -> Self {
        self.family = family;
        self
    }

    /// It is wrong on purpose if `planted`.
    #[must_use]
    pub const fn planted(mut self, planted: bool) -> Self {
        self.planted = planted;
        self
    }

    /// Its offsets and chunks are shown in units of so many bytes.
    #[must_use]
    pub const fn unit(mut self, bytes: u64) -> Self {
        self.unit = bytes;
        self
    }

    /// It has entries that take any size without a layout:
    /// [`crate::subject::Subject::alloc_native`].
    #[must_use]
    pub const fn native(mut self) -> Self {
        self.native = true;
        self
    }

    /// It needs a region of so many bytes at least. Smaller ones are never made for it.
    #[must_use]
    pub const fn region_at_least(mut self, bytes: u64) -> Self {
        self.region.bytes_min = bytes;
        self
    }

    /// It takes regions of a multiple of so many bytes only.
    #[must_use]
    pub const fn region_multiple_of(mut self, bytes: u64) -> Self {
        self.region.bytes_multiple = bytes;
        self
    }

    /// It needs a region of zeroes.
    #[must_use]
    pub const fn region_zeroed(mut self) -> Self {
        self.region.zeroed = true;
        self
    }

    /// It grants alignments up to so many bytes. Stricter ones are never asked for.
    #[must_use]
    pub const fn align_max(mut self, bytes: u64) -> Self {
        self.align_max = bytes;
        self
    }

    /// What becomes of memory that is given back, where not all of it is as good as new.
    #[must_use]
    pub const fn reuse(mut self, reuse: Reuse) -> Self {
        self.reuse = reuse;
        self
    }

    /// Where it places blocks depends on the region's address beyond [`Geometry::region_align`].
    #[must_use]
    pub const fn placement_absolute(mut self) -> Self {
        self.placement_absolute = true;
        self
    }

    /// How it spends memory.
    #[must_use]
    pub const fn overhead(mut self, overhead: Overhead) -> Self {
        self.overhead = Some(overhead);
        self
    }

    /// Where it places blocks, to the byte.
    #[must_use]
    pub const fn policy(mut self, policy: Policy) -> Self {
        self.policy = Some(policy);
        self
    }

    /// The form of its table. It then lists its chunks as well.
    #[must_use]
    pub const fn table(mut self, table: TableForm) -> Self {
        self.table = table;
        self
    }

    /// What it promises about misuse.
    #[must_use]
    pub const fn misuse(mut self, misuse: Misuse) -> Self {
        self.misuse = misuse;
        self
    }

    /// It looks for what clients have overwritten, and panics when it finds something. Once a
    /// client has written beyond its block, a panic is then what it is there for, and breaks no
    /// rule.
    #[must_use]
    pub const fn panics_on_damage(mut self) -> Self {
        self.panics_on_damage = true;
        self
    }

    /// Ends compilation when the declaration contradicts itself: every
    /// [`crate::subject::entry::Entry`] is checked so.
    ///
    /// # Panics
    /// When it does.
    pub const fn assert_sound(&self) {
        let name = self.name.as_bytes();
        assert!(
            !name.is_empty() && name.len() < NAME_BYTES,
            "the declared name has no letter, or 32 and more"
        );
        let mut index = 0;
        while index < name.len() {
            assert!(
                matches!(name[index], b'a'..=b'z' | b'0'..=b'9' | b'-'),
                "the declared name consists of lower-case letters, digits and `-`"
            );
            index += 1;
        }
        assert!(
            self.align_max.is_power_of_two(),
            "`align_max` is declared as no power of two"
        );
        assert!(
            self.region.bytes_multiple > 0 && self.region.bytes_multiple.is_multiple_of(8),
            "`region_multiple_of` is declared as no multiple of 8"
        );
        assert!(
            self.region.bytes_min <= Geometry::BYTES_MAX,
            "`region_at_least` is declared as more than the largest heap has"
        );
        assert!(
            self.unit.is_power_of_two(),
            "`unit` is declared as no power of two"
        );
        assert!(
            self.policy.is_none() || !matches!(self.table, TableForm::Nothing),
            "a `policy` is declared and no `table`, by which it could be judged"
        );
        assert!(
            self.policy.is_none() || self.overhead.is_some(),
            "a `policy` is declared and no `overhead`, with which it could be modelled"
        );
    }

    /// Whether the subject can be given a heap of this geometry.
    #[must_use]
    pub const fn accepts(&self, geometry: Geometry) -> bool {
        let bytes = geometry.first_bytes();
        bytes >= self.region.bytes_min
            && bytes.is_multiple_of(self.region.bytes_multiple)
            && (self.grows || geometry.growth().is_none())
    }
}

/// What a subject needs of the region it is given.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct RegionNeeds {
    /// Smallest region, in bytes.
    pub bytes_min: u64,
    /// The region's size is a multiple of this many bytes.
    pub bytes_multiple: u64,
    /// Whether the region must come zeroed; otherwise it comes filled with
    /// [`crate::run::ground::DIRT`].
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
    /// The most that a chunk may hold beyond what was asked, because the rest was too small to
    /// split.
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
