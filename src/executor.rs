//! Something that runs traces: the host or a guest. Everything above does not care which.

use anyhow::Result;
use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::heap::Strength;
use harness::observation::Outcome;
use harness::op::Op;
use harness::trace::Trace;

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

    /// The largest request the subject's fresh heap grants, in bytes.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    fn fresh_capacity(&mut self, entry: &Entry, geometry: Geometry) -> Result<u64>;

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

    /// [`Self::fresh_capacity`] if the trace asks for it, else 0.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    fn capacity_for(&mut self, entry: &Entry, trace: &Trace) -> Result<u64> {
        if trace.ops.contains(&Op::Capacity) {
            self.fresh_capacity(entry, trace.geometry)
        } else {
            Ok(0)
        }
    }
}

/// Finds the largest request a fresh heap grants by halving. Each try is a run of its own, on a
/// fresh instance, so that no free of the subject's can spoil the figure.
///
/// # Errors
/// When the rig itself cannot do its work.
pub fn measure_capacity(
    executor: &mut dyn Executor,
    entry: &Entry,
    geometry: Geometry,
) -> Result<u64> {
    let options = RunOptions {
        strength: Strength::Fast,
        ..RunOptions::STRICT
    };
    let (mut granted, mut refused) = (0, geometry.bytes() + 1);
    while granted + 1 < refused {
        let size = granted + (refused - granted) / 2;
        let ops = vec![Op::Alloc {
            size,
            align: None,
            zeroed: false,
        }];
        let run = executor.run(entry, &Trace { geometry, ops }, options)?;
        match run
            .observations
            .first()
            .map(|observation| observation.outcome)
        {
            Some(Outcome::Placed(_)) => granted = size,
            _ => refused = size,
        }
    }
    Ok(granted)
}
