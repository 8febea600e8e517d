//! What a run leaves in shared memory: written op by op by a process that may die at any of them,
//! read by one that does not trust it.
//!
//! The forked worker and the guest write the same structure. It is all atomics, so that both
//! sides hold plain shared references to it and a half-finished write is a wrong number, never
//! undefined behaviour. The order of writes is the protocol: `begun` is raised before an op is
//! called, `observed` after its record is complete, `end` last. No complete record means the op
//! was never finished.

#![allow(unsafe_code, reason = "it is shared memory")]

use core::fmt;
use core::mem::offset_of;
use core::ops::ControlFlow;
use core::panic::Location;
use core::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use core::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use crate::observation::Observation;
use crate::run::execute::{Completion, Sink};
use crate::source::within_crate;
use crate::trace::OPS_MAX;
use crate::wire::observation_record::{OBSERVATION_WORDS, decode_observation, encode_observation};

/// Bytes for printed tables, all of a run together.
pub const TEXT_BYTES: usize = 512 << 10;
/// Bytes for a panic's message; longer ones are cut.
pub const MESSAGE_BYTES: usize = 512;
/// Bytes for the path of the file in which a panic was raised; longer ones are cut.
pub const FILE_BYTES: usize = 128;

/// How far a run got, as a number in shared memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum End {
    /// Not at all: it is still running, or died without a word.
    None = 0,
    /// After the last op.
    Completed = 1,
    /// At a block outside the heap or a broken walk.
    Lost = 2,
    /// By the sink.
    Stopped = 3,
    /// By a panic; the message holds its text, the file and the line its place.
    Panicked = 4,
    /// By a fault; the fault words say which.
    Faulted = 5,
    /// By an op that did not return in time.
    Hung = 6,
}

/// A run's record in shared memory: of at most `OPS` ops, with room for `TEXT` bytes of tables.
#[repr(C)]
pub struct Transcript<const OPS: usize = OPS_MAX, const TEXT: usize = TEXT_BYTES> {
    /// Ops begun so far.
    begun: AtomicU32,
    /// Complete records so far.
    observed: AtomicU32,
    /// An [`End`].
    end: AtomicU32,
    /// Bytes of `message` in use.
    message_length: AtomicU32,
    /// Bytes of `text` in use.
    text_length: AtomicU32,
    /// Set once a table did not fit into `text`.
    text_cut: AtomicU32,
    /// Bytes of `file` in use.
    file_length: AtomicU32,
    /// The line that panicked; 0 if that is unknown.
    line: AtomicU32,
    /// On the host: signal, program counter, offset of the address touched from the heap's start.
    /// In the guest: mcause, mepc, mtval.
    fault: [AtomicU64; 3],
    message: [AtomicU8; MESSAGE_BYTES],
    /// The file of `line`, from its crate's folder on.
    file: [AtomicU8; FILE_BYTES],
    records: [[AtomicU64; OBSERVATION_WORDS]; OPS],
    /// What each op of a metered run cost.
    costs: [AtomicU64; OPS],
    /// Tables, each as the op's index and the length (4 bytes each, little-endian) and the text.
    text: [AtomicU8; TEXT],
}

impl<const OPS: usize, const TEXT: usize> Transcript<OPS, TEXT> {
    /// Where a debugger finds, from the transcript's start: the ops begun so far, the bytes of the
    /// tables printed so far (4 bytes each), and those.
    pub const PLACES: [usize; 3] = [
        offset_of!(Self, begun),
        offset_of!(Self, text_length),
        offset_of!(Self, text),
    ];

    /// Forgets the last run.
    pub fn clear(&self) {
        for word in [
            &self.begun,
            &self.observed,
            &self.end,
            &self.message_length,
            &self.text_length,
            &self.text_cut,
            &self.file_length,
            &self.line,
        ] {
            word.store(0, Release);
        }
        self.fault.iter().for_each(|word| word.store(0, Relaxed));
    }

    /// Ops begun so far: while it stands still, one op is running.
    #[must_use]
    pub fn begun(&self) -> u32 {
        self.begun.load(Acquire)
    }

    /// The count behind [`Self::begun`], for a watch that must not miss a change.
    #[must_use]
    pub const fn progress(&self) -> &AtomicU32 {
        &self.begun
    }

    /// How the run ended; a number that is no [`End`] is none.
    #[must_use]
    pub fn end(&self) -> End {
        const ENDS: [End; 7] = [
            End::None,
            End::Completed,
            End::Lost,
            End::Stopped,
            End::Panicked,
            End::Faulted,
            End::Hung,
        ];
        ENDS.get(self.end.load(Acquire) as usize)
            .copied()
            .unwrap_or(End::None)
    }

