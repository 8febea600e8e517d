//! Runs traces on this machine, each in a forked worker, so that no crash or hang of a subject
//! reaches the rig.

pub(crate) mod region;
pub(crate) mod shared;
mod stream;
pub(crate) mod watch;
pub(crate) mod worker;

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::entry::Entry;
use harness::execute::{Plan, execute};
use harness::geometry::Geometry;
use harness::ground::Ground;
use harness::heap::Workspace;
use harness::subject::Region;
use harness::trace::Trace;
use harness::transcript::{Recorder, Transcript};

use crate::counted;
use crate::executor::{self, Executor};
use crate::run::{Run, RunEnd, RunOptions};
use region::HostRegion;
use shared::Shared;
use watch::Watch;
use worker::Worker;

/// The CPU time one op may take. Ops on the largest heaps take milliseconds.
pub const OP_LIMIT: Duration = Duration::from_millis(100);
/// The same for a search that asks for thousands of runs and confirms its result in the end, on
/// the smallest heaps.
const SEARCH_LIMIT: Duration = Duration::from_millis(20);
/// What each MiB of a heap adds to it: filling and verifying a block take that long at worst.
const SEARCH_LIMIT_PER_MIB: Duration = Duration::from_millis(5);
/// A hang is reported only after one run in which the op had this many times the limit.
pub const CONFIRM_FACTOR: u32 = 10;

/// The host as an executor.
pub struct Host {
    transcript: Shared<Transcript>,
    workspace: Box<Workspace>,
    regions: HashMap<Geometry, HostRegion>,
    capacities: HashMap<(&'static str, Geometry), u64>,
    confirms_hangs: bool,
}

impl Host {
    /// A host that has not mapped any heap yet.
    ///
    /// # Errors
    /// When the kernel grants no shared memory.
    pub fn new() -> Result<Self> {
        let transcript = Shared::new().context("mapping shared memory for a worker")?;
        Ok(Self {
            transcript,
            workspace: Box::default(),
            regions: HashMap::new(),
            capacities: HashMap::new(),
            confirms_hangs: true,
        })
    }

    /// The memory of heaps of this geometry, mapped as long as this value lives. Only workers may
    /// use it: each has its own copy.
    ///
    /// # Errors
    /// When the kernel grants no memory.
    pub(crate) fn region(&mut self, geometry: Geometry) -> Result<Region> {
        use std::collections::hash_map::Entry::{Occupied, Vacant};
        Ok(match self.regions.entry(geometry) {
            Occupied(mapped) => mapped.get().region(),
            Vacant(vacant) => {
                let mapped = HostRegion::new(geometry)
                    .with_context(|| format!("mapping a heap of {}", counted::heap(geometry)))?;
                vacant.insert(mapped).region()
            }
        })
    }

    fn run_once(
        &mut self,
        entry: &Entry,
        trace: &Trace,
        plan: Plan<'_>,
        op_limit: Duration,
    ) -> Result<Run> {
        let region = self.region(trace.geometry)?;
        let transcript = &*self.transcript;
        let workspace = &mut *self.workspace;
        transcript.clear();
        let watch = Watch {
            transcript,
            progress: transcript.progress(),
            op_limit,
            heap_start: region.start.addr(),
        };
        let mut worker = Worker::start(&watch, || {
            let mut recorder = Recorder::new(transcript);
            // SAFETY: the region is mapped as `Region` says until `self.regions` is dropped, and the
            // worker's copy of it is nobody else's.
            let mut ground = unsafe { Ground::new(region) };
            // SAFETY: `ensure_accepts` has checked the geometry.
            let completion = unsafe { execute(entry, plan, &mut ground, workspace, &mut recorder) };
            recorder.finish(completion);
        })
        .context("forking a worker")?;
        worker.wait().context("waiting for a worker")?;
        let died = || RunEnd::Faulted("the worker died without a word".to_owned());
        let run = Run::read(transcript, died, |words| {
            describe_fault(words, trace.geometry)
        });
        Ok(run.faulted_at_stray_store(trace.geometry))
    }
}

impl Executor for Host {
    fn run(&mut self, entry: &Entry, trace: &Trace, options: RunOptions) -> Result<Run> {
        ensure_accepts(entry, trace.geometry)?;
        let plan = Plan {
            ops: &trace.ops,
            strength: options.strength,
            tables: options.tables,
            fresh_capacity: self.capacity_for(entry, trace)?,
            // This machine counts no instructions.
            meter: None,
        };
        let limit = if self.confirms_hangs {
            OP_LIMIT
        } else {
            search_limit(trace.geometry)
        };
        let run = self.run_once(entry, trace, plan, limit)?;
        if run.end == RunEnd::Hung && self.confirms_hangs {
            return self.run_once(entry, trace, plan, OP_LIMIT * CONFIRM_FACTOR);
        }
        Ok(run)
    }

    fn confirm_hangs(&mut self, confirm: bool) {
        self.confirms_hangs = confirm;
    }

    fn fresh_capacity(&mut self, entry: &Entry, geometry: Geometry) -> Result<u64> {
        let key = (entry.name(), geometry);
        if let Some(&bytes) = self.capacities.get(&key) {
            return Ok(bytes);
        }
        let granted = executor::measure_capacity(self, entry, geometry)?;
        self.capacities.insert(key, granted);
        Ok(granted)
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

/// A signal in words, with its address as an offset where it lies at the heap.
pub(crate) fn describe_fault([signal, _, offset]: [u64; 3], geometry: Geometry) -> String {
    let name = match signal as i32 {
        libc::SIGSEGV => "SIGSEGV",
        libc::SIGBUS => "SIGBUS",
        libc::SIGILL => "SIGILL",
        libc::SIGFPE => "SIGFPE",
        libc::SIGABRT => "SIGABRT",
        _ => "a signal",
    };
    let offset = offset as i64;
    let near = geometry.region_align() as i64;
    if offset >= -near && offset < geometry.bytes() as i64 + near {
        let sign = if offset < 0 { '-' } else { '+' };
        format!("{name} at heap{sign}{:#x}", offset.unsigned_abs())
    } else {
        format!("{name} far outside the heap")
    }
}
