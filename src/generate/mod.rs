//! Draws traces: few large ideas, so that small heaps are filled, split and merged all the time.
//!
//! A trace is drawn from any source of bytes (`arbitrary::Unstructured`): random ones in a hunt,
//! libFuzzer's in a fuzz target. Each trace first draws its own mix of ops and of sizes, so that
//! some traces only fill, some only churn, and some live at the edges (swarm testing: Groce et
//! al., ISSTA 2012). Sizes cover all of usize, but small ones dominate: they are what makes an
//! allocator reuse, split and merge. A few traces go on with cycles that fill and empty the heap.

mod cycles;
mod misuse;
pub mod mutate;

use arbitrary::{Arbitrary, Result, Unstructured};
use harness::declaration::{Declaration, Misuse, RegionNeeds};
use harness::entry::Entry;
use harness::geometry::{Geometry, Growth, PAGE_BYTES};
use harness::handles::Handles;
use harness::op::{Align, Op};
use harness::trace::{OPS_MAX, Trace};

/// Fewer heaps than these would leave what depends on their size unseen.
const GEOMETRIES_MIN: usize = 3;

/// One trace in so many goes on with cycles, which are some thirty times as long: a third of all
/// ops are theirs.
const CYCLES_RATIO: u16 = 64;

/// The heaps that grow: first pages, pages to be had, each which of them is another owner's. In
/// small ones, a trace of some tens of ops takes pages and gives them back.
const GROWING: [(u64, u64, Option<u64>); 5] = [
    (1, 6, Some(3)),
    (1, 3, None),
    (1, 8, Some(2)),
    (2, 12, Some(4)),
    (3, 40, Some(16)),
];

/// What is drawn: the heaps to choose from, the unit sizes are counted in, and a trace's length.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Heaps, common ones first: an earlier one is drawn more often.
    pub geometries: Vec<Geometry>,
    /// Small sizes are this many times 0 to 255 bytes: 1, or a page for a page allocator.
    pub unit: u64,
    /// The strictest alignment worth asking for, in bytes.
    pub align_max: u64,
    /// The most ops of a trace, but for one with cycles; at most [`OPS_MAX`].
    pub ops_max: usize,
    /// Whether the client errs now and then.
    pub misuse: bool,
}

impl Limits {
    /// What suits a subject, with traces of at most `ops_max` ops.
    #[must_use]
    pub fn of(declaration: &Declaration, ops_max: usize) -> Self {
        const PAGES: [u64; 7] = [1, 64, 2, 4, 8, 16, 4097];
        let bytes = [512, 192, 2048, 128, 64]
            .map(Some)
            .map(|b| b.and_then(Geometry::from_bytes));
        let pages = PAGES.map(Geometry::from_pages);
        let mixed = [
            bytes[0], bytes[1], pages[0], pages[1], bytes[2], bytes[3], pages[3], bytes[4],
        ];
        let heaps = if declaration.unit == 1 {
            &mixed[..]
        } else {
            &pages[1..]
        };
        let common = heaps.iter().flatten().copied();
        let mut geometries: Vec<_> = common.filter(|g| declaration.accepts(*g)).collect();
        if geometries.len() < GEOMETRIES_MIN {
            geometries.splice(0..0, smallest(declaration));
        }
        Self {
            geometries,
            unit: declaration.unit,
            align_max: declaration.align_max.min(Geometry::ALIGN),
            ops_max: ops_max.min(OPS_MAX),
            misuse: false,
        }
    }

    /// The same over heaps that grow; over none, if the subject's does not.
    #[must_use]
    pub fn growing(declaration: &Declaration, ops_max: usize) -> Self {
        let heaps = GROWING.iter().filter_map(|&(first, pages, every)| {
            Geometry::from_pages(first)?.growing(Growth::new(pages, every)?)
        });
        Self {
            geometries: heaps.filter(|heap| declaration.accepts(*heap)).collect(),
            ..Self::of(declaration, ops_max)
        }
    }
}

/// The smallest heaps that a subject takes, for one that takes few of the common ones.
fn smallest(declaration: &Declaration) -> impl Iterator<Item = Geometry> {
    let RegionNeeds {
        bytes_min,
        bytes_multiple,
        ..
    } = declaration.region;
    let first = bytes_min.next_multiple_of(bytes_multiple);
    let sizes = (0..GEOMETRIES_MIN as u64).map(move |more| first + more * bytes_multiple);
    sizes.filter_map(Geometry::from_bytes)
}

/// A drawn trace of the published heap's kind, for whoever wants one from bytes alone.
#[derive(Clone, Debug)]
pub struct Case(pub Trace);

