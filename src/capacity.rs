//! What fresh heaps grant: measured once for each subject and geometry, before anything is judged
//! by it.
//!
//! Requests are tried by halving, each on a fresh instance, so that no free of the subject's can
//! spoil the figure. A subject that does not survive one of them has no figure: no rule uses it
//! then, and the request is kept, since it shows a bug.

use std::collections::HashMap;

use anyhow::Result;
use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::heap::Strength;
use harness::observation::Outcome;
use harness::op::Op;
use harness::trace::Trace;

use crate::executor::Executor;
use crate::model::grants::Grants;
use crate::rules::Rule;
use crate::run::{RunEnd, RunOptions};

/// What the fresh heap of a subject grants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fresh {
    /// The largest request, in bytes; 0 if that is unknown.
    pub bytes: u64,
    /// The request that the subject did not survive, and the rule that it breaks by that; the size
    /// is unknown then.
    pub failed_probe: Option<(Trace, Rule)>,
}

/// What one side knows of fresh heaps.
#[derive(Clone, Debug, Default)]
pub struct Capacities(HashMap<(&'static str, Geometry), Fresh>);

impl Capacities {
    /// What is known of a subject's heaps of this geometry.
    #[must_use]
    pub fn get(&self, entry: &Entry, geometry: Geometry) -> Option<&Fresh> {
        self.0.get(&(entry.name(), geometry))
    }

    /// Takes note of what was measured.
    pub fn insert(&mut self, entry: &Entry, geometry: Geometry, fresh: Fresh) {
        self.0.insert((entry.name(), geometry), fresh);
    }
}

/// Whether a trace is run or judged by what the fresh heap grants: if it asks for that, and always
/// if the subject is judged by what it granted before. The verdict on an op must not depend on
/// later ones.
#[must_use]
pub fn is_needed(entry: &Entry, trace: &Trace) -> bool {
    Grants::judge(&entry.declaration) || trace.ops.contains(&Op::Capacity)
}

/// Measures with a run for each request.
///
/// # Errors
/// When the rig itself cannot do its work.
pub fn measure<E: Executor + ?Sized>(
    executor: &mut E,
    entry: &Entry,
    geometry: Geometry,
) -> Result<Fresh> {
    let options = RunOptions {
        strength: Strength::Fast,
        ..RunOptions::STRICT
    };
    let mut failed_probe = None;
    let bytes = largest_granted(geometry, |size| {
        let ops = vec![request(size)];
        let probe = Trace { geometry, ops };
        let run = executor.run(entry, &probe, options)?;
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
