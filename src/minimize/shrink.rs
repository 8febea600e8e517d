//! The smallest trace that still breaks what a suspicious one breaks.

use std::ops::ControlFlow;

use anyhow::Result;
use harness::entry::Entry;
use harness::trace::Trace;

use crate::execute::capacity::Measured;
use crate::execute::executor::Executor;
use crate::oracle::judge::{Broken, Finding};
use crate::oracle::rules::Rules;

/// The smallest trace that breaks the same, and how it does; `None` if it does not when it has all
/// the time that a confirmation gives.
///
/// # Errors
/// When the rig itself cannot do its work.
pub fn shrink(
    executor: &mut Measured<dyn Executor>,
    entry: &Entry,
    trace: &Trace,
    rules: Rules,
    broken: &Broken,
) -> Result<Option<(Trace, Finding)>> {
    shrink_watched(executor, entry, trace, rules, broken, &mut |_| {})
}

/// How far a search for a smaller trace is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shrinking {
    /// Candidates run.
    pub candidates: u64,
    /// Ops of the smallest trace so far.
    pub ops: usize,
}

/// As [`shrink`]; `watch` sees how far it is after each candidate.
///
/// # Errors
/// As for [`shrink`].
pub fn shrink_watched(
    executor: &mut Measured<dyn Executor>,
    entry: &Entry,
    trace: &Trace,
    rules: Rules,
    broken: &Broken,
    watch: &mut dyn FnMut(Shrinking),
) -> Result<Option<(Trace, Finding)>> {
    let mut go_on = |shrinking| {
        watch(shrinking);
        ControlFlow::Continue(())
    };
    shrink_while(executor, entry, trace, rules, broken, &mut go_on)
}

/// As [`shrink`]; `next` sees how far it is after each candidate, and says whether to go on: the
/// smallest so far is confirmed then.
pub(crate) fn shrink_while(
    executor: &mut Measured<dyn Executor>,
    entry: &Entry,
    trace: &Trace,
    rules: Rules,
    broken: &Broken,
    next: &mut dyn FnMut(Shrinking) -> ControlFlow<()>,
) -> Result<Option<(Trace, Finding)>> {
    let mut go_on = ControlFlow::Continue(());
    let mut shrinking = Shrinking {
        candidates: 0,
        ops: trace.ops.len(),
    };
    let breaks_the_same =
        |executor: &mut Measured<dyn Executor>, trace: &Trace| -> Result<Option<Finding>> {
            if !entry.declaration.accepts(trace.geometry) {
                return Ok(None);
            }
            let (_, verdict) = executor.verdict(entry, trace, rules)?;
            Ok(verdict.finding().filter(|found| broken.is(found)).cloned())
        };
    executor.confirm_hangs(false);
    let small = super::minimize(trace, |candidate| {
        if go_on.is_break() {
            return Ok(false);
        }
        let holds = breaks_the_same(executor, candidate)?.is_some();
        shrinking.candidates += 1;
        if holds {
            shrinking.ops = candidate.ops.len();
        }
        go_on = next(shrinking);
        anyhow::Ok(holds)
    });
    executor.confirm_hangs(true);
    let small = small?;
    if let Some(found) = breaks_the_same(executor, &small)? {
        return Ok(Some((small, found)));
    }
    // The search took a slow op for a hang; the trace it began with may still be one.
    let found = breaks_the_same(executor, trace)?;
    Ok(found.map(|found| (trace.clone(), found)))
}
