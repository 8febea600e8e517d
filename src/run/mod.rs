//! A run that has ended, on whichever side: what each op did, what was printed, and how it ended.

pub mod fault;

use harness::execute::Plan;
use harness::geometry::Geometry;
use harness::heap::Strength;
use harness::observation::Observation;
use harness::op::Op;
use harness::transcript::{End, Transcript};
use serde::{Deserialize, Serialize};

use crate::run::fault::{Fault, Panic};

/// How a trace is to be run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunOptions {
    /// How much to check.
    pub strength: Strength,
    /// Whether to observe the printed table after every op, rather than at `table` ops only.
    pub tables: bool,
    /// The request that a `capacity` op makes: the largest that the fresh heap grants, in bytes; 0
    /// if that is unknown.
    pub fresh_capacity: u64,
}

impl RunOptions {
    /// Everything checked after every op, tables at `table` ops.
    pub const STRICT: Self = Self {
        strength: Strength::Strict,
        tables: false,
        fresh_capacity: 0,
    };

    /// What a search needs: both ends of blocks at their free, walks now and then.
    pub const FAST: Self = Self {
        strength: Strength::Fast,
        tables: false,
        fresh_capacity: 0,
    };

    /// The same, where the fresh heap grants so many bytes.
    #[must_use]
    pub const fn knowing(self, fresh_capacity: u64) -> Self {
        Self {
            fresh_capacity,
            ..self
        }
    }

    /// The plan of running these ops, on a machine that counts no instructions.
    #[must_use]
    pub const fn plan(self, ops: &[Op]) -> Plan<'_> {
        Plan {
            ops,
            strength: self.strength,
            tables: self.tables,
            fresh_capacity: self.fresh_capacity,
            meter: None,
        }
    }
}

/// The record of one trace on one subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// One for each op that finished.
    pub observations: Vec<Observation>,
    /// Each printed table: the op it was printed at, and its text in offsets.
    pub tables: Vec<(usize, String)>,
    /// How it ended.
    pub end: RunEnd,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunEnd {
    /// After the last op.
    Completed,
    /// At a block outside the heap or a broken walk, which the last observation shows.
    Lost,
    /// The op behind the last observation panicked.
    Panicked(Panic),
    /// The op behind the last observation made an access that trapped, or the record is none.
    Faulted(Fault),
    /// The op behind the last observation did not return.
    Hung,
}

impl Run {
    /// Reads what a run left in shared memory. `died` says how it ended if it left no word of that
    /// itself; `fault` knows what the fault words mean.
    #[must_use]
    pub fn read<const OPS: usize, const TEXT: usize>(
        transcript: &Transcript<OPS, TEXT>,
        died: impl FnOnce() -> RunEnd,
        fault: impl FnOnce([u64; 3]) -> Fault,
    ) -> Self {
        let end = match transcript.end() {
            End::Completed | End::Stopped => RunEnd::Completed,
            End::Lost => RunEnd::Lost,
            End::Panicked => RunEnd::Panicked(Panic::read(transcript)),
            End::Faulted => RunEnd::Faulted(fault(transcript.fault())),
            End::Hung => RunEnd::Hung,
            End::None => died(),
        };
        let observed = transcript.observations();
        // All at once: how many there are at most is known, and that all of them can be read is
        // usual.
        let mut observations = Vec::with_capacity(observed.size_hint().1.unwrap_or(0));
        observations.extend(observed);
        Self {
            observations,
            tables: tables(transcript),
            end,
        }
    }

    /// Small heaps end inside a page, where no guard page can catch a store behind the end; the
    /// bytes there are watched instead. Such a store is told as the fault that it is where guards
    /// are exact.
    pub(crate) fn faulted_at_stray_store(mut self, geometry: Geometry) -> Self {
        let strays = |observation: &Observation| observation.contents.stray_store;
        if let Some(at) = self.observations.iter().position(|o| strays(o).is_some()) {
            self.end = RunEnd::Faulted(Fault::Store {
                offset: strays(&self.observations[at]).unwrap_or_default(),
                heap_bytes: geometry.bytes(),
            });
            self.observations.truncate(at);
            self.tables.retain(|(op, _)| *op < at);
        }
        self
    }
}

fn tables<const OPS: usize, const TEXT: usize>(
    transcript: &Transcript<OPS, TEXT>,
) -> Vec<(usize, String)> {
    let bytes: Vec<u8> = transcript.text().0.collect();
    let mut rest = bytes.as_slice();
    let mut tables = Vec::new();
    while let Some((&[o0, o1, o2, o3, l0, l1, l2, l3], behind)) = rest.split_first_chunk() {
        let length = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        let (text, behind) = behind.split_at(length.min(behind.len()));
        let op = u32::from_le_bytes([o0, o1, o2, o3]) as usize;
        tables.push((op, String::from_utf8_lossy(text).into_owned()));
        rest = behind;
    }
    tables
}
