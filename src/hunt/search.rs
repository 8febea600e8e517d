//! Runs case after case on the host and names the suspicious ones by number.
//!
//! ```text
//! a worker: case after case --counters--> a thread: suspects, and a new worker after a crash or a
//! hang
//!                                           `--> this thread: looks at one suspect after the other
//! ```
//!
//! All cases run inside one forked worker, which is replaced after a case that crashed or hung it,
//! while suspects are looked at. The two share a few counters: a case is drawn from its number on
//! either side.
//!
//! What fresh heaps grant is measured before the first case. A request that a subject does not
//! survive then is a suspect too.

#![allow(unsafe_code, reason = "it is shared memory")]

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use harness::entry::Entry;
use harness::op::{Op, OpKind};
use harness::trace::Trace;

use super::{Bound, Settings, draw};
use crate::execute::capacity::{Capacities, Measured};
use crate::execute::executor::Executor;
use crate::execute::host::shared::Shareable;
use crate::execute::host::supervised::{Common, Pace, Supervised};
use crate::execute::host::{self, Host};
use crate::execute::in_process::InProcess;
use crate::generate::Limits;
use crate::oracle::judge::{Broken, Finding};
use crate::oracle::rules::Rule;
use crate::run::RunOptions;

/// Fast strength sees a broken rule late, so that one rule and op kind can stand for several: as
/// many suspects of each are passed on. Panics and faults are told apart by their place as well,
/// lest a frequent one keep others from being looked at.
const SUSPECTS_PER_KIND: u32 = 4;
/// Each worker that follows a crash names as many again. Of all of a kind, so many are passed on;
/// those behind the first [`SUSPECTS_PER_KIND`] are for as long as nothing of their kind was found.
const REPEATED_MAX: u32 = 64;
/// Suspects one worker can name; far above what [`SUSPECTS_PER_KIND`] allows.
const SUSPECTS_MAX: usize = 1024;
/// How often a thread looks for what its worker says.
const POLL: Duration = Duration::from_micros(100);
/// How often the number of cases is reported while nothing is suspicious.
const WATCH: Duration = Duration::from_millis(1);

/// A trace that is suspicious.
pub(super) struct Sighting {
    pub(super) trace: Trace,
    /// What it broke when it was seen, as far as is known.
    pub(super) broken: Option<Broken>,
    /// Whether as many of this kind as are usually worth it were seen before.
    pub(super) repeated: bool,
    /// Cases that had run by then.
    pub(super) execs: u64,
    /// When that was seen.
    pub(super) at: Instant,
}

impl Sighting {
    pub(super) const fn new(trace: Trace, broken: Option<Broken>, execs: u64, at: Instant) -> Self {
        Self {
            trace,
            broken,
            repeated: false,
            execs,
            at,
        }
    }
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
    suspects_length: AtomicU32,
    suspects: [Named; SUSPECTS_MAX],
}

/// A suspect that the worker names.
#[repr(C)]
struct Named {
    case: AtomicU64,
    /// The op that broke a rule.
    op: AtomicU64,
    /// The rule's place in [`Rule::ALL`].
    rule: AtomicU64,
    /// When that was seen, in nanoseconds since the search began.
    at: AtomicU64,
}

// SAFETY: atomics throughout, of which zero is a value.
unsafe impl Shareable for Progress {}

impl Progress {
    /// Names a suspect, if there is room.
    fn name(&self, case: u64, finding: &Finding, after: Duration) {
        let length = self.suspects_length.load(Relaxed);
        if let Some(named) = self.suspects.get(length as usize) {
            let rule = Rule::ALL.iter().position(|rule| *rule == finding.rule());
            named.case.store(case, Relaxed);
            named.op.store(finding.op as u64, Relaxed);
            named.rule.store(rule.unwrap_or_default() as u64, Relaxed);
            named.at.store(after.as_nanos() as u64, Relaxed);
            self.suspects_length.store(length + 1, Release);
        }
    }
}

