//! Something that runs traces: the host or a guest. Everything above does not care which.

use anyhow::Result;
use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::trace::Trace;

use crate::run::{Run, RunOptions};

/// One side of the comparison. It runs, and nothing else.
pub trait Executor {
    /// Runs a trace on a fresh instance of a subject over a fresh heap. However badly the subject
    /// behaves, the answer is a run.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    fn run(&mut self, entry: &Entry, trace: &Trace, options: RunOptions) -> Result<Run>;

    /// Searches for the largest request that a fresh heap grants, all in one process. `None` where
    /// that cannot be done, or the subject does not survive it.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    fn probe(&mut self, _: &Entry, _: Geometry) -> Result<Option<u64>> {
        Ok(None)
    }

    /// Whether hangs are confirmed in a second, longer run before they are reported. Whoever only
    /// searches, and confirms in the end, may do without.
    fn confirm_hangs(&mut self, confirm: bool);
}
