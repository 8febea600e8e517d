//! Runs traces on this machine, each in a forked worker, so that no crash or hang of a subject
//! reaches the rig.

#![allow(
    unsafe_code,
    reason = "workers are forked, share memory and run a subject"
)]

pub(crate) mod region;
pub(crate) mod shared;
mod stream;
pub(crate) mod supervised;
pub(crate) mod watch;
pub(crate) mod worker;

use std::ops::ControlFlow;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::entry::Entry;
use harness::execute::{Completion, Plan, Sink, execute};
use harness::geometry::Geometry;
use harness::ground::Ground;
use harness::heap::Workspace;
use harness::observation::{Observation, Outcome};
use harness::subject::Region;
use harness::trace::Trace;
use harness::transcript::{Recorder, Transcript};

use crate::execute::capacity::{self, Measured};
use crate::execute::executor::Executor;
use crate::execute::outside;
use crate::execute::source_lines;
use crate::run::fault::{Fault, Place};
use crate::run::{Run, RunEnd, RunOptions};
use crate::wording::counted;
use region::HostRegion;
use supervised::Supervised;

/// The CPU time one op may take. Ops on the largest heaps take milliseconds.
pub const OP_LIMIT: Duration = Duration::from_millis(100);
/// The same for a search that asks for thousands of runs and confirms its result in the end, on
/// the smallest heaps.
const SEARCH_LIMIT: Duration = Duration::from_millis(20);
/// What each MiB of a heap adds to it: filling and verifying a block take that long at worst.
const SEARCH_LIMIT_PER_MIB: Duration = Duration::from_millis(5);
/// A hang is reported only after one run in which the op had this many times the limit.
pub const CONFIRM_FACTOR: u32 = 10;

/// The host.
pub type Host = Measured<Workers>;

impl Host {
    /// A host that has not mapped any heap yet.
    ///
    /// # Errors
    /// When the kernel grants no memory.
    pub fn new() -> Result<Self> {
        Ok(Measured::from(Workers {
            worker: Supervised::new()?,
            workspace: Workspace::boxed(),
            region: HostRegion::new(Geometry::published()).context("mapping a heap")?,
            confirms_hangs: true,
        }))
    }
}

/// The host as an executor: a worker for each run.
pub struct Workers {
    worker: Supervised<()>,
    workspace: Box<Workspace>,
    region: HostRegion,
    confirms_hangs: bool,
}

impl Workers {
    /// The memory of a heap of this geometry, until one of another is asked for. Only workers may
    /// use it: each has its own copy.
    ///
    /// # Errors
    /// When the kernel grants no memory.
    pub(crate) fn region(&mut self, geometry: Geometry) -> Result<Region> {
        let mapped = self.region.open(geometry);
        mapped.with_context(|| format!("mapping a heap of {}", counted::heap(geometry)))
    }

    fn op_limit(&self, geometry: Geometry) -> Duration {
        match self.confirms_hangs {
            true => OP_LIMIT,
            false => search_limit(geometry),
        }
    }

    /// Runs a body in a worker, on a heap of this geometry; what it left in the transcript.
    fn in_worker(
        &mut self,
        geometry: Geometry,
        op_limit: Duration,
        body: impl FnOnce(&mut Ground, &mut Workspace, &mut Recorder<'_>) -> Completion,
    ) -> Result<Run> {
        let region = self.region(geometry)?;
        let Self {
            worker, workspace, ..
        } = self;
        worker.start(op_limit, region.start.addr(), |common| {
            let mut recorder = Recorder::new(&common.transcript);
            // SAFETY: the region is mapped as `Region` says until another is opened, and the
            // worker's copy of it is nobody else's.
            let mut ground = unsafe { Ground::new(region) };
            let completion = body(&mut ground, workspace, &mut recorder);
            recorder.finish(completion);
        })?;
        worker.wait()?;
        Ok(read(&worker.transcript, geometry))
    }

    fn run_once(
        &mut self,
        entry: &Entry,
        trace: &Trace,
        plan: Plan<'_>,
        op_limit: Duration,
    ) -> Result<Run> {
        let run = self.in_worker(trace.geometry, op_limit, |ground, workspace, recorder| {
            // SAFETY: `ensure_accepts` has checked the geometry.
            unsafe { execute(entry, plan, ground, workspace, recorder) }
        })?;
        Ok(run.faulted_at_stray_store(trace.geometry))
    }
}

/// The sink of one request on a fresh heap.
#[derive(Default)]
struct Probe {
    /// Whether it was granted; `None` if the heap was left by a store.
    granted: Option<bool>,
}

impl Sink for Probe {
    fn begin(&mut self, _: usize) {}

