//! How host and guest talk: one structure at a fixed place in the guest's RAM, which both map.
//!
//! ```text
//! host                                guest
//!                                     boots, writes its subjects' names, sets `ready`
//! writes a request and its ops into
//! the next slot; `posted` += 1     -> sees it, prepares the heap, runs, writes the transcript,
//!                                     copies that into the slot
//!        sees it                   <- `replied` += 1
//! ```
//!
//! Up to [`SLOTS`] requests are under way at a time and are answered in order, so that the guest
//! runs one while the host judges those before it and draws those behind. The subject can reach
//! the transcript of its own run and nothing else of the mailbox: neither the requests that wait
//! nor the answers that were not read yet. A long request ([`SHORT_OPS_MAX`]), or one whose tables
//! are wanted, is posted alone; its answer stays in the transcript.
//!
//! A panic or a trap ends a request with a reply like any other; a guest that never replies is
//! hung or dead, which the host tells from outside. Everything is atomics (see [`Transcript`]), so
//! neither side can make the other's memory unsound.

#![allow(unsafe_code, reason = "it takes ops out of shared memory")]

use core::mem::MaybeUninit;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use crate::subject::declaration::NAME_BYTES;
use crate::trace::OPS_MAX;
use crate::trace::geometry::{Geometry, Growth};
use crate::trace::op::Op;
use crate::trace::record::{decode_op, encode_op};
use crate::wire::transcript::Transcript;

/// Raised whenever the meaning of anything in this file, `record` or `transcript` changes.
pub const PROTOCOL: u32 = 6;
/// The upper half of a valid `ready`: the lower half is the protocol version.
const MAGIC: u64 = 0x6b6d_656d << 32;

/// Where the guest's RAM starts, on QEMU's `virt` machine.
pub const RAM_ADDRESS: u64 = 0x8000_0000;
/// Image, data and stack end here at the latest, and the mailbox starts.
pub const MAILBOX_ADDRESS: u64 = 0x8080_0000;
/// Where heaps start: a multiple of the largest geometry's region alignment.
pub const HEAP_ADDRESS: u64 = 0x8200_0000;
/// Where their side memory starts: behind the largest heap, and as much behind as a guard.
pub const SIDE_ADDRESS: u64 = 0x8420_0000;
/// How much of it there is.
pub const SIDE_BYTES: u64 = 0x0020_0000;
/// The guest's RAM: up to the end of the side memory.
pub const RAM_BYTES: u64 = 0x0440_0000;

const HEAP_MAX: u64 = Geometry::BYTES_MAX;
const _: () = assert!(HEAP_ADDRESS.is_multiple_of(HEAP_MAX));
const _: () = assert!(MAILBOX_ADDRESS + (size_of::<Mailbox>() as u64) < HEAP_ADDRESS);
const _: () = assert!(HEAP_ADDRESS + HEAP_MAX < SIDE_ADDRESS);
const _: () = assert!(Geometry::largest().side_bytes() <= SIDE_BYTES);
const _: () = assert!(SIDE_ADDRESS + SIDE_BYTES <= RAM_ADDRESS + RAM_BYTES);

/// Subjects a guest can name.
pub const SUBJECTS_MAX: usize = 160;
/// Requests that can be under way at a time: work for half a millisecond, so that a host that
/// sleeps some tens of microseconds finds the guest still busy.
pub const SLOTS: usize = 32;
/// The most ops of a request that others may follow before it is answered.
pub const SHORT_OPS_MAX: usize = 256;

/// The record of a short request, kept until the host has read it.
pub type Answer = Transcript<SHORT_OPS_MAX, 0>;

/// The fixed part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The subject's place among the guest's names.
    pub subject: u32,
    /// The heap.
    pub heap: Geometry,
    /// Whether to check everything after every op.
    pub strict: bool,
    /// Whether to observe the table after every op.
    pub tables: bool,
    /// Whether to count what each op costs.
    pub metered: bool,
    /// For `capacity` ops: the largest request the fresh heap grants.
    pub fresh_capacity: u64,
}

/// A request, as it lies in memory, and its answer.
#[repr(C)]
struct Slot {
    subject: AtomicU32,
    heap_bytes: AtomicU32,
    heap_growth: AtomicU32,
    heap_taken_every: AtomicU32,
    flags: AtomicU32,
    ops_length: AtomicU32,
    fresh_capacity: AtomicU64,
    /// Of a short request.
    ops: [OpWords; SHORT_OPS_MAX],
    answer: Answer,
}

impl Slot {
    /// The heap of a request; of what no host writes, the published one.
    fn heap(&self) -> Geometry {
        let [bytes, pages, every] = [&self.heap_bytes, &self.heap_growth, &self.heap_taken_every]
            .map(|number| u64::from(number.load(Relaxed)));
        let first = Geometry::from_bytes(bytes).unwrap_or(Geometry::published());
        let growth = Growth::new(pages, Some(every).filter(|every| *every > 0));
        growth
            .and_then(|growth| first.growing(growth))
            .unwrap_or(first)
    }
}

