//! Runs case after case on the host and names the suspicious ones by number.
//!
//! All cases run inside one forked worker, which is replaced after a case that
//! crashed or hung it; the parent looks at suspects while the worker goes on. The two share a
//! few counters: a case is drawn from its number on either side.
//!
//! What a fresh heap grants is measured by the worker, when a case first asks for it. By the parent it
//! is measured only if the worker does not live to the end of it, since there each of the dozens of
//! tries is a process of its own.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU32, AtomicU64};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use harness::op::{Op, OpKind};
use harness::trace::Trace;
use harness::transcript::{End, Transcript};

use super::{Bound, Settings, draw};
use crate::executor::Executor;
use crate::generate::Limits;
use crate::host::shared::{Shareable, Shared};
use crate::host::watch::Watch;
use crate::host::worker::Worker;
use crate::host::{self, Host};
use crate::in_process::InProcess;
use crate::rules::Rule;
use crate::run::RunOptions;

/// Fast strength sees a broken rule late, so that one rule and op kind can stand for several: as
/// many suspects of each are passed on.
const SUSPECTS_PER_KIND: u32 = 4;
/// Suspects one worker can name; far above what [`SUSPECTS_PER_KIND`] allows.
const SUSPECTS_MAX: usize = 1024;
/// How often the parent looks for suspects.
const POLL: Duration = Duration::from_micros(100);

/// A case that is suspicious.
pub(super) struct Sighting {
    /// Its number.
    pub(super) case: u64,
    /// Cases that had run by then.
    pub(super) execs: u64,
    /// When that was seen.
    pub(super) at: Instant,
}

/// Is told of a suspect; says whether to go on.
pub(super) type Suspect<'a, E> = &'a mut dyn FnMut(&mut E, Sighting) -> Result<ControlFlow<()>>;

/// What the worker and its parent share.
#[repr(C)]
struct Progress {
    /// The case under way.
    case: AtomicU64,
    /// Ops of all cases that ended.
    ops: AtomicU64,
    /// Moves with every op.
    op: AtomicU32,
    /// What `op` was when the case under way began.
    op_at_start: AtomicU32,
    /// Not 0 while the worker measures what a fresh heap of the case under way grants.
    measuring: AtomicU32,
    suspects_length: AtomicU32,
    suspects: [AtomicU64; SUSPECTS_MAX],
    /// When each was seen, in nanoseconds since the search began.
    seen: [AtomicU64; SUSPECTS_MAX],
    /// How the worker ended, if not well.
    transcript: Transcript,
}

// SAFETY: atomics throughout, of which zero is a value.
unsafe impl Shareable for Progress {}

impl Progress {
    /// What the case under way crashed of, and at which kind of op, as far as a crash can be told
    /// without running it again.
    fn crash(&self, trace: &Trace) -> (Rule, OpKind) {
        let rule = match self.transcript.end() {
            End::Hung => Rule::Hang,
            End::Panicked => Rule::Panic,
            _ => Rule::Fault,
        };
        let begun = self
            .op
            .load(Relaxed)
            .wrapping_sub(self.op_at_start.load(Relaxed));
        let op = trace.ops.get((begun as usize).saturating_sub(1));
        (rule, op.map_or(OpKind::Table, Op::kind))
    }
}

/// How many suspects there were of each rule and op kind.
#[derive(Default)]
pub(super) struct Suspects(HashMap<(Rule, OpKind), u32>);

impl Suspects {
    /// Counts one more, and says whether it is worth a strict run.
    pub(super) fn are_worth(&mut self, kind: (Rule, OpKind)) -> bool {
        let count = self.0.entry(kind).or_default();
        *count += 1;
        *count <= SUSPECTS_PER_KIND
    }
}

/// When to stop.
pub(super) struct Stop {
    pub(super) execs_max: u64,
    deadline: Option<Instant>,
}

impl Stop {
    pub(super) fn of(bound: Bound) -> Self {
        match bound {
            Bound::Execs(execs_max) => Self {
                execs_max,
                deadline: None,
            },
            Bound::Time(time) => Self {
                execs_max: u64::MAX,
                deadline: Some(Instant::now() + time),
            },
        }
    }

    fn is_due(&self, case: u64) -> bool {
        // The clock is looked at now and then only: it costs as much as a short case.
        case >= self.execs_max || case.is_multiple_of(16) && self.is_late()
    }

    pub(super) fn is_late(&self) -> bool {
        self.deadline
            .is_some_and(|deadline| Instant::now() >= deadline)
    }
}