    fn table(&mut self, _: &str) {}

    fn observe(&mut self, seen: &Observation) -> ControlFlow<()> {
        let is_inside = seen.contents.stray_store.is_none();
        self.granted = is_inside.then_some(matches!(seen.outcome, Outcome::Placed(_)));
        ControlFlow::Continue(())
    }
}

impl Executor for Workers {
    fn run(&mut self, entry: &Entry, trace: &Trace, options: RunOptions) -> Result<Run> {
        ensure_accepts(entry, trace.geometry)?;
        let plan = options.plan(&trace.ops);
        let limit = self.op_limit(trace.geometry);
        let run = self.run_once(entry, trace, plan, limit)?;
        if run.end == RunEnd::Hung && self.confirms_hangs {
            return self.run_once(entry, trace, plan, OP_LIMIT * CONFIRM_FACTOR);
        }
        outside::with_block(run, trace, |plain| {
            let ops = &plain.ops;
            self.run_once(entry, plain, Plan { ops, ..plan }, limit)
        })
    }

    /// In one worker, since dozens of requests are tried.
    fn probe(&mut self, entry: &Entry, geometry: Geometry) -> Result<Option<u64>> {
        ensure_accepts(entry, geometry)?;
        let limit = self.op_limit(geometry);
        let run = self.in_worker(geometry, limit, |ground, workspace, recorder| {
            let mut probes = 0;
            let granted = capacity::largest_granted(geometry, |size| {
                recorder.begin(probes);
                probes += 1;
                let ops = [capacity::request(size)];
                let plan = RunOptions::FAST.plan(&ops);
                let mut probe = Probe::default();
                // SAFETY: `ensure_accepts` has checked the geometry.
                unsafe { execute(entry, plan, ground, workspace, &mut probe) };
                Ok(probe.granted)
            });
            if let Ok(Some(bytes)) = granted {
                let _ = recorder.observe(&Observation::of(Outcome::Capacity(bytes)));
            }
            Completion::Completed
        })?;
        Ok(match (run.end, run.observations.first()) {
            (RunEnd::Completed, Some(seen)) => match seen.outcome {
                Outcome::Capacity(bytes) => Some(bytes),
                _ => None,
            },
            _ => None,
        })
    }

    fn confirm_hangs(&mut self, confirm: bool) {
        self.confirms_hangs = confirm;
    }
}

/// The CPU time one op may take in a search.
#[must_use]
pub fn search_limit(geometry: Geometry) -> Duration {
    SEARCH_LIMIT + SEARCH_LIMIT_PER_MIB * (geometry.bytes() >> 20) as u32
}

/// Whether a subject can be given such a heap, and if not, what it needs.
///
/// # Errors
/// When it cannot.
pub fn ensure_accepts(entry: &Entry, geometry: Geometry) -> Result<()> {
    let (needs, heap) = (entry.declaration.region, counted::heap(geometry));
    ensure!(
        entry.declaration.grows || geometry.growth().is_none(),
        "{} cannot be given a heap of {heap}: its heap does not grow",
        entry.name()
    );
    ensure!(
        entry.declaration.accepts(geometry),
        "{} cannot be given a heap of {heap}: it needs at least {} bytes, a multiple of {}",
        entry.name(),
        needs.bytes_min,
        needs.bytes_multiple,
    );
    Ok(())
}

/// What a run over `geometry` has left in a transcript.
fn read(transcript: &Transcript, geometry: Geometry) -> Run {
    let died = || RunEnd::Faulted(Fault::WorkerSilent);
    Run::read(transcript, died, |words| fault_of(words, geometry))
}

/// The fault that the fault words of a run over `geometry` are.
fn fault_of(words: [u64; 3], geometry: Geometry) -> Fault {
    let (number, at) = signal_of(words, geometry);
    let source = source_lines::of_this_program(words[1]);
    Fault::Signal { number, at, source }
}

/// The signal that they are, by its number, and the place accessed where it is about an access.
pub(crate) fn signal_of([number, _, offset]: [u64; 3], geometry: Geometry) -> (u64, Option<Place>) {
    let is_access = [libc::SIGSEGV, libc::SIGBUS].contains(&(number as i32));
    let place = || Place::from_heap(offset as i64, geometry);
    (number, is_access.then(place))
}
