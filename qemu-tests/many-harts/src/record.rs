//! What the kernel and its host share: what the host asks for, and a record of each call on the
//! heap.
//!
//! It lies at one place in RAM, which the host maps, so that what a kernel did before it hung or
//! died can still be read. A *context* is a hart or its interrupt handler; each has a log that
//! nobody else writes.

use core::sync::atomic::AtomicU64;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Harts that the kernel needs.
pub const HARTS: usize = 4;
/// Hart `n` is context `2 * n`, its interrupt handler the one behind it.
pub const CONTEXTS: usize = 2 * HARTS;
/// Bytes of the heap: a few less than its users would like.
pub const HEAP_BYTES: usize = 4 * 4096;
/// Where the shared memory starts: behind the kernel's own.
pub const MAILBOX: u64 = 0x8200_0000;
/// Calls that a context can record.
pub const RECORDS_MAX: usize = 1 << 16;
/// In the place of an offset: none.
pub const NONE: u64 = u64::MAX;

/// What the host says, and the logs. All of it starts as zeros.
#[repr(C)]
pub struct Mailbox {
    /// The last word that the host writes: which kernel ([`Build`]) to be.
    pub go: AtomicU64,
    /// Steps of each hart.
    pub steps: AtomicU64,
    /// What the harts draw their calls from.
    pub seed: AtomicU64,
    /// Set once all logs are complete.
    pub complete: AtomicU64,
    /// By context.
    pub logs: [Log; CONTEXTS],
}

/// The kernels that the image can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Build {
    /// What is shipped.
    Shipped = 1,
    /// A lock that keeps nobody out.
    LockNotTaken = 2,
    /// Interrupts come while the lock is held.
    InterruptsNotMasked = 3,
}

impl Build {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Shipped, Self::LockNotTaken, Self::InterruptsNotMasked];
}

/// The records of one context, in the order in which it made them.
#[repr(C)]
pub struct Log {
    length: AtomicU64,
    records: [[AtomicU64; 4]; RECORDS_MAX],
}

impl Log {
    /// Appends a record, unless the log is full. Of one context's own.
    pub fn push(&self, record: Record) -> bool {
        let length = self.length.load(Relaxed);
        let Some(words) = self.records.get(length as usize) else {
            return false;
        };
        for (word, value) in words.iter().zip(record.to_words()) {
            word.store(value, Relaxed);
        }
        self.length.store(length + 1, Release);
        true
    }

    /// How many there are.
    pub fn length(&self) -> usize {
        (self.length.load(Acquire) as usize).min(RECORDS_MAX)
    }

    /// The record of this index; `None` if it makes no sense.
    pub fn get(&self, index: usize) -> Option<Record> {
        let words = self.records.get(index)?;
        Record::from_words(words.each_ref().map(|word| word.load(Relaxed)))
    }
}

/// One call on the heap, or what its client saw. Offsets are from the heap's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// The call's place among the calls of all contexts, taken with the lock held; [`NONE`] for
    /// what a client saw.
    pub order: u64,
    /// What it was.
    pub event: Event,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "sizes in bytes, offsets of blocks")]
pub enum Event {
    /// Room was asked for, and found at `at` or not ([`NONE`]).
    Place { size: u64, align: u8, at: u64 },
    /// A block was to be resized where it is.
    Resize { at: u64, size: u64, done: bool },
    /// A block was freed, or its `free` refused.
    Free { at: u64, done: bool },
    /// A client found this byte of its block changed.
    Changed { at: u64, byte: u64 },
    /// A client found this byte of a zeroed block not to be 0.
    NotZeroed { at: u64, byte: u64 },
}

impl Record {
    /// `[order, kind and detail, size or byte, offset]`.
    fn to_words(self) -> [u64; 4] {
        let (kind, detail, number, at) = match self.event {
            Event::Place { size, align, at } => (1, align, size, at),
            Event::Resize { at, size, done } => (2, done.into(), size, at),
            Event::Free { at, done } => (3, done.into(), 0, at),
            Event::Changed { at, byte } => (4, 0, byte, at),
            Event::NotZeroed { at, byte } => (5, 0, byte, at),
        };
        [self.order, kind | u64::from(detail) << 8, number, at]
    }

    fn from_words([order, kind, number, at]: [u64; 4]) -> Option<Self> {
        let detail = u8::try_from(kind >> 8).ok()?;
        let event = match (kind & 0xff, detail) {
            (1, align) => Event::Place {
                size: number,
                align,
                at,
            },
            (2, done @ 0..=1) => Event::Resize {
                at,
                size: number,
                done: done == 1,
            },
            (3, done @ 0..=1) => Event::Free {
                at,
                done: done == 1,
            },
            (4, 0) => Event::Changed { at, byte: number },
            (5, 0) => Event::NotZeroed { at, byte: number },
            _ => return None,
        };
        Some(Self { order, event })
    }
}