/// What an op of a trace broke, without a place.
fn broken_by(trace: &Trace, op: usize, rule: Rule) -> Broken {
    let kind = trace.ops.get(op).map_or(OpKind::Table, Op::kind);
    Broken {
        rule,
        kind: Some(kind),
        source: None,
    }
}

/// How many suspects there were of each kind.
#[derive(Default)]
pub(super) struct Suspects(HashMap<Broken, u32>);

impl Suspects {
    /// Counts one more, and says whether it is worth a strict run.
    pub(super) fn are_worth(&mut self, broken: &Broken) -> bool {
        self.count(broken) <= SUSPECTS_PER_KIND
    }

    fn count(&mut self, broken: &Broken) -> u32 {
        let count = self.0.entry(broken.clone()).or_default();
        *count += 1;
        *count
    }
}

/// When to stop.
#[derive(Clone, Copy)]
pub(super) struct Stop {
    pub(super) execs_max: u64,
    pub(super) deadline: Option<Instant>,
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

/// Measures what fresh heaps grant, of each geometry that is drawn, as far as there is time.
/// Returns what is to be looked at first: the traces `first`, and the requests that the subject did
/// not survive.
pub(super) fn measure(
    entry: &Entry,
    limits: &Limits,
    stop: &Stop,
    first: &[Trace],
    executor: &mut Measured<dyn Executor>,
) -> Result<Vec<Sighting>> {
    let sighting = |trace, broken| Sighting::new(trace, broken, 0, Instant::now());
    let first = first.iter().map(|trace| sighting(trace.clone(), None));
    let mut suspects: Vec<_> = first.collect();
    executor.confirm_hangs(false);
    for &geometry in &limits.geometries {
        if stop.is_late() {
            break;
        }
        if let Some((trace, rule)) = executor.fresh(entry, geometry)?.failed_probe.clone() {
            let broken = broken_by(&trace, 0, rule);
            suspects.push(sighting(trace, Some(broken)));
        }
    }
    executor.confirm_hangs(true);
    Ok(suspects)
}

/// Searches on the host; returns the number of cases and of ops.
pub(super) fn on_host(
    settings: &Settings<'_>,
    limits: &Limits,
    stop: Stop,
    first: &[Trace],
    host: &mut Host,
    suspect: Suspect<'_, Host>,
    watch: &mut dyn FnMut(u64),
) -> Result<(u64, u64)> {
    let suspects = measure(settings.entry, limits, &stop, first, host)?;
    let search = Search {
        settings,
        limits,
        stop,
        start: Instant::now(),
        over: AtomicBool::new(false),
        cases: AtomicU64::new(0),
        capacities: host.capacities().clone(),
    };
    let (tell, told) = mpsc::channel();
    for sighting in suspects {
        let _ = tell.send(sighting);
    }
    thread::scope(|scope| {
        let cases = scope.spawn(|| search.supervise(tell));
        let looked = loop {
            match told.recv_timeout(WATCH) {
                Ok(sighting) => match suspect(host, sighting) {
                    Ok(ControlFlow::Continue(())) => {}
                    ended => break ended.map(|_| ()),
                },
                Err(RecvTimeoutError::Timeout) => watch(search.cases.load(Relaxed)),
                Err(RecvTimeoutError::Disconnected) => break Ok(()),
            }
        };
        search.over.store(true, Relaxed);
        let cases = cases.join().expect("the thread does not panic");
        looked.and(cases)
    })
}

/// What the thread and its workers go by.
struct Search<'a> {
    settings: &'a Settings<'a>,
    limits: &'a Limits,
    stop: Stop,
    start: Instant,
    /// Set once nobody wants to know more.
    over: AtomicBool,
    /// Cases that have run.
    cases: AtomicU64,
    capacities: Capacities,
}

