//! Runs traces in this very process, without a net: for whoever already is a worker, or a fuzz
//! target, whose engine catches its crashes.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::ops::ControlFlow;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::{Context, Result, ensure};
use harness::branch::{Branches, branch};
use harness::entry::Entry;
use harness::execute::{Completion, Plan, Sink, execute};
use harness::geometry::Geometry;
use harness::heap::Workspace;
use harness::observation::Observation;
use harness::op::Op;
use harness::trace::Trace;

use crate::executor::{self, Executor};
use crate::host::ensure_accepts;
use crate::host::region::HostRegion;
use crate::judge::{Finding, Judge};
use crate::rules::Rules;
use crate::run::{Run, RunEnd, RunOptions};

/// This process as an executor.
#[derive(Default)]
pub struct InProcess {
    workspace: Box<Workspace>,
    regions: HashMap<Geometry, HostRegion>,
    capacities: HashMap<(&'static str, Geometry), u64>,
}

impl InProcess {
    /// Maps a heap, and takes over what its capacity is known to be.
    ///
    /// # Errors
    /// When the kernel grants no memory.
    pub fn add(&mut self, entry: &Entry, geometry: Geometry, capacity: u64) -> Result<()> {
        self.capacities.insert((entry.name(), geometry), capacity);
        self.map(geometry)
    }

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
        let fresh = self.capacity_for(entry, trace)?;
        let judge = Judge::new(&entry.declaration, trace.geometry, rules, fresh);
        let mut sink = Judging {
            judge,
            ops: &trace.ops,
            at: 0,
            progress,
            found: None,
        };
        self.execute(entry, trace, options, &mut sink)?;
        Ok(sink.found)
    }

    /// Tries ops from the state to which `path`'s ops lead; see [`harness::branch`]. `watched` bytes
    /// behind the heap are restored and checked each time; `saved` is memory for a copy of the heap.
    ///
    /// # Errors
    /// When the kernel grants no memory, or the subject's table is not its state.
    pub fn branch(
        &mut self,
        entry: &Entry,
        path: &Trace,
        watched: usize,
        saved: &mut Vec<u8>,
        branches: &mut dyn Branches,
    ) -> Result<()> {
        ensure_accepts(entry, path.geometry)?;
        ensure!(
            entry.table_is_state,
            "the table of {} is not its whole state",
            entry.name()
        );
        let fresh = self.fresh_capacity(entry, path.geometry)?;
        self.map(path.geometry)?;
        let mut region = self.regions[&path.geometry].region();
        region.slack = region.slack.min(watched);
        saved.resize(region.bytes + region.slack, 0);
        // SAFETY: as in `execute`; less of the slack is promised than there is.
        unsafe {
            region.prepare(entry.declaration.region.zeroed);
            branch(
                entry,
                &path.ops,
                fresh,
                region,
                &mut self.workspace,
                saved,
                branches,
            );
        }
        Ok(())
    }

    /// Where the heap of a geometry starts, once it is mapped.
    #[must_use]
    pub fn heap_start(&self, geometry: Geometry) -> usize {
        self.regions
            .get(&geometry)
            .map_or(0, |mapped| mapped.region().start.addr())
    }

    fn map(&mut self, geometry: Geometry) -> Result<()> {
        match self.regions.entry(geometry) {
            Occupied(_) => {}
            Vacant(vacant) => {
                let mapped = HostRegion::new(geometry)
                    .with_context(|| format!("mapping a heap of {geometry}"))?;
                vacant.insert(mapped);
            }
        }
        Ok(())
    }

    fn execute(
        &mut self,
        entry: &Entry,
        trace: &Trace,
        options: RunOptions,
        sink: &mut dyn Sink,
    ) -> Result<Completion> {
        ensure_accepts(entry, trace.geometry)?;
        self.map(trace.geometry)?;
        let plan = Plan {
            ops: &trace.ops,
            strength: options.strength,
            tables: options.tables,
            fresh_capacity: self.capacity_for(entry, trace)?,
        };
        let region = self.regions[&trace.geometry].region();
        // SAFETY: the region is mapped as long as `self.regions`, which nobody else can use while
        // `self` is borrowed; the geometry was checked above.
        Ok(unsafe {
            region.prepare(entry.declaration.region.zeroed);
            execute(entry, plan, region, &mut self.workspace, sink)
        })
    }
}

impl Executor for InProcess {
    fn run(&mut self, entry: &Entry, trace: &Trace, options: RunOptions) -> Result<Run> {
        let mut collected = Collected::default();
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

    fn confirm_hangs(&mut self, _: bool) {}

    fn fresh_capacity(&mut self, entry: &Entry, geometry: Geometry) -> Result<u64> {
        let key = (entry.name(), geometry);
        if let Some(&bytes) = self.capacities.get(&key) {
            return Ok(bytes);
        }
        let bytes = executor::measure_capacity(self, entry, geometry)?;
        self.capacities.insert(key, bytes);
        Ok(bytes)
    }
}

/// The sink that keeps everything.
#[derive(Default)]
struct Collected {
    at: usize,
    observations: Vec<Observation>,
    tables: Vec<(usize, String)>,
}

impl Sink for Collected {
    fn begin(&mut self, op: usize) {
        self.at = op;
    }

    fn table(&mut self, text: &str) {
        self.tables.push((self.at, text.to_owned()));
    }

    fn observe(&mut self, observation: &Observation) -> ControlFlow<()> {
        self.observations.push(*observation);
        ControlFlow::Continue(())
    }
}

/// The sink that judges each op as it happens and ends the run at the first broken rule.
struct Judging<'a> {
    judge: Judge<'a>,
    ops: &'a [Op],
    at: usize,
    progress: &'a AtomicU32,
    found: Option<Finding>,
}

impl Sink for Judging<'_> {
    fn begin(&mut self, op: usize) {
        self.at = op;
        self.progress.fetch_add(1, Relaxed);
    }

    fn table(&mut self, _: &str) {}

    fn observe(&mut self, observation: &Observation) -> ControlFlow<()> {
        self.found = self.judge.step(&self.ops[self.at], observation);
        if self.found.is_some() {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }
}
