//! A guest that counts instructions, so that what an allocator costs is a number that repeats.
//!
//! QEMU runs it with `-icount shift=0`. It is a type of its own because nothing else can measure a
//! cost: this machine has no such counter, and a guest without `-icount` counts its host's time.

use std::path::Path;

use anyhow::Result;
use harness::entry::Entry;
use harness::trace::Trace;

use super::{Configuration, Guest, Recorded};
use crate::run::{Run, RunOptions};

/// A guest whose clock is the number of instructions.
pub struct Counted {
    guest: Guest,
}

/// A run, and what each op cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountedRun {
    /// The run.
    pub run: Run,
    /// Of each observed op, the instructions of the subject's own calls: those that a call does not
    /// share with one that returns at once.
    pub costs: Vec<u64>,
}

impl CountedRun {
    /// What the whole trace cost, as far as it was observed.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.costs.iter().sum()
    }
}

impl Counted {
    /// Boots `image` in machine mode, so that a rig that cannot is told at once.
    ///
    /// # Errors
    /// As for [`Guest::start`].
    pub fn start(image: &Path) -> Result<Self> {
        Self::start_as(image, &Configuration::default())
    }

    /// The same in a configuration of one's choice.
    ///
    /// # Errors
    /// As for [`Guest::start_as`].
    pub fn start_as(image: &Path, configuration: &Configuration) -> Result<Self> {
        let guest = Guest::boot(image, configuration, true)?;
        Ok(Self { guest })
    }

    /// Runs a trace. However much is checked, the costs are the same.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    pub fn run(&mut self, entry: &Entry, trace: &Trace, options: RunOptions) -> Result<CountedRun> {
        let options = self.guest.informed(entry, trace, options)?;
        let Recorded { run, costs } = self.guest.record(entry, trace, options, true)?;
        Ok(CountedRun { run, costs })
    }
}