    /// Writes down how the run ended; the last thing a run does.
    pub fn set_end(&self, end: End) {
        self.end.store(end as u32, Release);
    }

    /// Writes down the fault words, before [`End::Faulted`].
    pub fn set_fault(&self, words: [u64; 3]) {
        for (shared, word) in self.fault.iter().zip(words) {
            shared.store(word, Relaxed);
        }
    }

    /// The fault words.
    #[must_use]
    pub fn fault(&self) -> [u64; 3] {
        [0, 1, 2].map(|index| self.fault[index].load(Relaxed))
    }

    /// Writes down a panic: what it says, where it was raised, and that it ended the run. Needs no
    /// memory of its own.
    pub fn set_panic(&self, message: fmt::Arguments<'_>, at: Option<&Location<'_>>) {
        self.message_length.store(0, Relaxed);
        // The writer cuts what does not fit and never fails.
        let _ = fmt::write(&mut Writer(&self.message, &self.message_length), message);
        let file = at.map_or("", |at| within_crate(at.file()));
        write(&self.file, &self.file_length, file.bytes());
        self.line.store(at.map_or(0, Location::line), Relaxed);
        self.set_end(End::Panicked);
    }

    /// The observations of all ops that finished, up to the first record that is none.
    pub fn observations(&self) -> impl Iterator<Item = Observation> {
        let observed = (self.observed.load(Acquire) as usize).min(OPS);
        self.records[..observed].iter().map_while(|record| {
            let mut words = [0; OBSERVATION_WORDS];
            for (word, shared) in words.iter_mut().zip(record) {
                *word = shared.load(Relaxed);
            }
            decode_observation(&words)
        })
    }

    /// What each op that finished cost, if the run was metered; of any other, nothing that means
    /// anything.
    pub fn costs(&self) -> impl Iterator<Item = u64> {
        let observed = (self.observed.load(Acquire) as usize).min(OPS);
        self.costs[..observed].iter().map(|cost| cost.load(Relaxed))
    }

    /// The bytes of the panic's message, cut at [`MESSAGE_BYTES`].
    pub fn message(&self) -> impl Iterator<Item = u8> {
        bytes(&self.message, &self.message_length)
    }

    /// Where it was raised: the bytes of the file's path, from its crate's folder on and cut at
    /// [`FILE_BYTES`], and the line; `None` if that is unknown.
    pub fn place(&self) -> Option<(impl Iterator<Item = u8>, u32)> {
        let line = self.line.load(Relaxed);
        (line != 0).then(|| (bytes(&self.file, &self.file_length), line))
    }

    /// The bytes of all tables, as described at the field, and whether some did not fit.
    pub fn text(&self) -> (impl Iterator<Item = u8>, bool) {
        let cut = self.text_cut.load(Relaxed) != 0;
        (bytes(&self.text, &self.text_length), cut)
    }

    /// Copies what a run has left here into `kept`, but for its tables and costs, and as many
    /// observations as fit there. Whatever stands here, the copy stays within bounds.
    pub fn copy_to<const KEPT: usize>(&self, kept: &Transcript<KEPT, 0>) {
        let observed = self.observed.load(Acquire);
        let records = self.records.iter().zip(&kept.records);
        for (from, to) in records.take(observed as usize) {
            for (from, to) in from.iter().zip(to) {
                to.store(from.load(Relaxed), Relaxed);
            }
        }
        // Most runs end without a fault and without a message.
        let end = self.end.load(Acquire);
        if end == End::Faulted as u32 {
            kept.set_fault(self.fault());
        }
        if end == End::Panicked as u32 {
            write(&kept.message, &kept.message_length, self.message());
            write(
                &kept.file,
                &kept.file_length,
                bytes(&self.file, &self.file_length),
            );
            kept.line.store(self.line.load(Relaxed), Relaxed);
        }
        kept.text_length.store(0, Relaxed);
        kept.begun.store(self.begun.load(Relaxed), Relaxed);
        kept.observed.store(observed, Relaxed);
        kept.end.store(end, Release);
    }
}

/// The bytes of a text of this length, or what there is of them.
fn bytes(text: &[AtomicU8], length: &AtomicU32) -> impl Iterator<Item = u8> {
    let length = (length.load(Acquire) as usize).min(text.len());
    text[..length].iter().map(|byte| byte.load(Relaxed))
}

/// Replaces a text, by what there is room for.
fn write(text: &[AtomicU8], length: &AtomicU32, bytes: impl Iterator<Item = u8>) {
    let written = text.iter().zip(bytes);
    let written = written
        .map(|(slot, byte)| slot.store(byte, Relaxed))
        .count();
    length.store(written as u32, Release);
}

