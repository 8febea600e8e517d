//! Runs long traces on this machine, judged as they run: nothing is kept of an op once it is
//! judged.

mod ring;

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::Result;
use harness::entry::Entry;
use harness::execute::Completion;
use harness::ground::Ground;
use harness::stream::stream;
use harness::transcript::Recorder;

use super::supervised::{Pace, Supervised};
use super::{CONFIRM_FACTOR, Host, OP_LIMIT, Workers, ensure_accepts, read};
use crate::oracle::judge::{Finding, Judge, Verdict};
use crate::oracle::model::grants::Grants;
use crate::oracle::rules::{Rule, Rules};
use crate::run::RunEnd;
use crate::trace::long::LongTrace;
use ring::{NAP, Ring, Sender};

impl Host {
    /// Runs a trace of any length in fast strength and judges it.
    ///
    /// # Errors
    /// When the rig itself cannot do its work, or the subject cannot be given such a heap.
    pub fn stream(&mut self, entry: &Entry, trace: &LongTrace, rules: Rules) -> Result<Verdict> {
        ensure_accepts(entry, trace.geometry())?;
        trace.ensure_fits()?;
        let limit = self.op_limit(trace.geometry());
        let needed = trace.asks_capacity() || Grants::judge(&entry.declaration);
        let fresh = match needed {
            true => self.fresh(entry, trace.geometry())?.bytes,
            false => 0,
        };
        let finding = self.stream_once(entry, trace, rules, fresh, limit)?;
        let is_hang = |finding: &Finding| finding.rule() == Rule::Hang;
        if finding.as_ref().is_some_and(is_hang) && self.confirms_hangs {
            let limit = OP_LIMIT * CONFIRM_FACTOR;
            return Ok(self.stream_once(entry, trace, rules, fresh, limit)?.into());
        }
        Ok(finding.into())
    }
}

impl Workers {
    /// Runs a trace in a worker, and judges it here meanwhile; ends it at the first broken rule.
    fn stream_once(
        &mut self,
        entry: &Entry,
        trace: &LongTrace,
        rules: Rules,
        fresh_capacity: u64,
        op_limit: Duration,
    ) -> Result<Option<Finding>> {
        let geometry = trace.geometry();
        let region = self.region(geometry)?;
        let workspace = &mut *self.workspace;
        let mut worker = Supervised::<Ring>::new()?;
        worker.start(op_limit, region.start.addr(), |ring| {
            let recorder = Recorder::new(&ring.transcript);
            let mut sender = Sender::new(ring);
            // SAFETY: the region is mapped as `Region` says until another is opened, and the
            // worker's copy of it is nobody else's.
            let mut ground = unsafe { Ground::new(region) };
            let mut completion = Completion::Completed;
            // What cannot be read is an end that comes too early, which the parent looks into.
            let _ = trace.each_op(&mut |ops| {
                // SAFETY: `ensure_accepts` has checked the geometry, `ensure_fits` the blocks, and
                // whoever parsed the ops their handles.
                completion = unsafe {
                    stream(
                        entry,
                        ops,
                        &|handle| trace.names_again(handle),
                        fresh_capacity,
                        &mut ground,
                        workspace,
                        &mut sender,
                    )
                };
            });
            recorder.finish(completion);
        })?;
        let mut judge = Judge::new(&entry.declaration, geometry, rules, fresh_capacity);
        let (mut taken, mut last, mut found) = (0, None, None);
        let ended = worker.attend(Pace::every(NAP), |ring| {
            while taken < ring.observed() {
                let Some((op, observation)) = ring.take(taken) else {
                    // The record is damaged: as if the run had ended here.
                    return ControlFlow::Break(());
                };
                taken += 1;
                last = Some(op);
                found = judge.step(&op, &observation);
                // Behind misuse of a subject that promises nothing about it, nothing more can be
                // found.
                if found.is_some() || judge.is_silent() {
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        if found.is_some() || judge.is_silent() {
            return Ok(found);
        }
        let end = match ended && taken == worker.observed() {
            true => read(&worker.transcript, geometry).end,
            false => RunEnd::Completed,
        };
        if end == RunEnd::Completed && ended && taken < trace.ops() as u64 {
            trace.ensure_unchanged()?;
        }
        let culprit = worker.op(taken);
        Ok(judge.end_behind(trace.ops(), culprit.as_ref(), last.as_ref(), &end))
    }
}

#[cfg(test)]
mod tests;
