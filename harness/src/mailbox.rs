//! How host and guest talk: one structure at a fixed place in the guest's RAM, which both map.
//!
//! ```text
//! host                                guest
//!                                     boots, writes its subjects' names, sets `ready`
//! writes the request, the ops;
//!                   `request` += 1 -> sees it, runs, writes the transcript
//!        sees it                   <- `reply` = `request`
//! ```
//!
//! One request is under way at a time. A panic or a trap ends a request with a reply like any
//! other; a guest that never replies is hung or dead, which the host tells from outside.
//! Everything is atomics (see [`Transcript`]), so neither side can make the other's memory unsound.

use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use crate::op::Op;
use crate::record::{decode_op, encode_op};
use crate::trace::OPS_MAX;
use crate::transcript::Transcript;

/// Raised whenever the meaning of anything in this file, `record` or `transcript` changes.
pub const PROTOCOL: u32 = 2;
/// The upper half of a valid `ready`: the lower half is the protocol version.
const MAGIC: u64 = 0x6b6d_656d << 32;

/// Where the guest's RAM starts, on QEMU's `virt` machine.
pub const RAM_ADDRESS: u64 = 0x8000_0000;
/// Image, data and stack end here at the latest, and the mailbox starts.
pub const MAILBOX_ADDRESS: u64 = 0x8080_0000;
/// Where heaps start: a multiple of the largest geometry's region alignment.
pub const HEAP_ADDRESS: u64 = 0x8200_0000;
/// The guest's RAM: up to the end of the largest heap, and one guard page's worth more.
pub const RAM_BYTES: u64 = 0x0420_0000;

const HEAP_MAX: u64 = crate::geometry::Geometry::BYTES_MAX;
const _: () = assert!(HEAP_ADDRESS.is_multiple_of(HEAP_MAX));
const _: () = assert!(MAILBOX_ADDRESS + (size_of::<Mailbox>() as u64) < HEAP_ADDRESS);
const _: () = assert!(HEAP_ADDRESS + HEAP_MAX < RAM_ADDRESS + RAM_BYTES);

/// Subjects a guest can name.
pub const SUBJECTS_MAX: usize = 128;
/// Bytes of a subject's name.
pub const NAME_BYTES: usize = 32;

/// The fixed part of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// The subject's place among the guest's names.
    pub subject: u32,
    /// The heap, in bytes.
    pub heap_bytes: u32,
    /// Whether to check everything after every op.
    pub strict: bool,
    /// Whether to observe the table after every op.
    pub tables: bool,
    /// Whether to count what each op costs.
    pub metered: bool,
    /// For `capacity` ops: the largest request the fresh heap grants.
    pub fresh_capacity: u64,
}

/// The shared structure. All zero is a mailbox that nobody has used.
#[repr(C)]
pub struct Mailbox {
    ready: AtomicU64,
    request: AtomicU32,
    reply: AtomicU32,
    subject: AtomicU32,
    heap_bytes: AtomicU32,
    flags: AtomicU32,
    fresh_capacity: AtomicU64,
    ops_length: AtomicU32,
    /// Not 0 once the guest has found its own data changed: it must be booted anew.
    spoiled: AtomicU32,
    names: [[AtomicU8; NAME_BYTES]; SUBJECTS_MAX],
    ops: [[AtomicU64; 2]; OPS_MAX],
    /// The record of the run.
    pub transcript: Transcript,
}

const FLAG_STRICT: u32 = 1;
const FLAG_TABLES: u32 = 2;
const FLAG_METERED: u32 = 4;

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

    /// Posts a request. At most [`OPS_MAX`] ops are taken.
    pub fn post(&self, request: Request, ops: &[Op]) {
        let ops = &ops[..ops.len().min(OPS_MAX)];
        for (slot, op) in self.ops.iter().zip(ops) {
            let record = u128::from_le_bytes(encode_op(op));
            slot[0].store(record as u64, Relaxed);
            slot[1].store((record >> 64) as u64, Relaxed);
        }
        let mut flags = 0;
        for (set, flag) in [
            (request.strict, FLAG_STRICT),
            (request.tables, FLAG_TABLES),
            (request.metered, FLAG_METERED),
        ] {
            flags |= if set { flag } else { 0 };
        }
        self.ops_length.store(ops.len() as u32, Relaxed);
        self.subject.store(request.subject, Relaxed);
        self.heap_bytes.store(request.heap_bytes, Relaxed);
        self.flags.store(flags, Relaxed);
        self.fresh_capacity.store(request.fresh_capacity, Relaxed);
        self.transcript.clear();
        self.request
            .store(self.request.load(Relaxed).wrapping_add(1), Release);
    }

    /// Whether the last request was answered.
    #[must_use]
    pub fn replied(&self) -> bool {
        self.reply.load(Acquire) == self.request.load(Relaxed)
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

    /// Whether a request waits for its reply.
    #[must_use]
    pub fn waits(&self) -> bool {
        self.request.load(Acquire) != self.reply.load(Relaxed)
    }

    /// The request that waits.
    #[must_use]
    pub fn request(&self) -> Request {
        let flags = self.flags.load(Relaxed);
        Request {
            subject: self.subject.load(Relaxed),
            heap_bytes: self.heap_bytes.load(Relaxed),
            strict: flags & FLAG_STRICT != 0,
            tables: flags & FLAG_TABLES != 0,
            metered: flags & FLAG_METERED != 0,
            fresh_capacity: self.fresh_capacity.load(Relaxed),
        }
    }

    /// Copies the request's ops into `ops` and returns those.
    pub fn ops<'a>(&self, ops: &'a mut [Op; OPS_MAX]) -> &'a [Op] {
        let length = (self.ops_length.load(Relaxed) as usize).min(OPS_MAX);
        for (op, slot) in ops[..length].iter_mut().zip(&self.ops) {
            let [low, high] = [&slot[0], &slot[1]].map(|half| u128::from(half.load(Relaxed)));
            *op = decode_op(&(high << 64 | low).to_le_bytes());
        }
        &ops[..length]
    }

    /// Says that the guest's own data have changed.
    pub fn set_spoiled(&self) {
        self.spoiled.store(1, Relaxed);
    }

    /// Says that the request is done; everything written before is visible to the host.
    pub fn set_replied(&self) {
        self.reply.store(self.request.load(Relaxed), Release);
    }
}