/// The shared structure. All zero is a mailbox that nobody has used.
#[repr(C)]
pub struct Mailbox {
    ready: AtomicU64,
    /// Requests so far; the n-th is in slot n modulo [`SLOTS`].
    posted: AtomicU32,
    /// Answers so far.
    replied: AtomicU32,
    /// Not 0 once the guest has found its own data changed: it must be booted anew.
    spoiled: AtomicU32,
    /// Where the guest's coverage counters start, and how many bytes there are; 0 if it has none.
    counters: [AtomicU64; 2],
    names: [[AtomicU8; NAME_BYTES]; SUBJECTS_MAX],
    slots: [Slot; SLOTS],
    /// Of a request that was posted alone.
    ops: [OpWords; OPS_MAX],
    /// The record of the run under way.
    pub transcript: Transcript,
}

type OpWords = [AtomicU64; 2];

const FLAG_STRICT: u32 = 1;
const FLAG_TABLES: u32 = 2;
const FLAG_METERED: u32 = 4;
const FLAG_ALONE: u32 = 0x100;

/// The host's side.
impl Mailbox {
    /// The protocol version of a guest that is ready; `None` while it is not.
    #[must_use]
    pub fn guest_protocol(&self) -> Option<u32> {
        let ready = self.ready.load(Acquire);
        (ready & !0xffff_ffff == MAGIC).then_some(ready as u32)
    }

    /// The bytes of the n-th subject's name; empty behind the last.
    pub fn name(&self, subject: usize) -> impl Iterator<Item = u8> {
        let bytes = self.names.get(subject).into_iter().flatten();
        bytes
            .map(|byte| byte.load(Relaxed))
            .take_while(|&byte| byte != 0)
    }

    /// Posts a request that others may follow, and returns its number. At most [`SHORT_OPS_MAX`]
    /// ops are taken.
    ///
    /// # Panics
    /// If [`SLOTS`] requests are under way.
    pub fn post(&self, request: Request, ops: &[Op]) -> u32 {
        let waiting = self.posted().wrapping_sub(self.replied());
        assert!((waiting as usize) < SLOTS, "there is no free slot");
        let ops = &ops[..ops.len().min(SHORT_OPS_MAX)];
        let slot = self.slot(self.posted());
        write_ops(&slot.ops, ops);
        self.hand_over(request, ops.len(), 0)
    }

    /// Posts a request that is the only one until it is answered. At most [`OPS_MAX`] ops are
    /// taken.
    ///
    /// # Panics
    /// If another is under way.
    pub fn post_alone(&self, request: Request, ops: &[Op]) {
        assert!(self.is_idle(), "another request is under way");
        let ops = &ops[..ops.len().min(OPS_MAX)];
        write_ops(&self.ops, ops);
        self.transcript.clear();
        self.hand_over(request, ops.len(), FLAG_ALONE);
    }

    fn hand_over(&self, request: Request, ops: usize, alone: u32) -> u32 {
        let number = self.posted();
        let slot = self.slot(number);
        let mut flags = alone;
        for (set, flag) in [
            (request.strict, FLAG_STRICT),
            (request.tables, FLAG_TABLES),
            (request.metered, FLAG_METERED),
        ] {
            flags |= if set { flag } else { 0 };
        }
        slot.ops_length.store(ops as u32, Relaxed);
        slot.subject.store(request.subject, Relaxed);
        let growth = request.heap.growth();
        let every = growth.taken_every().unwrap_or(0);
        slot.heap_bytes
            .store(request.heap.first_bytes() as u32, Relaxed);
        slot.heap_growth.store(growth.pages() as u32, Relaxed);
        slot.heap_taken_every.store(every as u32, Relaxed);
        slot.flags.store(flags, Relaxed);
        slot.fresh_capacity.store(request.fresh_capacity, Relaxed);
        slot.answer.clear();
        self.posted.store(number.wrapping_add(1), Release);
        number
    }

    fn posted(&self) -> u32 {
        self.posted.load(Relaxed)
    }

    /// Answers so far.
    #[must_use]
    pub fn replied(&self) -> u32 {
        self.replied.load(Acquire)
    }

    /// Whether every request was answered.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.replied() == self.posted()
    }

    /// Whether the request of this number, one of the last [`SLOTS`], was answered.
    #[must_use]
    pub fn has_answered(&self, number: u32) -> bool {
        self.replied().wrapping_sub(number).wrapping_sub(1) < SLOTS as u32
    }

    /// The answer to the request of this number, which was not posted alone.
    #[must_use]
    pub fn answer(&self, number: u32) -> &Answer {
        &self.slot(number).answer
    }

    fn slot(&self, number: u32) -> &Slot {
        &self.slots[number as usize % SLOTS]
    }

    /// Where the guest's coverage counters lie, as an address and a number of bytes.
    #[must_use]
    pub fn counters(&self) -> (u64, u64) {
        (
            self.counters[0].load(Relaxed),
            self.counters[1].load(Relaxed),
        )
    }

    /// Whether the guest has found its own data changed.
    #[must_use]
    pub fn is_spoiled(&self) -> bool {
        self.spoiled.load(Relaxed) != 0
    }
}

