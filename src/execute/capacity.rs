//! What fresh heaps grant: measured once for each subject and geometry, before anything is judged
//! by it.
//!
//! Requests are tried by halving, each on a fresh instance, so that no free of the subject's can
//! spoil the figure. A subject that does not survive one of them has no figure: no rule uses it
//! then, and the request is kept, since it shows a bug.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::ops::{Deref, DerefMut};

use anyhow::Result;
use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::observation::Outcome;
use harness::op::Op;
use harness::trace::Trace;

use crate::execute::executor::Executor;
use crate::oracle::judge::{self, Verdict};
use crate::oracle::model::grants::Grants;
use crate::oracle::rules::{Rule, Rules};
use crate::run::{Run, RunEnd, RunOptions};

/// What the fresh heap of a subject grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fresh {
    /// The largest request, in bytes; 0 if that is unknown.
    pub bytes: u64,
    /// The request that the subject did not survive, and the rule that it breaks by that; the size
    /// is unknown then.
    pub failed_probe: Option<(Trace, Rule)>,
}

/// What is known of fresh heaps.
#[derive(Clone, Debug, Default)]
pub struct Capacities(HashMap<(&'static str, Geometry), Fresh>);

impl Capacities {
    /// What the fresh heap grants, if a trace is run or judged by it and it is known; else 0.
    #[must_use]
    pub fn of(&self, entry: &Entry, trace: &Trace) -> u64 {
        let known = || self.0.get(&(entry.name(), trace.geometry));
        let known = is_needed(entry, trace).then(known).flatten();
        known.map_or(0, |fresh| fresh.bytes)
    }
}

/// Whether a trace is run or judged by what the fresh heap grants: if it asks for that, and always
/// if the subject is judged by what it granted before. The verdict on an op must not depend on
/// later ones.
fn is_needed(entry: &Entry, trace: &Trace) -> bool {
    let asks = |op: &Op| matches!(op, Op::Capacity);
    Grants::judge(&entry.declaration) || trace.ops.iter().any(asks)
}

/// An executor, what is known of its fresh heaps, and by that the verdicts on its runs.
pub struct Measured<E: ?Sized> {
    capacities: Capacities,
    executor: E,
}

impl<E> From<E> for Measured<E> {
    /// Nothing is known of its heaps yet.
    fn from(executor: E) -> Self {
        Self {
            capacities: Capacities::default(),
            executor,
        }
    }
}

impl<E: Executor + ?Sized> Measured<E> {
    /// Runs a trace; see [`Executor::run`].
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    pub fn run(&mut self, entry: &Entry, trace: &Trace, options: RunOptions) -> Result<Run> {
        let options = self.informed(entry, trace, options)?;
        self.executor.run(entry, trace, options)
    }

    /// Judges a run of this executor's.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    pub fn judge(
        &mut self,
        entry: &Entry,
        trace: &Trace,
        run: &Run,
        rules: Rules,
    ) -> Result<Verdict> {
        let fresh = self.capacity_for(entry, trace)?;
        Ok(judge::judge(&entry.declaration, trace, run, rules, fresh))
    }

    /// Runs a trace strictly and judges it.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    pub fn verdict(
        &mut self,
        entry: &Entry,
        trace: &Trace,
        rules: Rules,
    ) -> Result<(Run, Verdict)> {
        let run = self.run(entry, trace, RunOptions::STRICT)?;
        let verdict = self.judge(entry, trace, &run, rules)?;
        Ok((run, verdict))
    }

    /// See [`Executor::confirm_hangs`].
    pub fn confirm_hangs(&mut self, confirm: bool) {
        self.executor.confirm_hangs(confirm);
    }

    /// What is known of fresh heaps.
    pub const fn capacities(&self) -> &Capacities {
        &self.capacities
    }

    /// Takes over what is known elsewhere.
    pub(crate) fn learn(&mut self, capacities: &Capacities) {
        self.capacities.clone_from(capacities);
    }

    /// What a fresh heap grants, measured if it is not known.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    pub fn fresh(&mut self, entry: &Entry, geometry: Geometry) -> Result<&Fresh> {
        Ok(match self.capacities.0.entry((entry.name(), geometry)) {
            Occupied(known) => known.into_mut(),
            Vacant(unknown) => unknown.insert(measure(&mut self.executor, entry, geometry)?),
        })
    }

    /// What the fresh heap grants, in bytes, if a trace is run or judged by it, measured if it is
    /// not known; else 0.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    pub fn capacity_for(&mut self, entry: &Entry, trace: &Trace) -> Result<u64> {
        match is_needed(entry, trace) {
            true => Ok(self.fresh(entry, trace.geometry)?.bytes),
            false => Ok(0),
        }
    }

    /// The same options, with what a run of the trace goes by.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    pub fn informed(
        &mut self,
        entry: &Entry,
        trace: &Trace,
        options: RunOptions,
    ) -> Result<RunOptions> {
        Ok(options.knowing(self.capacity_for(entry, trace)?))
    }

    /// Whether nothing must be measured to run or judge a trace.
    pub(crate) fn knows_capacity_for(&self, entry: &Entry, trace: &Trace) -> bool {
        let known = &self.capacities.0;
        !is_needed(entry, trace) || known.contains_key(&(entry.name(), trace.geometry))
    }
}

impl<E: ?Sized> Deref for Measured<E> {
    type Target = E;

    fn deref(&self) -> &E {
        &self.executor
    }
}

impl<E: ?Sized> DerefMut for Measured<E> {
    fn deref_mut(&mut self) -> &mut E {
        &mut self.executor
    }
}

/// Measures: at once, or where that is not to be had, with a run for each request.
fn measure<E: Executor + ?Sized>(
    executor: &mut E,
    entry: &Entry,
    geometry: Geometry,
) -> Result<Fresh> {
    if let Some(bytes) = executor.probe(entry, geometry)? {
        return Ok(Fresh {
            bytes,
            failed_probe: None,
        });
    }
    let mut failed_probe = None;
    let bytes = largest_granted(geometry, |size| {
        let ops = vec![request(size)];
        let probe = Trace { geometry, ops };
        let run = executor.run(entry, &probe, RunOptions::FAST)?;
        let rule = match run.end {
            RunEnd::Completed | RunEnd::Lost => None,
            RunEnd::Panicked(_) => Some(Rule::Panic),
            RunEnd::Faulted(_) => Some(Rule::Fault),
            RunEnd::Hung => Some(Rule::Hang),
        };
        if let Some(rule) = rule {
            failed_probe = Some((probe, rule));
            return Ok(None);
        }
        let first = run.observations.first();
        Ok(first.map(|first| matches!(first.outcome, Outcome::Placed(_))))
    })?;
    Ok(Fresh {
        bytes: bytes.unwrap_or(0),
        failed_probe,
    })
}

/// The largest request of which `grants` says so, by halving; `None` as soon as it has no answer.
pub(crate) fn largest_granted(
    geometry: Geometry,
    mut grants: impl FnMut(u64) -> Result<Option<bool>>,
) -> Result<Option<u64>> {
    let (mut granted, mut refused) = (0, geometry.bytes() + 1);
    while granted + 1 < refused {
        let size = granted + (refused - granted) / 2;
        match grants(size)? {
            Some(true) => granted = size,
            Some(false) => refused = size,
            None => return Ok(None),
        }
    }
    Ok(Some(granted))
}

/// The request that is tried.
pub(crate) const fn request(size: u64) -> Op {
    Op::Alloc {
        size,
        align: None,
        zeroed: false,
    }
}
