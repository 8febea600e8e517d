//! Which free chunk a policy takes for a request, and how much of it.
//!
//! | | first fit (`kmem`) | lowest run (`page`) |
//! |---|---|---|
//! | header | 8 bytes | none |
//! | chunk | header and payload, in multiples of 8, from 16 | whole pages |
//!
//! - A request takes the lowest free chunk in which its payload fits at an aligned offset, with a
//!   front gap of 0 or at least the smallest chunk; the gap stays a free chunk.
//! - A remainder of at least the smallest chunk becomes a free chunk, a smaller one is absorbed.

use harness::declaration::Policy;
use harness::geometry::PAGE_BYTES;

use crate::oracle::model::chunk_list::ChunkList;

/// What every payload is aligned to, whatever was asked for.
const ALIGN_MIN: u64 = 8;

/// Bytes in front of a payload that are its chunk's.
pub const fn header(policy: Policy) -> u64 {
    match policy {
        Policy::FirstFit => 8,
        Policy::LowestRun => 0,
    }
}

const fn chunk_min(policy: Policy) -> u64 {
    match policy {
        Policy::FirstFit => 16,
        Policy::LowestRun => PAGE_BYTES,
    }
}

/// Bytes of the chunk for a request; `None` if there is no such number.
#[inline]
pub fn chunk_for(policy: Policy, size: u64) -> Option<u64> {
    match policy {
        Policy::FirstFit => size.max(8).checked_next_multiple_of(8)?.checked_add(8),
        Policy::LowestRun if size == 0 => None,
        Policy::LowestRun => size.checked_next_multiple_of(PAGE_BYTES),
    }
}

/// The chunk that `need` bytes become where there is room for `room`.
pub const fn taken_of(policy: Policy, need: u64, room: u64) -> u64 {
    if room - need >= chunk_min(policy) {
        need
    } else {
        room
    }
}

/// The taken chunk at `chunk` with what is free behind it, in bytes.
#[inline]
pub fn room(chunks: &ChunkList, chunk: u64) -> u64 {
    let size = chunks.size_at(chunk);
    size + chunks.free_at(chunk + size)
}

/// The place of the lowest free chunk in which a chunk of `need` bytes fits, and its front gap
/// there.
#[inline]
pub fn find(policy: Policy, chunks: &ChunkList, need: u64, align: u64) -> Option<(usize, u64)> {
    let mut gaps = chunks.gaps().iter();
    if align <= ALIGN_MIN {
        return Some((gaps.position(|gap| need <= gap.size)?, 0));
    }
    gaps.enumerate().find_map(|(index, gap)| {
        let front = front_gap(policy, gap.offset, align);
        let fits = front <= gap.size && need <= gap.size - front;
        fits.then_some((index, front))
    })
}

/// How far into the free chunk at `gap` the lowest header may lie whose payload is aligned.
const fn front_gap(policy: Policy, gap: u64, align: u64) -> u64 {
    let lowest = gap + header(policy);
    let mut payload = lowest.next_multiple_of(align);
    while payload > lowest && payload - lowest < chunk_min(policy) {
        payload += align;
    }
    payload - lowest
}
