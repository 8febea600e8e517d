//! Something that runs traces: the host or a guest. Everything above does not care which.

use anyhow::Result;
use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::trace::Trace;

use crate::capacity::{self, Capacities, Fresh};
use crate::judge::{self, Verdict};
use crate::rules::Rules;
use crate::run::{Run, RunOptions};

/// One side of the comparison.
pub trait Executor {
    /// Runs a trace on a fresh instance of a subject over a fresh heap. However badly the subject
    /// behaves, the answer is a run.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    fn run(&mut self, entry: &Entry, trace: &Trace, options: RunOptions) -> Result<Run>;

    /// What is known here of fresh heaps.
    fn capacities(&mut self) -> &mut Capacities;

    /// Measures what a fresh heap grants.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    fn measure(&mut self, entry: &Entry, geometry: Geometry) -> Result<Fresh> {
        capacity::measure(self, entry, geometry)
    }

    /// What a fresh heap grants, measured if it is not known.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    fn fresh(&mut self, entry: &Entry, geometry: Geometry) -> Result<Fresh> {
        if let Some(known) = self.capacities().get(entry, geometry) {
            return Ok(known.clone());
        }
        // While it is measured, it is unknown: the runs that measure it must not ask for it.
        self.capacities().insert(entry, geometry, Fresh::default());
        let fresh = self.measure(entry, geometry)?;
        self.capacities().insert(entry, geometry, fresh.clone());
        Ok(fresh)
    }

    /// The largest request the subject's fresh heap grants, in bytes; 0 if that is unknown.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    fn fresh_capacity(&mut self, entry: &Entry, geometry: Geometry) -> Result<u64> {
        match self.capacities().get(entry, geometry) {
            Some(known) => Ok(known.bytes),
            None => Ok(self.fresh(entry, geometry)?.bytes),
        }
    }

    /// Whether hangs are confirmed in a second, longer run before they are reported. Whoever only
    /// searches, and confirms in the end, may do without.
    fn confirm_hangs(&mut self, confirm: bool);

    /// Runs a trace strictly and judges it.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    fn verdict(&mut self, entry: &Entry, trace: &Trace, rules: Rules) -> Result<(Run, Verdict)> {
        let run = self.run(entry, trace, RunOptions::STRICT)?;
        let verdict = self.judge(entry, trace, &run, rules)?;
        Ok((run, verdict))
    }

    /// Judges a run of this executor's.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    fn judge(&mut self, entry: &Entry, trace: &Trace, run: &Run, rules: Rules) -> Result<Verdict> {
        let fresh = self.capacity_for(entry, trace)?;
        Ok(judge::judge(&entry.declaration, trace, run, rules, fresh))
    }

    /// [`Self::fresh_capacity`] if the trace is run or judged by it, else 0.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    fn capacity_for(&mut self, entry: &Entry, trace: &Trace) -> Result<u64> {
        if capacity::is_needed(entry, trace) {
            self.fresh_capacity(entry, trace.geometry)
        } else {
            Ok(0)
        }
    }
}