/// The guest's side.
impl Mailbox {
    /// Names the n-th subject; longer names are cut.
    pub fn set_name(&self, subject: usize, name: &str) {
        for (slot, byte) in self.names[subject].iter().zip(name.bytes()) {
            slot.store(byte, Relaxed);
        }
    }

    /// Says that requests will be answered from now on.
    pub fn set_ready(&self) {
        self.ready.store(MAGIC | u64::from(PROTOCOL), Release);
    }

    /// Says where the coverage counters are, before [`Self::set_ready`].
    pub fn set_counters(&self, start: u64, bytes: u64) {
        self.counters[0].store(start, Relaxed);
        self.counters[1].store(bytes, Relaxed);
    }

    /// Whether a request waits for its reply.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.posted.load(Acquire) != self.replied.load(Relaxed)
    }

    /// The request that is next.
    #[must_use]
    pub fn request(&self) -> Request {
        let slot = self.slot(self.replied.load(Relaxed));
        let flags = slot.flags.load(Relaxed);
        Request {
            subject: slot.subject.load(Relaxed),
            heap: slot.heap(),
            strict: flags & FLAG_STRICT != 0,
            tables: flags & FLAG_TABLES != 0,
            metered: flags & FLAG_METERED != 0,
            fresh_capacity: slot.fresh_capacity.load(Relaxed),
        }
    }

    /// Copies the ops of the request that is next into `ops`, whatever that held, and returns
    /// those.
    pub fn ops<'a>(&self, ops: &'a mut [MaybeUninit<Op>; OPS_MAX]) -> &'a [Op] {
        let slot = self.slot(self.replied.load(Relaxed));
        let written = match slot.flags.load(Relaxed) & FLAG_ALONE {
            0 => &slot.ops[..],
            _ => &self.ops,
        };
        let length = (slot.ops_length.load(Relaxed) as usize).min(written.len());
        for (op, words) in ops[..length].iter_mut().zip(written) {
            let [low, high] = [&words[0], &words[1]].map(|half| u128::from(half.load(Relaxed)));
            op.write(decode_op(&(high << 64 | low).to_le_bytes()));
        }
        // SAFETY: the loop has written the first `length` ops, since `length` is at most
        // `written.len()`. A `MaybeUninit<Op>` lies in memory as an `Op` does.
        unsafe { &*(&raw const ops[..length] as *const [Op]) }
    }

    /// Says that the guest's own data have changed.
    pub fn set_spoiled(&self) {
        self.spoiled.store(1, Relaxed);
    }

    /// Says that the request is done; everything written before is visible to the host.
    pub fn set_replied(&self) {
        let number = self.replied.load(Relaxed);
        let slot = self.slot(number);
        if slot.flags.load(Relaxed) & FLAG_ALONE == 0 {
            self.transcript.copy_to(&slot.answer);
        }
        self.replied.store(number.wrapping_add(1), Release);
    }
}

fn write_ops(slots: &[OpWords], ops: &[Op]) {
    for (words, op) in slots.iter().zip(ops) {
        let record = u128::from_le_bytes(encode_op(op));
        words[0].store(record as u64, Relaxed);
        words[1].store((record >> 64) as u64, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::mem::offset_of;
    use std::format;

    /// A row of the book's table of a structure.
    macro_rules! rows {
        ($of:ty: $($field:ident: $bytes:expr),+) => {
            [$(format!(
                "| `{}` | {} | {} |",
                stringify!($field), offset_of!($of, $field), $bytes
            )),+]
        };
    }

    #[test]
    fn fields_lie_where_the_book_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guest-protocol.md");
        let page = std::fs::read_to_string(path).expect("the repository's page");
        let op = size_of::<OpWords>();
        let mailbox = rows![Mailbox:
            ready: 8, posted: 4, replied: 4, spoiled: 4, counters: 16,
            names: SUBJECTS_MAX * NAME_BYTES, slots: SLOTS * size_of::<Slot>(),
            ops: OPS_MAX * op, transcript: size_of::<Transcript>()
        ];
        let slot = rows![Slot:
            subject: 4, heap_bytes: 4, heap_growth: 4, heap_taken_every: 4, flags: 4,
            ops_length: 4, fresh_capacity: 8,
            ops: SHORT_OPS_MAX * op, answer: size_of::<Answer>()
        ];
        for row in mailbox.iter().chain(&slot) {
            assert!(page.contains(row), "{row}");
        }
    }
}
