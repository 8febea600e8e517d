//! One allocator call, as data.
//!
//! An op names blocks by handle and memory by offset, never by address, so the same op means the
//! same thing on the host, in the guest and to the model.

/// The name a trace gives to the block an op returned: the n-th alloc of a trace returns `a<n>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle(pub u32);

/// A power-of-two alignment in bytes, kept as its exponent so that no other value exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Align(u8);

impl Align {
    /// The largest exponent a 64-bit address can be aligned to.
    pub const EXPONENT_MAX: u8 = 63;
    /// None: 1 byte.
    pub const MIN: Self = Self(0);
    /// What `alloc N` without `align` promises: 8 bytes.
    pub const DEFAULT: Self = Self(3);

    /// The alignment of 2^`exponent` bytes; `None` above [`Self::EXPONENT_MAX`].
    #[must_use]
    pub const fn from_exponent(exponent: u8) -> Option<Self> {
        if exponent <= Self::EXPONENT_MAX {
            Some(Self(exponent))
        } else {
            None
        }
    }

    /// The alignment of `bytes`; `None` unless `bytes` is a power of two.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Option<Self> {
        if bytes.is_power_of_two() {
            Some(Self(bytes.trailing_zeros() as u8))
        } else {
            None
        }
    }

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        1 << self.0
    }

    /// The exponent: log2 of [`Self::bytes`].
    #[must_use]
    pub const fn exponent(self) -> u8 {
        self.0
    }
}

/// One call of a trace. Sizes, offsets and lengths are in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Op {
    /// `a0 = alloc 24`, `a1 = alloc 40 align 64`, `a2 = alloc_zeroed 100`.
    Alloc {
        /// Bytes asked for.
        size: u64,
        /// `None`: the subject's native entry where it has one, else [`Align::DEFAULT`].
        align: Option<Align>,
        /// Whether the block must come zeroed.
        zeroed: bool,
    },
    /// `realloc a1 300`.
    Realloc {
        /// The block to resize; it keeps its handle and alignment.
        handle: Handle,
        /// The size wanted.
        size: u64,
    },
    /// `free a0`; of a dead handle, a double free (misuse lane).
    Free {
        /// The block to free.
        handle: Handle,
    },
    /// `free all`: every live block, lowest handle first.
    FreeAll,
    /// `table`: a checkpoint at which `print_table`'s text is observed.
    Table,
    /// `capacity`: a checkpoint on an empty heap; is its largest request granted again?
    Capacity,
    /// `free a2 + 16`: an interior pointer (misuse lane).
    FreeInterior {
        /// The block pointed into.
        handle: Handle,
        /// From the block's start; never 0.
        offset: u64,
    },
    /// `free heap + 0x1238`: a wild pointer (misuse lane).
    FreeWild {
        /// From the heap's start.
        offset: u64,
    },
    /// `free null`: legal, does nothing.
    FreeNull,
    /// `write a2 + 100 8`: the client writes bytes of 0xff (misuse lane).
    Write {
        /// The block written from.
        handle: Handle,
        /// First byte written, from the block's start.
        offset: u64,
        /// How many bytes.
        length: u16,
    },
}

/// What sort of call an op is: the part of an op that tells one find from another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is the op of the same name")]
pub enum OpKind {
    Alloc,
    AllocZeroed,
    Realloc,
    Free,
    FreeAll,
    Table,
    Capacity,
    FreeInterior,
    FreeWild,
    FreeNull,
    Write,
}

impl OpKind {
    /// The name people read: the text form's keyword, with the misuse lane told apart.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alloc => "alloc",
            Self::AllocZeroed => "alloc_zeroed",
            Self::Realloc => "realloc",
            Self::Free => "free",
            Self::FreeAll => "free-all",
            Self::Table => "table",
            Self::Capacity => "capacity",
            Self::FreeInterior => "free-interior",
            Self::FreeWild => "free-wild",
            Self::FreeNull => "free-null",
            Self::Write => "write",
        }
    }
}

impl Op {
    /// Which sort of call this is.
    #[must_use]
    pub const fn kind(&self) -> OpKind {
        match self {
            Self::Alloc { zeroed: false, .. } => OpKind::Alloc,
            Self::Alloc { zeroed: true, .. } => OpKind::AllocZeroed,
            Self::Realloc { .. } => OpKind::Realloc,
            Self::Free { .. } => OpKind::Free,
            Self::FreeAll => OpKind::FreeAll,
            Self::Table => OpKind::Table,
            Self::Capacity => OpKind::Capacity,
            Self::FreeInterior { .. } => OpKind::FreeInterior,
            Self::FreeWild { .. } => OpKind::FreeWild,
            Self::FreeNull => OpKind::FreeNull,
            Self::Write { .. } => OpKind::Write,
        }
    }

    /// The handle the op uses (not the one it makes).
    #[must_use]
    #[inline]
    pub const fn handle(&self) -> Option<Handle> {
        match *self {
            Self::Realloc { handle, .. }
            | Self::Free { handle }
            | Self::FreeInterior { handle, .. }
            | Self::Write { handle, .. } => Some(handle),
            _ => None,
        }
    }

    /// The same op on another handle; ops without one are returned as they are.
    #[must_use]
    pub const fn with_handle(mut self, new: Handle) -> Self {
        match &mut self {
            Self::Realloc { handle, .. }
            | Self::Free { handle }
            | Self::FreeInterior { handle, .. }
            | Self::Write { handle, .. } => *handle = new,
            _ => {}
        }
        self
    }
}
