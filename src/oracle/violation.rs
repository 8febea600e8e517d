//! A broken rule as a value: a variant for each rule, with the evidence of it. In words:
//! [`crate::wording`]; as JSON: docs/formats.md.
//!
//! Sizes and offsets are in bytes, offsets from the heap's start, whatever unit the subject's own
//! table has.

use harness::observation::{Contents, Outcome, WalkDigest};
use harness::op::Handle;
use harness::subject;
use serde::{Deserialize, Serialize};

use crate::oracle::model::contract;
use crate::oracle::rules::Rule;
use crate::run::RunEnd;
use crate::run::fault::{Fault, HandleForm, OutcomeForm, Panic, SourceLine};

/// The chunks of a list that are kept as evidence: about what a line still tells at a glance.
const CHUNKS_MAX: usize = 12;

/// A broken rule: each variant is the [`Rule`] of its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "rule", rename_all = "kebab-case")]
#[allow(
    missing_docs,
    reason = "a field without a remark is what its name says"
)]
pub enum Violation {
    ImpossibleSuccess {
        block: Block,
        heap_bytes: u64,
    },
    OutOfBounds {
        block: Block,
        heap_bytes: u64,
        /// Whether pages of the heap belong to other owners.
        other_owners: bool,
    },
    Overlap {
        block: Block,
        /// The live block that it shares bytes with.
        other: Block,
    },
    Misaligned {
        block: Block,
        /// As it was asked for.
        align: u64,
    },
    Corrupted {
        #[serde(with = "HandleForm")]
        handle: Handle,
        /// Where the block lies, unless the client has none of this name.
        offset: Option<u64>,
        /// The first changed byte, from the block's start.
        byte: u64,
    },
    NotZeroed {
        #[serde(with = "HandleForm")]
        handle: Handle,
        size: u64,
        /// The first byte that is not 0, from the block's start.
        byte: u64,
    },
    ReallocLostContents {
        #[serde(with = "HandleForm")]
        handle: Handle,
        /// How many bytes had to be carried over.
        carried: u64,
        /// The first byte that differs, from the block's start.
        byte: u64,
    },
    SpuriousOom {
        size: u64,
        align: u64,
        /// Where that fits; `None`: the empty heap granted the same request before.
        fits_at: Option<u64>,
    },
    Leak(Leak),
    BrokenTable(TableBreak),
    Unmerged {
        /// The free chunk that another one follows.
        offset: u64,
    },
    /// Offsets; `None` is null.
    Placement {
        #[serde(with = "HandleForm")]
        handle: Handle,
        expected: Option<i64>,
        observed: Option<i64>,
    },
    Table {
        /// The exact model's chunks.
        expected: Chunks,
        /// How many chunks the subject lists.
        observed: u32,
    },
    MisuseAccepted,
    MisuseDamage(Damage),
    Panic(Panic),
    Fault(Fault),
    Hang,
    /// What each side shows where the two differ.
    HostGuest {
        host: Seen,
        guest: Seen,
    },
}

impl Violation {
    /// The rule that is broken.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        match self {
            Self::ImpossibleSuccess { .. } => Rule::ImpossibleSuccess,
            Self::OutOfBounds { .. } => Rule::OutOfBounds,
            Self::Overlap { .. } => Rule::Overlap,
            Self::Misaligned { .. } => Rule::Misaligned,
            Self::Corrupted { .. } => Rule::Corrupted,
            Self::NotZeroed { .. } => Rule::NotZeroed,
            Self::ReallocLostContents { .. } => Rule::ReallocLostContents,
            Self::SpuriousOom { .. } => Rule::SpuriousOom,
            Self::Leak(_) => Rule::Leak,
            Self::BrokenTable(_) => Rule::BrokenTable,
            Self::Unmerged { .. } => Rule::Unmerged,
            Self::Placement { .. } => Rule::Placement,
            Self::Table { .. } => Rule::Table,
            Self::MisuseAccepted => Rule::MisuseAccepted,
            Self::MisuseDamage(_) => Rule::MisuseDamage,
            Self::Panic(_) => Rule::Panic,
            Self::Fault(_) => Rule::Fault,
            Self::Hang => Rule::Hang,
            Self::HostGuest { .. } => Rule::HostGuest,
        }
    }

    /// The line of code that a panic or a fault ended in, where it is known.
    #[must_use]
    pub const fn source(&self) -> Option<&SourceLine> {
        match self {
            Self::Panic(Panic { source, .. })
            | Self::Fault(Fault::Signal { source, .. } | Fault::Trap { source, .. }) => {
                source.as_ref()
            }
            _ => None,
        }
    }

    /// What a run breaks by ending like this; `None` if it ended by itself.
    #[must_use]
    pub fn of_end(end: &RunEnd) -> Option<Self> {
        match end {
            RunEnd::Completed | RunEnd::Lost => None,
            RunEnd::Panicked(panic) => Some(Self::Panic(panic.clone())),
            RunEnd::Faulted(fault) => Some(Self::Fault(fault.clone())),
            RunEnd::Hung => Some(Self::Hang),
        }
    }
}

