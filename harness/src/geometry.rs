//! The heap a trace runs over.

/// Bytes in a page, everywhere in this project.
pub const PAGE_BYTES: u64 = 4096;

/// The heap's size: a multiple of 8, from [`Geometry::BYTES_MIN`] to [`Geometry::BYTES_MAX`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Geometry {
    bytes: u32,
}

impl Geometry {
    /// A header and the smallest payload.
    pub const BYTES_MIN: u64 = 16;
    /// 8,192 pages: above 4,096, where a page allocator's descriptors fill more than one page.
    pub const BYTES_MAX: u64 = 32 << 20;
    /// Every region starts at a multiple of this, on both sides. A request for a stricter
    /// alignment would depend on where the region lies, so it is never made.
    pub const ALIGN: u64 = 2 << 20;

    /// A heap of `bytes`; `None` unless it is a multiple of 8 within the bounds.
    #[must_use]
    pub const fn from_bytes(bytes: u64) -> Option<Self> {
        if bytes.is_multiple_of(8) && bytes >= Self::BYTES_MIN && bytes <= Self::BYTES_MAX {
            Some(Self {
                bytes: bytes as u32,
            })
        } else {
            None
        }
    }

    /// A heap of `pages` pages; `None` outside the bounds.
    #[must_use]
    pub const fn from_pages(pages: u64) -> Option<Self> {
        match pages.checked_mul(PAGE_BYTES) {
            Some(bytes) => Self::from_bytes(bytes),
            None => None,
        }
    }

    /// The largest heap.
    #[must_use]
    pub const fn largest() -> Self {
        Self {
            bytes: Self::BYTES_MAX as u32,
        }
    }

    /// The published heap: 64 pages.
    #[must_use]
    pub const fn published() -> Self {
        Self {
            bytes: 64 * PAGE_BYTES as u32,
        }
    }

    /// In bytes.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.bytes as u64
    }

    /// Bytes of side memory: a page, or a twentieth of a larger heap, in whole words of 8 bytes.
    #[must_use]
    pub const fn side_bytes(self) -> u64 {
        let twentieth = self.bytes as u64 / 20 / 8 * 8;
        if twentieth > PAGE_BYTES {
            twentieth
        } else {
            PAGE_BYTES
        }
    }

    /// What the region's start is a multiple of: 2 MiB, or the next power of two of a larger heap.
    #[must_use]
    pub const fn region_align(self) -> u64 {
        let power = (self.bytes as u64).next_power_of_two();
        if power > Self::ALIGN {
            power
        } else {
            Self::ALIGN
        }
    }
}

impl core::fmt::Display for Geometry {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self.bytes() {
            bytes if bytes % PAGE_BYTES == 0 => write!(f, "{} pages", bytes / PAGE_BYTES),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}
