//! Runs traces in this very process, without a net: for whoever already is a worker, or a fuzz
//! target, whose engine catches its crashes.

#![allow(unsafe_code, reason = "it runs a subject in this process")]

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::ops::ControlFlow;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::{Context, Result, ensure};
use harness::bare::{self, Block};
use harness::branch::{Branches, branch};
use harness::declaration::Declaration;
use harness::entry::Entry;
use harness::execute::{Completion, Sink, execute};
use harness::geometry::Geometry;
use harness::ground::Ground;
use harness::heap::Workspace;
use harness::observation::{Observation, Outcome};
use harness::op::Op;
use harness::trace::Trace;

use crate::execute::host::ensure_accepts;
use crate::execute::host::region::HostRegion;
use crate::oracle::judge::{Finding, Judge, Verdict};
use crate::oracle::rules::Rules;
use crate::run::{Run, RunEnd, RunOptions};
use crate::wording::counted;

/// This process as an executor.
pub struct InProcess {
    workspace: Box<Workspace>,
    /// Of the latest run that was judged.
    judge: Option<Judge>,
    heaps: HashMap<Geometry, Heap>,
    ops_judged: u64,
}

/// A mapped heap. The ground is about its memory.
struct Heap {
    mapped: HostRegion,
    ground: Box<Ground>,
}

impl Default for InProcess {
    fn default() -> Self {
        Self {
            workspace: Workspace::boxed(),
            judge: None,
            heaps: HashMap::new(),
            ops_judged: 0,
        }
    }
}

impl InProcess {
    /// Runs a trace and judges it op by op, up to the first broken rule: what comes behind it is
    /// not run. Moves `progress` before each op.
    ///
    /// # Errors
    /// When the kernel grants no memory.
    pub fn judge_as_it_runs(
        &mut self,
        entry: &Entry,
        trace: &Trace,
        rules: Rules,
        options: RunOptions,
        progress: &AtomicU32,
    ) -> Result<Option<Finding>> {
        let fresh = options.fresh_capacity;
        let mut judge = self.take_judge(&entry.declaration, trace.geometry, rules, fresh);
        let mut sink = Stepping {
            ops: &trace.ops,
            at: 0,
            progress,
            judge: &mut judge,
            judged: 0,
            found: None,
        };
        let ran = self.execute(entry, trace, options, &mut sink);
        let (found, judged) = (sink.found, sink.judged);
        self.judge = Some(judge);
        self.ops_judged += judged;
        ran.map(|_| found)
    }

    /// A judge of another run, in the memory of the one before.
    fn take_judge(
        &mut self,
        declaration: &Declaration,
        geometry: Geometry,
        rules: Rules,
        fresh: u64,
    ) -> Judge {
        match self.judge.take() {
            Some(mut judge) => {
                judge.reset(declaration, geometry, rules, fresh);
                judge
            }
            None => Judge::new(declaration, geometry, rules, fresh),
        }
    }

    /// The ops that subjects were called for and that were judged, in all runs of this process.
    #[must_use]
    pub fn ops_judged(&self) -> u64 {
        self.ops_judged
    }

    /// Makes a trace's calls, and nothing else ([`harness::bare`]).
    ///
    /// # Errors
    /// When the kernel grants no memory, or the subject cannot be given such a heap.
    pub fn run_bare(&mut self, entry: &Entry, trace: &Trace, blocks: &mut [Block]) -> Result<()> {
        ensure_accepts(entry, trace.geometry)?;
        ensure!(
            !entry.declaration.region.zeroed,
            "{} wants zeroes, and nothing is prepared here",
            entry.name()
        );
        let heap = self.heap(trace.geometry)?;
        heap.ground.spoil();
        // SAFETY: the heap stays mapped as long as `self`, which nobody else can use while it is
        // borrowed; the geometry was checked above.
        unsafe { bare::run(entry, &trace.ops, heap.mapped.region(), blocks) };
        Ok(())
    }

    /// Tries ops from the state to which `path`'s ops lead; see [`harness::branch`]. `watched`
    /// bytes behind the heap are restored and checked each time; `saved` is memory for a copy of
    /// the heap.
    ///
    /// # Errors
    /// When the kernel grants no memory, or the subject's table is not its state.
    pub fn branch(
        &mut self,
        entry: &Entry,
        path: &Trace,
        fresh_capacity: u64,
        watched: usize,
        saved: &mut Vec<u8>,
        branches: &mut dyn Branches,
    ) -> Result<()> {
        ensure_accepts(entry, path.geometry)?;
        ensure!(
            entry.table_is_state(path.geometry.growth()),
            "the table of {} is not its whole state",
            entry.name()
        );
        let heap = self.heap(path.geometry)?;
        heap.ground.spoil();
        let mut region = heap.mapped.region();
        region.slack = region.slack.min(watched);
        let side_bytes = entry.side_bytes(region.bytes, region.growth);
        saved.resize(region.bytes + region.slack + side_bytes, 0);
        // SAFETY: the heap stays mapped as long as `self`, which nobody else can use while it is
        // borrowed; less of the slack is promised than there is.
        let mut ground = unsafe { Ground::new(region) };
        // SAFETY: the geometry was checked above.
        unsafe {
            branch(
                entry,
                &path.ops,
                fresh_capacity,
                &mut ground,
                &mut self.workspace,
                saved,
                branches,
            );
        }
        Ok(())
    }