impl<'a> Arbitrary<'a> for Case {
    fn arbitrary(u: &mut Unstructured<'a>) -> Result<Self> {
        let limits = Limits {
            geometries: vec![Geometry::published()],
            unit: 1,
            align_max: Geometry::ALIGN,
            ops_max: 64,
            misuse: false,
        };
        trace(u, &limits).map(Self)
    }
}

/// Draws a trace. Where the bytes run out, so does the trace.
///
/// # Errors
/// `arbitrary`'s, when there are no bytes at all.
pub fn trace(u: &mut Unstructured<'_>, limits: &Limits) -> Result<Trace> {
    let Limits {
        geometries,
        ops_max,
        ..
    } = limits;
    // The lowest of three draws: earlier heaps, which are cheaper to prepare, come more often.
    let mut index = u.choose_index(geometries.len())?;
    for _ in 0..2 {
        index = index.min(u.choose_index(geometries.len())?);
    }
    let mut trace = Trace::new(geometries[index]);
    let closes = u.ratio(1, 2)?;
    let length = u.int_in_range(1..=*ops_max)?;
    let mut drawer = Drawer::new(u, limits, trace.geometry)?;
    while trace.ops.len() < length && !u.is_empty() {
        let op = drawer.op(u)?;
        drawer.note(&op);
        trace.ops.push(op);
    }
    if closes {
        trace.ops.truncate(OPS_MAX - 2);
        trace.ops.extend([Op::FreeAll, Op::Capacity]);
    }
    if !u.is_empty() && u.ratio(1, CYCLES_RATIO)? {
        let issued = drawer.sizes.len();
        cycles::append(u, limits, issued, &mut trace)?;
    }
    Ok(trace)
}

/// Draws the next op of a trace, knowing the ones before.
pub struct Drawer<'a> {
    limits: &'a Limits,
    geometry: Geometry,
    handles: Handles,
    /// The size of each handle's block as last asked for.
    sizes: Vec<u64>,
    /// What each handle's block holds at least: a realloc may have been refused.
    sizes_min: Vec<u64>,
    kinds: [u32; KINDS.len()],
    classes: [u32; CLASSES.len()],
}

#[derive(Clone, Copy)]
enum Kind {
    Alloc,
    AllocZeroed,
    Realloc,
    Free,
    FreeAll,
    FreeNull,
    Table,
    Capacity,
}

/// What a trace is made of when its own draw leaves the weights as they are.
const KINDS: [(Kind, u32); 8] = [
    (Kind::Alloc, 36),
    (Kind::AllocZeroed, 10),
    (Kind::Realloc, 16),
    (Kind::Free, 32),
    (Kind::FreeAll, 2),
    (Kind::FreeNull, 1),
    (Kind::Table, 1),
    (Kind::Capacity, 2),
];

#[derive(Clone, Copy)]
enum Class {
    /// 0 to 63 units.
    Tiny,
    /// 0 to 255 units.
    Small,
    /// A power of two up to the heap's size, or one beside it.
    Power,
    /// What the heap still has, or 8 to 16 bytes beside it; or a fraction of it.
    Remainder,
    /// As some block before, or a little beside it: what makes exact fits.
    Again,
    /// Around the heap's size and the ends of usize.
    Huge,
}

const CLASSES: [(Class, u32); 6] = [
    (Class::Tiny, 40),
    (Class::Small, 20),
    (Class::Power, 10),
    (Class::Remainder, 10),
    (Class::Again, 15),
    (Class::Huge, 5),
];

impl<'a> Drawer<'a> {
    /// A drawer for a new trace, with weights of its own.
    ///
    /// # Errors
    /// `arbitrary`'s.
    pub fn new(u: &mut Unstructured<'_>, limits: &'a Limits, geometry: Geometry) -> Result<Self> {
        let mut kinds = KINDS.map(|(_, weight)| weight);
        let mut classes = CLASSES.map(|(_, weight)| weight);
        // The first of each keeps its weight, so that something can always be drawn.
        for weight in kinds[1..].iter_mut().chain(&mut classes[1..]) {
            *weight *= [0, 1, 1, 3][u.choose_index(4)?];
        }
        Ok(Self {
            limits,
            geometry,
            handles: Handles::default(),
            sizes: Vec::new(),
            sizes_min: Vec::new(),
            kinds,
            classes,
        })
    }

    /// Takes note of an op of the trace.
    pub fn note(&mut self, op: &Op) {
        match *op {
            Op::Alloc { size, .. } => {
                self.sizes.push(size);
                self.sizes_min.push(size);
            }
            Op::Realloc { handle, size } => {
                let index = handle.0 as usize;
                self.sizes[index] = size;
                self.sizes_min[index] = self.sizes_min[index].min(size);
            }
            _ => {}
        }
        self.handles.note(op);
    }