/// A block as the subject placed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Its name.
    #[serde(with = "HandleForm")]
    pub handle: Handle,
    /// Its first byte; negative before the heap.
    pub offset: i64,
    /// As it was asked for.
    pub size: u64,
}

impl From<contract::Block> for Block {
    fn from(block: contract::Block) -> Self {
        Self {
            handle: block.handle,
            offset: block.offset.cast_signed(),
            size: block.size,
        }
    }
}

/// Memory that does not come back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leak {
    /// The empty heap grants too little.
    Capacity {
        /// The largest request that it grants.
        granted: u64,
        /// The largest that the fresh heap granted.
        fresh: u64,
        /// How many times in a row it has fallen, of a subject that may keep some.
        falls: Option<u32>,
    },
    /// A live block was not taken back; `None`: one of those that `free all` frees.
    Refused(Option<Block>),
}

/// Where a chunk list contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableBreak {
    /// The walk does not end at the tail.
    Walk {
        /// The chunk that does not end where the next one begins.
        offset: u64,
        /// How many chunks were walked.
        chunks: u32,
    },
    /// A printed line, counted from 0, contradicts the walk.
    Line(u32),
}

/// The start of a chunk list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunks {
    /// How many there are.
    pub count: usize,
    /// The lowest of them, at most twelve.
    pub first: Vec<Chunk>,
}

/// A chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Its first byte.
    pub offset: u64,
    /// Its size, header included.
    pub size: u64,
    /// Whether it is handed out.
    pub taken: bool,
}

impl FromIterator<subject::Chunk> for Chunks {
    fn from_iter<I: IntoIterator<Item = subject::Chunk>>(chunks: I) -> Self {
        let (mut count, mut first) = (0, Vec::new());
        for subject::Chunk {
            offset,
            size,
            taken,
        } in chunks
        {
            count += 1;
            if count <= CHUNKS_MAX {
                first.push(Chunk {
                    offset,
                    size,
                    taken,
                });
            }
        }
        Self { count, first }
    }
}

/// What a client's error, or `free null`, had as an effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Damage {
    /// `free null` was refused.
    Refused,
    /// The chunk list is another.
    Chunks {
        /// How many chunks there were.
        before: u32,
        /// How many there are.
        after: u32,
    },
    /// A live block's byte changed.
    Contents(ChangedByte),
}

/// The first changed byte of a live block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangedByte {
    /// The block.
    #[serde(with = "HandleForm")]
    pub handle: Handle,
    /// The byte, from the block's start.
    pub byte: u64,
}

/// What one side shows where the other shows something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// What the subject answered.
    Outcome(#[serde(with = "OutcomeForm")] Outcome),
    /// How the run ended in this op.
    End(RunEnd),
    /// What the checks of memory found.
    Memory(Memory),
    /// A chunk walk.
    Walk(#[serde(with = "WalkForm")] WalkDigest),
    /// No chunk walk.
    NoWalk,
    /// The first line of the printed table that contradicts the walk, counted from 0.
    TableLine(Option<u32>),
}

/// What the checks of memory found; bytes count from their block's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// A live block's byte that changed.
    pub corrupted: Option<ChangedByte>,
    /// A byte of a zeroed block that is not 0.
    pub not_zeroed: Option<u64>,
    /// A byte that a realloc did not carry over.
    pub realloc_lost: Option<u64>,
    /// A byte outside the subject's memory that was stored to, from the heap's start.
    pub stray_store: Option<u64>,
}

impl From<Contents> for Memory {
    fn from(contents: Contents) -> Self {
        let Contents {
            corrupted,
            not_zeroed,
            realloc_lost,
            stray_store,
        } = contents;
        Self {
            corrupted: corrupted.map(|(handle, byte)| ChangedByte { handle, byte }),
            not_zeroed,
            realloc_lost,
            stray_store,
        }
    }
}

/// How a digest is serialised.
#[derive(Serialize, Deserialize)]
#[serde(remote = "WalkDigest")]
struct WalkForm {
    broken_at: Option<u64>,
    unmerged_at: Option<u64>,
    chunks: u32,
    hash: u64,
}
