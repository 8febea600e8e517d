//! What cut a run short, as facts: what trapped and where, or what is wrong with the record. In
//! words: [`crate::wording`].
//!
//! No address and no path of this machine is among them, so the same fault is the same value on
//! each.

use std::fmt;

use harness::geometry::Geometry;
use harness::observation::Outcome;
use harness::op::Handle;
use harness::transcript::Transcript;
use serde::{Deserialize, Serialize};

use crate::run::RunEnd;

/// A panic.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Panic {
    /// What was said.
    pub message: String,
    /// The line that panicked, where it is known.
    pub source: Option<SourceLine>,
}

impl Panic {
    /// One whose place is not known.
    #[must_use]
    pub fn saying(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            source: None,
        }
    }

    /// The panic that a run has left in shared memory.
    pub(crate) fn read<const OPS: usize, const TEXT: usize>(
        transcript: &Transcript<OPS, TEXT>,
    ) -> Self {
        let message: Vec<u8> = transcript.message().collect();
        let source = transcript.place().map(|(file, line)| {
            let file: Vec<u8> = file.collect();
            let file = String::from_utf8_lossy(&file).into_owned();
            SourceLine { file, line }
        });
        Self {
            message: String::from_utf8_lossy(&message).into_owned(),
            source,
        }
    }
}

/// What cut a run short, other than a panic or a hang.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// A signal on the host.
    Signal {
        /// Its number.
        number: u64,
        /// The place accessed, where the signal is about an access.
        at: Option<Place>,
        /// The line of the instruction, where the program tells.
        source: Option<SourceLine>,
    },
    /// A trap in the guest.
    Trap {
        /// `mcause`, or in supervisor mode `scause`, which has the same numbers.
        cause: u64,
        /// The place accessed, where the cause is an access.
        at: Option<Place>,
        /// The line of the instruction, where the image tells.
        source: Option<SourceLine>,
    },
    /// A store outside the subject's memory that nothing trapped; it was seen behind the op.
    Store {
        /// The first byte, from the heap's start: inside the heap, in a page of another owner.
        offset: u64,
        /// The heap's size.
        heap_bytes: u64,
    },
    /// An answer that the harness never gives to such an op.
    Answer {
        /// The answer.
        #[serde(with = "OutcomeForm")]
        outcome: Outcome,
    },
    /// A record of another number of ops than the trace's.
    Record {
        /// Ops in the record.
        observed: usize,
        /// Ops of the trace.
        ops: usize,
    },
    /// The host's worker exited without reporting a result.
    WorkerSilent,
    /// The guest replied without a record.
    GuestSilent,
    /// The guest's process ended.
    GuestDied {
        /// What QEMU and the guest's console said.
        said: String,
    },
    /// The guest's record contradicts itself.
    GuestContradicts {
        /// Ops observed.
        observed: usize,
        /// Ops begun.
        begun: usize,
        /// Ops of the trace.
        ops: usize,
        /// How the run ended, by the record.
        end: Box<RunEnd>,
    },
    /// The guest found its own constant data changed after the run.
    GuestDamaged {
        /// How the run ended.
        end: Box<RunEnd>,
    },
    /// A run among others in the guest ended badly, but alone it did not.
    NotAlone {
        /// How it ended among others.
        among: Box<RunEnd>,
        /// How it ended alone.
        alone: Box<RunEnd>,
    },
}

/// What an address belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// The heap or its surroundings: bytes from its start, negative before it.
    Heap(i64),
    /// The null page: bytes from address 0.
    Null(u64),
    /// The guest's own code, data or stack.
    Guest,
    /// What the guest shares with the host.
    Mailbox,
    /// Anything else.
    Far,
}

impl Place {
    /// The place so many bytes from the start of a heap.
    #[must_use]
    pub const fn from_heap(offset: i64, geometry: Geometry) -> Self {
        let near = geometry.region_align() as i64;
        if offset >= -near && offset < geometry.bytes() as i64 + near {
            Self::Heap(offset)
        } else {
            Self::Far
        }
    }
}

/// A line of source code.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourceLine {
    /// The file, from its crate's folder on.
    pub file: String,
    /// Counted from 1.
    pub line: u32,
}

impl fmt::Display for SourceLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file, self.line)
    }
}

/// How a handle is serialised: as its number.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Handle")]
pub(crate) struct HandleForm(u32);

/// How an outcome is serialised.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Outcome", rename_all = "snake_case")]
pub(crate) enum OutcomeForm {
    Placed(i64),
    Null,
    Done,
    Refused,
    Capacity(u64),
    NotExpressible,
    NoBlock,
}
