//! Runs long traces on this machine, judged as they run: nothing is kept of an op once it is judged.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use harness::entry::Entry;
use harness::execute::{Completion, Sink};
use harness::ground::Ground;
use harness::observation::Observation;
use harness::op::Op;
use harness::stream::{Witness, stream};
use harness::transcript::{End, Recorder};
use serde::{Deserialize, Serialize};

use super::supervised::Supervised;
use super::{CONFIRM_FACTOR, Host, OP_LIMIT, Workers, ensure_accepts, read};
use crate::fault::Fault;
use crate::judge::violation::Violation;
use crate::judge::{Finding, Judge, Verdict};
use crate::long::LongTrace;
use crate::model::grants::Grants;
use crate::rules::Rules;
use crate::run::{Run, RunEnd};

/// What a worker says of its run, in the transcript's place for tables: a streamed run keeps none.
#[derive(Serialize, Deserialize)]
enum Told {
    /// The op breaks a rule.
    Broken(Violation),
    /// The trace's file could not be read on.
    Unreadable(String),
}

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
        let (verdict, hung) = self.stream_once(entry, trace, rules, fresh, limit)?;
        if hung && self.confirms_hangs {
            let limit = OP_LIMIT * CONFIRM_FACTOR;
            return Ok(self.stream_once(entry, trace, rules, fresh, limit)?.0);
        }
        Ok(verdict)
    }
}

impl Workers {
    /// Runs a trace; its verdict, and whether an op did not return in time.
    fn stream_once(
        &mut self,
        entry: &Entry,
        trace: &LongTrace,
        rules: Rules,
        fresh_capacity: u64,
        op_limit: Duration,
    ) -> Result<(Verdict, bool)> {
        let region = self.region(trace.geometry())?;
        let workspace = &mut *self.workspace;
        let mut worker = Supervised::<AtomicU64>::new()?;
        worker.start(op_limit, region.start.addr(), |unjudged| {
            let mut judging = Judging {
                recorder: Recorder::new(&unjudged.transcript),
                judge: Judge::new(&entry.declaration, trace.geometry(), rules, fresh_capacity),
                begun: 0,
                unjudged,
            };
            // SAFETY: the region is mapped as `Region` says until another is opened, and the worker's
            // copy of it is nobody else's.
            let mut ground = unsafe { Ground::new(region) };
            let mut completion = Completion::Completed;
            let read = trace.each_op(&mut |ops| {
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
                        &mut judging,
                    )
                };
            });
            if let Err(error) = read {
                judging.tell(&Told::Unreadable(format!("{error:#}")));
            }
            judging.recorder.finish(completion);
        })?;
        worker.wait()?;
        let transcript = &worker.transcript;
        let begun = transcript.begun() as usize;
        let run = read(transcript, trace.geometry());
        let unjudged = worker.load(Relaxed);
        let is_excused = unjudged % 2 == 0 || matches!(run.end, RunEnd::Panicked(_));
        let last = Last {
            begun,
            judged: unjudged / 2 != begun as u64 || !is_excused,
            stopped: transcript.end() == End::Stopped,
        };
        let finding = finding(trace, &run, last)?;
        Ok((finding.into(), run.end == RunEnd::Hung))
    }
}

/// How far a run came.
#[derive(Clone, Copy)]
struct Last {
    /// Ops begun.
    begun: usize,
    /// Whether a run that ends in the last one of them breaks a rule by that.
    judged: bool,
    /// Whether the judge had seen enough.
    stopped: bool,
}

/// What a run came to.
fn finding(trace: &LongTrace, run: &Run, last: Last) -> Result<Option<Finding>> {
    let op = last.begun.saturating_sub(1);
    let found = |violation| -> Result<Finding> {
        let kind = trace.kind(op)?;
        Ok(Finding {
            violation,
            op,
            kind,
        })
    };
    if let Some((_, told)) = run.tables.last() {
        return match serde_json::from_str(told).context("reading what a worker tells")? {
            Told::Unreadable(error) => bail!(error),
            Told::Broken(violation) => found(violation).map(Some),
        };
    }
    let violation = match &run.end {
        RunEnd::Completed if !last.stopped && last.begun < trace.ops() => {
            let (observed, ops) = (last.begun, trace.ops());
            Some(Violation::Fault(Fault::Record { observed, ops }))
        }
        end => Violation::of_end(end).filter(|_| last.judged),
    };
    violation.map(found).transpose()
}

/// The witness that judges.
struct Judging<'a> {
    recorder: Recorder<'a>,
    judge: Judge,
    /// Ops begun so far.
    begun: usize,
    /// Twice what [`Self::begun`] was at the latest op that breaks no rule if the run ends in it, and 1
    /// more if only a panic breaks none.
    unjudged: &'a AtomicU64,
}

impl Judging<'_> {
    fn tell(&mut self, told: &Told) {
        let told = serde_json::to_string(told).expect("plain text");
        self.recorder.table(&told);
    }
}

impl Witness for Judging<'_> {
    fn begin(&mut self, op: &Op) {
        self.recorder.begin(self.begun);
        self.begun += 1;
        let only_panics = self.judge.answers_for(op);
        if !only_panics || self.judge.excuses_panics() {
            let unjudged = self.begun as u64 * 2 + u64::from(only_panics);
            self.unjudged.store(unjudged, Relaxed);
        }
    }

    fn observe(&mut self, op: &Op, observation: &Observation) -> ControlFlow<()> {
        let Some(finding) = self.judge.step(op, observation) else {
            // Behind misuse of a subject that promises nothing about it, nothing more can be found.
            return match self.judge.is_silent() {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            };
        };
        self.tell(&Told::Broken(finding.violation));
        ControlFlow::Break(())
    }
}

#[cfg(test)]
mod tests;