impl Search<'_> {
    /// Keeps a worker at work until the search ends, and passes on what is suspicious; returns the
    /// number of cases and of ops.
    fn supervise(&self, tell: Sender<Sighting>) -> Result<(u64, u64)> {
        let Self {
            settings, limits, ..
        } = *self;
        let mut worker = Supervised::<Progress>::new()?;
        let mut heaps = InProcess::default();
        for &geometry in &limits.geometries {
            // Mapped here, and so at the same place in each worker.
            heaps.heap_start(geometry)?;
        }
        let limits_of_ops = limits.geometries.iter().copied().map(host::search_limit);
        let op_limit = limits_of_ops.max().unwrap_or_default();
        let (mut named, mut crashes) = (Suspects::default(), Suspects::default());
        let mut case = 0;
        while case < self.stop.execs_max && !self.is_over() {
            worker.suspects_length.store(0, Relaxed);
            worker.case.store(case, Relaxed);
            worker.start(op_limit, 0, |progress| self.run_cases(&mut heaps, progress))?;
            let mut seen = 0;
            let ended = worker.attend(Pace::every(POLL), |progress| {
                self.cases.store(progress.case.load(Relaxed), Relaxed);
                while seen < progress.suspects_length.load(Acquire) as usize {
                    let (broken, sighting) = self.sighting(&progress.suspects[seen]);
                    let count = named.count(&broken);
                    if count <= REPEATED_MAX {
                        let repeated = count > SUSPECTS_PER_KIND;
                        // Nobody listens any more once the hunt is over.
                        let _ = tell.send(Sighting {
                            repeated,
                            ..sighting
                        });
                    }
                    seen += 1;
                }
                match self.is_over() {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            })?;
            case = worker.case.load(Relaxed);
            if ended && !self.stop.is_due(case) {
                // The worker did not come to an end of its own: the case under way ended it.
                let at = Instant::now();
                let trace = draw(settings.seed, case, limits);
                worker.ops.fetch_add(trace.ops.len() as u64, Relaxed);
                let broken = worker.crash(&trace);
                case += 1;
                if crashes.are_worth(&broken) {
                    let _ = tell.send(Sighting::new(trace, Some(broken), case, at));
                }
            }
        }
        Ok((case, worker.ops.load(Relaxed)))
    }

    fn is_over(&self) -> bool {
        self.over.load(Relaxed) || self.stop.is_late()
    }

    /// A suspect that the worker has named, and what it broke.
    fn sighting(&self, named: &Named) -> (Broken, Sighting) {
        let case = named.case.load(Relaxed);
        let trace = draw(self.settings.seed, case, self.limits);
        let rule = Rule::ALL[named.rule.load(Relaxed) as usize];
        let broken = broken_by(&trace, named.op.load(Relaxed) as usize, rule);
        let at = self.start + Duration::from_nanos(named.at.load(Relaxed));
        let sighting = Sighting::new(trace, Some(broken.clone()), case + 1, at);
        (broken, sighting)
    }

    /// The worker's life: cases one after the other, from the one in `progress` on.
    fn run_cases(&self, heaps: &mut InProcess, progress: &Common<Progress>) {
        let settings = self.settings;
        let mut suspects = Suspects::default();
        let mut case = progress.case.load(Relaxed);
        while !self.stop.is_due(case) {
            let trace = draw(settings.seed, case, self.limits);
            progress.begin_case();
            let fresh = self.capacities.of(settings.entry, &trace);
            let options = RunOptions::FAST.knowing(fresh);
            let found = heaps.judge_as_it_runs(
                settings.entry,
                &trace,
                settings.rules,
                options,
                progress.progress(),
            );
            if let Ok(Some(finding)) = found
                && suspects.are_worth(&Broken::from(&finding))
            {
                progress.name(case, &finding, self.start.elapsed());
            }
            progress.ops.fetch_add(trace.ops.len() as u64, Relaxed);
            case += 1;
            progress.case.store(case, Release);
        }
    }
}
