//! The heap a trace runs over.
//!
//! ```text
//! heap 2 pages grow 7 every 3 taken
//! | first pages | free  free  taken | free  free  taken | free |
//! 0             first_bytes                                    bytes
//! ```

/// Bytes in a page, everywhere in this project.
pub const PAGE_BYTES: u64 = 4096;

/// The pages behind those that a heap has at first: the page allocator's, of whom the heap may take
/// those that are free.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Growth {
    pages: u16,
    /// 0 iff all are free.
    taken_every: u8,
}

impl Growth {
    /// Of a heap that does not grow.
    pub const NONE: Self = Self {
        pages: 0,
        taken_every: 0,
    };
    /// The most pages.
    pub const PAGES_MAX: u64 = Geometry::BYTES_MAX / PAGE_BYTES - 1;

    /// `pages` pages, of which each `taken_every`-th is another owner's, for good. `None` unless
    /// there are from 1 to [`Self::PAGES_MAX`], and that is from 2 to 255.
    #[must_use]
    pub const fn new(pages: u64, taken_every: Option<u64>) -> Option<Self> {
        let taken_every = match taken_every {
            None => 0,
            Some(every @ 2..=255) => every as u8,
            Some(_) => return None,
        };
        if pages == 0 || pages > Self::PAGES_MAX {
            return None;
        }
        Some(Self {
            pages: pages as u16,
            taken_every,
        })
    }

    /// Whether the heap does not grow.
    #[must_use]
    pub const fn is_none(self) -> bool {
        self.pages == 0
    }

    /// How many pages there are.
    #[must_use]
    pub const fn pages(self) -> u64 {
        self.pages as u64
    }

    /// Each so many pages, one is another owner's.
    #[must_use]
    pub const fn taken_every(self) -> Option<u64> {
        match self.taken_every {
            0 => None,
            every => Some(every as u64),
        }
    }

    /// The first bytes of other owners' pages, in a heap that reaches `bytes` bytes.
    pub fn others(self, bytes: u64) -> impl Iterator<Item = u64> {
        let first = bytes - self.pages() * PAGE_BYTES;
        let every = self.taken_every().unwrap_or(u64::MAX);
        let numbers = (1..=self.pages() / every).map(move |n| n * every - 1);
        numbers.map(move |number| first + number * PAGE_BYTES)
    }

    /// Whether a block, in a heap that reaches `bytes` bytes, has no byte in another owner's page.
    #[must_use]
    #[inline]
    pub fn spares(self, bytes: u64, offset: u64, size: u64) -> bool {
        let Some(every) = self.taken_every() else {
            return true;
        };
        let first = bytes - self.pages() * PAGE_BYTES;
        // How many of others' pages begin before a byte; one that lies in such a page counts it.
        let before = |end: u64| end.saturating_sub(first).div_ceil(PAGE_BYTES) / every;
        let whole = |start: u64| start.saturating_sub(first) / PAGE_BYTES / every;
        size == 0 || whole(offset) == before(offset.saturating_add(size))
    }
}

/// The heap's size: a multiple of 8, from [`Geometry::BYTES_MIN`] to [`Geometry::BYTES_MAX`]; and
/// how it may grow, within the same bounds. One that grows is whole pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Geometry {
    /// All that it can reach.
    bytes: u32,
    growth: Growth,
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
                growth: Growth::NONE,
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

    /// The same heap, growing; `None` unless it is whole pages, at most as many as the largest heap
    /// in all.
    #[must_use]
    pub const fn growing(self, growth: Growth) -> Option<Self> {
        let first = self.first_bytes();
        let whole = Self::from_bytes(first + growth.pages() * PAGE_BYTES);
        match whole {
            Some(whole) if first.is_multiple_of(PAGE_BYTES) => Some(Self { growth, ..whole }),
            _ => None,
        }
    }

    /// The largest heap.
    #[must_use]
    pub const fn largest() -> Self {
        Self {
            bytes: Self::BYTES_MAX as u32,
            growth: Growth::NONE,
        }
    }

    /// The published heap: 64 pages.
    #[must_use]
    pub const fn published() -> Self {
        Self {
            bytes: 64 * PAGE_BYTES as u32,
            growth: Growth::NONE,
        }
    }

    /// In bytes, with all pages that it may take: what blocks must lie in.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        self.bytes as u64
    }

    /// In bytes, as it is at first.
    #[must_use]
    pub const fn first_bytes(self) -> u64 {
        self.bytes() - self.growth.pages() * PAGE_BYTES
    }

    /// How it may grow.
    #[must_use]
    pub const fn growth(self) -> Growth {
        self.growth
    }

    /// Whether a block lies in it, outside other owners' pages.
    #[must_use]
    #[inline]
    pub fn holds(self, offset: u64, size: u64) -> bool {
        let end = offset.checked_add(size);
        end.is_some_and(|end| end <= self.bytes()) && self.growth.spares(self.bytes(), offset, size)
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
        match self.first_bytes() {
            bytes if bytes % PAGE_BYTES == 0 => write!(f, "{} pages", bytes / PAGE_BYTES),
            bytes => write!(f, "{bytes} bytes"),
        }?;
        if !self.growth.is_none() {
            write!(f, " grow {}", self.growth.pages())?;
        }
        match self.growth.taken_every() {
            Some(every) => write!(f, " every {every} taken"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn what_others_have_is_no_place_for_a_block() {
        let growth = Growth::new(7, Some(3)).unwrap();
        let heap = Geometry::from_pages(2).unwrap().growing(growth).unwrap();
        assert_eq!((heap.bytes(), heap.first_bytes()), (9 * 4096, 2 * 4096));
        let others: Vec<u64> = growth.others(heap.bytes()).collect();
        assert_eq!(others, [4 * 4096, 7 * 4096]);
        for start in (0..9 * 4096_u64).step_by(1024) {
            for size in (0..4 * 4096).step_by(1024) {
                let shares = |at: &u64| {
                    (start.max(*at)..(start + size).min(at + 4096))
                        .next()
                        .is_some()
                };
                let fits = start + size <= heap.bytes() && !others.iter().any(shares);
                assert_eq!(heap.holds(start, size), fits, "{start} {size}");
            }
        }
    }

    #[test]
    fn growth_has_bounds() {
        assert_eq!(Growth::new(0, None), None);
        assert_eq!(Growth::new(8192, None), None);
        assert_eq!(Growth::new(4, Some(1)), None);
        assert_eq!(Growth::new(4, Some(256)), None);
        let growth = Growth::new(8191, None).unwrap();
        assert!(Geometry::from_pages(1).unwrap().growing(growth).is_some());
        assert!(Geometry::from_pages(2).unwrap().growing(growth).is_none());
        assert!(Geometry::from_bytes(192).unwrap().growing(growth).is_none());
    }
}