    /// Draws an op.
    ///
    /// # Errors
    /// `arbitrary`'s.
    pub fn op(&self, u: &mut Unstructured<'_>) -> Result<Op> {
        if self.limits.misuse
            && let Some(op) = self.misuse(u)?
        {
            return Ok(op);
        }
        let live = self.handles.live();
        let kind = KINDS[weighted(u, &self.kinds)?].0;
        Ok(match kind {
            Kind::Realloc if !live.is_empty() => Op::Realloc {
                handle: *u.choose(live)?,
                size: self.size(u)?,
            },
            Kind::Free if !live.is_empty() => Op::Free {
                handle: *u.choose(live)?,
            },
            Kind::FreeAll => Op::FreeAll,
            Kind::FreeNull => Op::FreeNull,
            Kind::Table => Op::Table,
            // An empty heap is what it asks for.
            Kind::Capacity if live.is_empty() => Op::Capacity,
            Kind::Capacity => Op::FreeAll,
            kind => {
                let zeroed = matches!(kind, Kind::AllocZeroed);
                Op::Alloc {
                    size: self.size(u)?,
                    align: self.align(u)?,
                    zeroed,
                }
            }
        })
    }

    /// Draws an alignment: mostly none, sometimes a small one, rarely up to the largest.
    ///
    /// # Errors
    /// `arbitrary`'s.
    pub fn align(&self, u: &mut Unstructured<'_>) -> Result<Option<Align>> {
        let exponent_max = self.limits.align_max.ilog2() as u8;
        Ok(match u.int_in_range(0..=19_u8)? {
            0..=15 => None,
            16..=18 => Align::from_exponent(u.int_in_range(0..=exponent_max.min(8))?),
            _ => Align::from_exponent(u.int_in_range(0..=exponent_max)?),
        })
    }

    /// Draws a size in bytes.
    ///
    /// # Errors
    /// `arbitrary`'s.
    pub fn size(&self, u: &mut Unstructured<'_>) -> Result<u64> {
        let unit = self.limits.unit;
        let heap = match self.geometry.growth().is_none() {
            true => self.geometry.bytes(),
            false => {
                // Up to what the heap has, as others are, or near some pages: what makes it grow.
                if u.ratio(1, 3)? {
                    let near = PAGE_BYTES * u.int_in_range(1..=6)? / 2;
                    return Ok((near + u.int_in_range(0..=96)?).saturating_sub(64));
                }
                *u.choose(&[self.geometry.first_bytes(), self.geometry.bytes()])?
            }
        };
        let (near, distance) = match CLASSES[weighted(u, &self.classes)?].0 {
            Class::Tiny if unit == 1 => return u.int_in_range(0..=63),
            Class::Small if unit == 1 => return u.int_in_range(0..=255),
            // Pages are few: up to 4, with a byte more or less than whole ones.
            Class::Tiny | Class::Small => (unit * u.int_in_range(1..=4)?, 1),
            Class::Power => (1 << u.int_in_range(0..=heap.ilog2())?, 1),
            Class::Remainder => {
                let left = heap.saturating_sub(self.asked());
                (left / [1, 1, 2, 3, 4, 8][u.choose_index(6)?], 16)
            }
            Class::Again if self.sizes.is_empty() => (8, 1),
            Class::Again => (*u.choose(&self.sizes)?, 16),
            Class::Huge => {
                let edges = [
                    heap,
                    heap,
                    1 << 63,
                    u64::MAX,
                    u64::MAX >> 1,
                    PAGE_BYTES,
                    2 * heap,
                ];
                (*u.choose(&edges)?, 17)
            }
        };
        // The number itself or one beside it, wrapping round the ends of usize.
        let size = near
            .wrapping_sub(distance)
            .wrapping_add(u.int_in_range(0..=2 * distance)?);
        // Half of them whole words: what exact fits are made of.
        Ok(if u.arbitrary()? { size } else { size & !7 })
    }

    /// Bytes that live blocks hold, a header each included, by the ops alone.
    fn asked(&self) -> u64 {
        let sizes = self
            .handles
            .live()
            .iter()
            .map(|handle| self.sizes[handle.0 as usize]);
        sizes.fold(0, |sum, size| sum.saturating_add(size).saturating_add(8))
    }
}

fn weighted(u: &mut Unstructured<'_>, weights: &[u32]) -> Result<usize> {
    let total: u32 = weights.iter().sum();
    let mut ticket = u.int_in_range(0..=total - 1)?;
    for (index, &weight) in weights.iter().enumerate() {
        if ticket < weight {
            return Ok(index);
        }
        ticket -= weight;
    }
    Ok(0)
}

/// The trace as this subject is fuzzed with it: one that promises nothing about misuse is spared
/// it.
#[must_use]
pub fn judged_part(entry: &Entry, trace: Trace) -> Trace {
    if entry.declaration.misuse == Misuse::Undefined {
        trace.without_misuse()
    } else {
        trace
    }
}

#[cfg(test)]
mod tests;