/// Writes a text as it is formatted, behind what there is of it.
struct Writer<'a>(&'a [AtomicU8], &'a AtomicU32);

impl fmt::Write for Writer<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let at = self.1.load(Relaxed) as usize;
        let room = self.0.get(at..).unwrap_or_default();
        for (slot, byte) in room.iter().zip(text.bytes()) {
            slot.store(byte, Relaxed);
        }
        let length = at + text.len().min(room.len());
        self.1.store(length as u32, Release);
        Ok(())
    }
}

/// The sink that writes into a transcript.
pub struct Recorder<'a> {
    transcript: &'a Transcript,
}

impl<'a> Recorder<'a> {
    /// Records a new run, over the last one.
    #[must_use]
    pub fn new(transcript: &'a Transcript) -> Self {
        transcript.clear();
        Self { transcript }
    }

    /// Writes down how the run ended.
    pub fn finish(&self, completion: Completion) {
        self.transcript.set_end(match completion {
            Completion::Completed => End::Completed,
            Completion::Lost => End::Lost,
            Completion::Stopped => End::Stopped,
        });
    }
}

impl Sink for Recorder<'_> {
    #[inline]
    fn begin(&mut self, op: usize) {
        self.transcript.begun.store(op as u32 + 1, Release);
    }

    fn table(&mut self, text: &str) {
        let shared = self.transcript;
        let at = shared.text_length.load(Relaxed) as usize;
        let op = shared.begun.load(Relaxed).wrapping_sub(1);
        if at + 8 + text.len() > TEXT_BYTES {
            shared.text_cut.store(1, Relaxed);
            return;
        }
        let header = [op.to_le_bytes(), (text.len() as u32).to_le_bytes()];
        let bytes = header.as_flattened().iter().chain(text.as_bytes());
        for (slot, &byte) in shared.text[at..].iter().zip(bytes) {
            slot.store(byte, Relaxed);
        }
        shared
            .text_length
            .store((at + 8 + text.len()) as u32, Release);
    }

    fn cost(&mut self, count: u64) {
        let index = self.transcript.observed.load(Relaxed) as usize;
        if let Some(shared) = self.transcript.costs.get(index) {
            shared.store(count, Relaxed);
        }
    }

    #[inline]
    fn observe(&mut self, observation: &Observation) -> ControlFlow<()> {
        let index = self.transcript.observed.load(Relaxed) as usize;
        let Some(record) = self.transcript.records.get(index) else {
            return ControlFlow::Break(());
        };
        for (shared, word) in record.iter().zip(encode_observation(observation)) {
            shared.store(word, Relaxed);
        }
        self.transcript.observed.store(index as u32 + 1, Release);
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn fields_lie_where_the_book_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/guest-protocol.md");
        let page = std::fs::read_to_string(path).expect("the repository's page");
        let record = OBSERVATION_WORDS * 8;
        macro_rules! rows {
            ($($field:ident: $bytes:expr),+) => {
                [$((stringify!($field), offset_of!(Transcript, $field), $bytes)),+]
            };
        }
        let rows = rows![
            begun: 4, observed: 4, end: 4, message_length: 4, text_length: 4, text_cut: 4,
            file_length: 4, line: 4, fault: 24,
            message: MESSAGE_BYTES, file: FILE_BYTES, records: record * OPS_MAX,
            costs: 8 * OPS_MAX, text: TEXT_BYTES
        ];
        for (field, offset, bytes) in rows {
            let row = format!("| `{field}` | {offset} | {bytes} |");
            assert!(page.contains(&row), "{row}");
        }
    }

    #[test]
    fn a_long_message_does_not_cut_the_place() {
        // SAFETY: atomics throughout, of which zero is a value.
        let [transcript, kept]: [Transcript<1, 0>; 2] = unsafe { core::mem::zeroed() };
        let long = "x".repeat(MESSAGE_BYTES + 1);
        let here = Location::caller();
        transcript.set_panic(format_args!("{long}{long}"), Some(here));
        transcript.copy_to(&kept);
        for transcript in [&transcript, &kept] {
            assert_eq!(transcript.end(), End::Panicked);
            assert_eq!(transcript.message().count(), MESSAGE_BYTES);
            let (file, line) = transcript.place().expect("a place");
            assert!(file.eq("harness/src/wire/transcript.rs".bytes()));
            assert_eq!(line, here.line());
        }
        transcript.set_panic(format_args!("short"), None);
        assert!(transcript.message().eq("short".bytes()));
        assert!(transcript.place().is_none());
    }
}