    /// Where the heap of a geometry starts.
    ///
    /// # Errors
    /// When the kernel grants no memory.
    pub fn heap_start(&mut self, geometry: Geometry) -> Result<usize> {
        Ok(self.heap(geometry)?.mapped.region().start.addr())
    }

    fn heap(&mut self, geometry: Geometry) -> Result<&mut Heap> {
        Ok(match self.heaps.entry(geometry) {
            Occupied(heap) => heap.into_mut(),
            Vacant(vacant) => {
                let mapped = HostRegion::new(geometry)
                    .with_context(|| format!("mapping a heap of {}", counted::heap(geometry)))?;
                // SAFETY: the ground is kept beside the mapping, and used through `self` alone.
                let ground = Box::new(unsafe { Ground::new(mapped.region()) });
                vacant.insert(Heap { mapped, ground })
            }
        })
    }

    fn execute(
        &mut self,
        entry: &Entry,
        trace: &Trace,
        options: RunOptions,
        sink: &mut impl Sink,
    ) -> Result<Completion> {
        ensure_accepts(entry, trace.geometry)?;
        self.heap(trace.geometry)?;
        let plan = options.plan(&trace.ops);
        let Self {
            workspace, heaps, ..
        } = self;
        let heap = heaps.get_mut(&trace.geometry).expect("mapped above");
        // SAFETY: the geometry was checked above.
        Ok(unsafe { execute(entry, plan, &mut heap.ground, workspace, sink) })
    }
}

impl InProcess {
    /// Runs a trace as an [`Executor`](crate::execute::executor::Executor) does, but that a bad
    /// subject ends this process; moves `progress` before each op.
    ///
    /// # Errors
    /// When the kernel grants no memory.
    pub fn run(
        &mut self,
        entry: &Entry,
        trace: &Trace,
        options: RunOptions,
        progress: &AtomicU32,
    ) -> Result<Run> {
        let mut collected = Collected {
            at: 0,
            progress,
            observations: Vec::with_capacity(trace.ops.len()),
            tables: Vec::new(),
        };
        let end = match self.execute(entry, trace, options, &mut collected)? {
            Completion::Completed | Completion::Stopped => RunEnd::Completed,
            Completion::Lost => RunEnd::Lost,
        };
        Ok(Run {
            observations: collected.observations,
            tables: collected.tables,
            end,
        })
    }

    /// Judges a run by what the fresh heap grants.
    pub fn judge(
        &mut self,
        entry: &Entry,
        trace: &Trace,
        run: &Run,
        rules: Rules,
        fresh: u64,
    ) -> Verdict {
        let mut judge = self.take_judge(&entry.declaration, trace.geometry, rules, fresh);
        let finding = judge.whole(trace, run);
        self.judge = Some(judge);
        self.ops_judged += run.observations.len() as u64;
        finding.into()
    }
}

/// The sink that keeps everything.
struct Collected<'a> {
    at: usize,
    progress: &'a AtomicU32,
    observations: Vec<Observation>,
    tables: Vec<(usize, String)>,
}

impl Sink for Collected<'_> {
    fn begin(&mut self, op: usize) {
        self.at = op;
        self.progress.fetch_add(1, Relaxed);
    }

    fn table(&mut self, text: &str) {
        self.tables.push((self.at, text.to_owned()));
    }

    fn observe(&mut self, observation: &Observation) -> ControlFlow<()> {
        self.observations.push(*observation);
        ControlFlow::Continue(())
    }
}

/// The sink that judges each op as it happens, and ends the run at the first broken rule.
struct Stepping<'a> {
    ops: &'a [Op],
    at: usize,
    progress: &'a AtomicU32,
    judge: &'a mut Judge,
    /// Ops of which the subject was asked.
    judged: u64,
    found: Option<Finding>,
}

impl Sink for Stepping<'_> {
    fn begin(&mut self, op: usize) {
        self.at = op;
        // Nobody else writes it, so it need not be one indivisible step.
        let moved = self.progress.load(Relaxed).wrapping_add(1);
        self.progress.store(moved, Relaxed);
    }

    fn table(&mut self, _: &str) {}

    fn observe(&mut self, observation: &Observation) -> ControlFlow<()> {
        let called = !matches!(
            observation.outcome,
            Outcome::NoBlock | Outcome::NotExpressible
        );
        self.judged += u64::from(called);
        // Nothing is copied where nothing was found: that took longer than it looks.
        if let Some(finding) = self.judge.step(&self.ops[self.at], observation) {
            self.found = Some(finding);
            return ControlFlow::Break(());
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ops_are_counted_whenever_their_run_is_judged() {
        let kmem = subjects::by_name("kmem").unwrap();
        let trace = Trace {
            geometry: Geometry::published(),
            ops: vec![Op::FreeAll; 3],
        };
        let mut heaps = InProcess::default();
        let progress = AtomicU32::new(0);
        let run = heaps
            .run(kmem, &trace, RunOptions::FAST, &progress)
            .unwrap();
        assert_eq!(heaps.ops_judged(), 0);
        heaps.judge(kmem, &trace, &run, Rules::ALL, 0);
        assert_eq!(heaps.ops_judged(), 3);
        let found = heaps.judge_as_it_runs(kmem, &trace, Rules::ALL, RunOptions::FAST, &progress);
        assert_eq!((found.unwrap(), heaps.ops_judged()), (None, 6));
    }
}