/// Searches on the host; returns the number of cases and of ops.
pub(super) fn on_host(
    settings: &Settings<'_>,
    limits: &Limits,
    host: &mut Host,
    suspect: Suspect<'_, Host>,
    watch: &mut dyn FnMut(u64),
) -> Result<(u64, u64)> {
    let progress = Shared::<Progress>::new().context("mapping shared memory for a worker")?;
    let (start, stop) = (Instant::now(), Stop::of(settings.bound));
    let mut heaps = InProcess::default();
    for &geometry in &limits.geometries {
        // Mapped here, and so at the same place in each worker.
        heaps.heap_start(geometry)?;
    }
    let limit_of = |&geometry| host::search_limit(geometry);
    let op_limit = limits
        .geometries
        .iter()
        .map(limit_of)
        .max()
        .unwrap_or_default();
    let mut crashes = Suspects::default();
    let mut case = 0;
    while !stop.is_due(case) {
        progress.transcript.clear();
        progress.suspects_length.store(0, Relaxed);
        progress.case.store(case, Relaxed);
        let watched = Watch {
            transcript: &progress.transcript,
            progress: &progress.op,
            op_limit,
            heap_start: 0,
        };
        let mut worker = Worker::start(&watched, || {
            search(settings, limits, &mut heaps, &stop, start, &progress)
        })
        .context("forking a worker")?;
        let mut seen = 0;
        loop {
            // Asked first: whatever the worker named before its end is seen below.
            let ended = worker.has_ended().context("waiting for a worker")?;
            while seen < progress.suspects_length.load(Acquire) as usize {
                let case = progress.suspects[seen].load(Relaxed);
                let after = Duration::from_nanos(progress.seen[seen].load(Relaxed));
                let sighting = Sighting {
                    case,
                    execs: case + 1,
                    at: start + after,
                };
                if suspect(host, sighting)?.is_break() {
                    // The worker goes with its handle.
                    return Ok((progress.case.load(Relaxed), progress.ops.load(Relaxed)));
                }
                seen += 1;
            }
            if ended {
                break;
            }
            watch(progress.case.load(Relaxed));
            std::thread::sleep(POLL);
        }
        case = progress.case.load(Relaxed);
        if !stop.is_due(case) {
            // The worker did not come to an end of its own: the case under way ended it.
            let at = Instant::now();
            let trace = draw(settings.seed, case, limits);
            if progress.measuring.swap(0, Relaxed) != 0 {
                // It has not begun: it runs once it is known what it asks for.
                let granted = host.fresh_capacity(settings.entry, trace.geometry)?;
                heaps.add(settings.entry, trace.geometry, granted)?;
                continue;
            }
            progress.ops.fetch_add(trace.ops.len() as u64, Relaxed);
            let crash = progress.crash(&trace);
            let sighting = Sighting {
                case,
                execs: case + 1,
                at,
            };
            case += 1;
            if crashes.are_worth(crash) && suspect(host, sighting)?.is_break() {
                break;
            }
        }
    }
    Ok((case, progress.ops.load(Relaxed)))
}

/// The worker's life: cases one after the other, from the one in `progress` on.
fn search(
    settings: &Settings<'_>,
    limits: &Limits,
    heaps: &mut InProcess,
    stop: &Stop,
    start: Instant,
    progress: &Progress,
) {
    let mut suspects = Suspects::default();
    let mut case = progress.case.load(Relaxed);
    while !stop.is_due(case) {
        let trace = draw(settings.seed, case, limits);
        progress.measuring.store(1, Relaxed);
        // Kept for the case itself, which comes upon the same error if there is one.
        let _ = heaps.capacity_for(settings.entry, &trace);
        progress.measuring.store(0, Relaxed);
        progress
            .op_at_start
            .store(progress.op.load(Relaxed), Relaxed);
        let found = heaps.judge_as_it_runs(
            settings.entry,
            &trace,
            settings.rules,
            RunOptions::FAST,
            &progress.op,
        );
        if let Ok(Some(finding)) = found {
            let at = progress.suspects_length.load(Relaxed) as usize;
            if suspects.are_worth((finding.rule(), finding.kind)) && at < SUSPECTS_MAX {
                let after = start.elapsed().as_nanos() as u64;
                progress.suspects[at].store(case, Relaxed);
                progress.seen[at].store(after, Relaxed);
                progress.suspects_length.store(at as u32 + 1, Release);
            }
        }
        progress.ops.fetch_add(trace.ops.len() as u64, Relaxed);
        case += 1;
        progress.case.store(case, Release);
    }
}
