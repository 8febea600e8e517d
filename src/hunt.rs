//! The built-in fuzzer: random traces from a seed, no nightly toolchain needed.
//!
//! Case *n* of a hunt depends on the seed and *n* alone. Cases run in fast strength; a suspicious
//! one is drawn again by its number, run strictly on a fresh heap, and only what breaks a rule
//! then is minimised and reported, once per rule and op kind. The hunt goes on after a find.

mod guests;
mod search;

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::Result;
use arbitrary::Unstructured;
use harness::entry::Entry;
use harness::op::OpKind;
use harness::trace::Trace;

use crate::executor::Executor;
use crate::generate::{self, Limits};
use crate::guest::Guest;
use crate::host::Host;
use crate::judge::Finding;
use crate::minimize;
use crate::rules::{Rule, Rules};
use search::Sighting;

/// Bytes of randomness for each op of a trace, and for a trace as a whole.
const OP_RANDOM_BYTES: usize = 24;
const TRACE_RANDOM_BYTES: usize = 128;

/// How far a hunt goes.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// So many cases.
    Execs(u64),
    /// So long.
    Time(Duration),
}

/// What to hunt.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// The subject.
    pub entry: &'a Entry,
    /// The rules it is judged by.
    pub rules: Rules,
    /// Where the cases come from.
    pub seed: u64,
    /// When to stop.
    pub bound: Bound,
    /// Stop at the first find of this rule, too.
    pub until: Option<Rule>,
    /// The most ops of a case.
    pub ops_max: usize,
    /// Whether the client errs now and then.
    pub misuse: bool,
    /// Whether the heaps grow; the subject's then must.
    pub grow: bool,
}

impl Settings<'_> {
    fn limits(&self) -> Limits {
        let of = match self.grow {
            true => Limits::growing,
            false => Limits::of,
        };
        let limits = of(&self.entry.declaration, self.ops_max);
        Limits {
            misuse: self.misuse,
            ..limits
        }
    }
}

/// A minimised find.
#[derive(Clone, Debug)]
pub struct Find {
    /// The rule broken by the minimised trace, and where.
    pub finding: Finding,
    /// The minimised trace.
    pub trace: Trace,
    /// Cases run when it was met.
    pub execs: u64,
    /// Time passed when it was met: it then has to be confirmed and minimised.
    pub sighted: Duration,
    /// Time passed when it was reported.
    pub elapsed: Duration,
}

/// What a hunt did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    /// Cases run.
    pub execs: u64,
    /// Ops they held.
    pub ops: u64,
    /// Finds reported.
    pub findings: u64,
    /// Cases that were suspicious in fast strength but broke no rule on a strict run.
    pub unconfirmed: u64,
    /// Time passed.
    pub elapsed: Duration,
}

/// Hunts on the host.
///
/// # Errors
/// When the rig itself cannot do its work.
pub fn on_host(
    settings: &Settings<'_>,
    host: &mut Host,
    report: &mut dyn FnMut(&Find),
) -> Result<Summary> {
    let report = &mut |find: &Find| {
        report(find);
        Ok(())
    };
    on_host_watched(settings, host, report, &mut |_| {})
}

/// As [`on_host`], but that an error of `report` ends the hunt; `watch` sees, some thousand times a second, how many cases have run.
///
/// # Errors
/// As for [`on_host`], and those of `report`.
pub fn on_host_watched(
    settings: &Settings<'_>,
    host: &mut Host,
    report: &mut dyn FnMut(&Find) -> Result<()>,
    watch: &mut dyn FnMut(u64),
) -> Result<Summary> {
    let limits = settings.limits();
    let mut hunt = Hunt::new(settings, &limits);
    let mut look = |host: &mut Host, sighting: Sighting| hunt.look_at(host, &sighting, report);
    search::on_host(settings, &limits, host, &mut look, watch)
        .map(|(execs, ops)| hunt.summary(execs, ops))
}

/// Hunts inside guests, each with a share of the cases. What is found does not depend on how many
/// there are. One more is booted for the strict runs, with the first suspect.
///
/// # Errors
/// When the rig itself cannot do its work, or there is no guest.
pub fn on_guests(
    settings: &Settings<'_>,
    guests: &mut [Guest],
    report: &mut dyn FnMut(&Find),
) -> Result<Summary> {
    let report = &mut |find: &Find| {
        report(find);
        Ok(())
    };
    on_guests_watched(settings, guests, report, &mut |_| {})
}

/// As [`on_guests`], but that an error of `report` ends the hunt; `watch` sees now and then how many cases have run.
///
/// # Errors
/// As for [`on_guests`], and those of `report`.
pub fn on_guests_watched(
    settings: &Settings<'_>,
    guests: &mut [Guest],
    report: &mut dyn FnMut(&Find) -> Result<()>,
    watch: &mut dyn FnMut(u64),
) -> Result<Summary> {
    let limits = settings.limits();
    let mut hunt = Hunt::new(settings, &limits);
    let mut look = |guest: &mut Guest, sighting: Sighting| hunt.look_at(guest, &sighting, report);
    guests::search(settings, &limits, guests, &mut look, watch)
        .map(|(execs, ops)| hunt.summary(execs, ops))
}

/// Draws case `number` of the hunt with this seed.
///
/// # Panics
/// Never: the source of bytes is not empty.
#[must_use]
pub fn draw(seed: u64, number: u64, limits: &Limits) -> Trace {
    let mut bytes = vec![0; TRACE_RANDOM_BYTES + OP_RANDOM_BYTES * limits.ops_max];
    // Consecutive cases get unrelated generators: the multiplier is odd, so no two collide.
    let mixed = seed.rotate_left(32) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    fastrand::Rng::with_seed(mixed).fill(&mut bytes);
    generate::trace(&mut Unstructured::new(&bytes), limits).expect("there are bytes to draw from")
}

/// What a hunt has seen so far.
struct Hunt<'a> {
    settings: &'a Settings<'a>,
    limits: &'a Limits,
    known: BTreeSet<(Rule, OpKind)>,
    started: Instant,
    unconfirmed: u64,
}

/// Whether the hunt goes on.
type Next = ControlFlow<()>;

impl<'a> Hunt<'a> {
    fn new(settings: &'a Settings<'a>, limits: &'a Limits) -> Self {
        let started = Instant::now();
        Self {
            settings,
            limits,
            known: BTreeSet::new(),
            started,
            unconfirmed: 0,
        }
    }

    /// Runs a suspicious case strictly; reports it, minimised, if it is new.
    fn look_at(
        &mut self,
        executor: &mut dyn Executor,
        sighting: &Sighting,
        report: &mut dyn FnMut(&Find) -> Result<()>,
    ) -> Result<Next> {
        let Settings {
            entry,
            rules,
            seed,
            until,
            ..
        } = *self.settings;
        let trace = draw(seed, sighting.case, self.limits);
        executor.confirm_hangs(false);
        let looked = executor.verdict(entry, &trace, rules);
        executor.confirm_hangs(true);
        let (_, verdict) = looked?;
        let Some(finding) = verdict.finding() else {
            self.unconfirmed += 1;
            return Ok(Next::Continue(()));
        };
        let broken = (finding.rule, finding.kind);
        if self.known.contains(&broken) {
            return Ok(Next::Continue(()));
        }
        let Some((trace, finding)) = shrink(executor, entry, &trace, rules, broken)? else {
            self.unconfirmed += 1;
            return Ok(Next::Continue(()));
        };
        self.known.insert(broken);
        let elapsed = self.started.elapsed();
        report(&Find {
            finding,
            trace,
            execs: sighting.execs,
            sighted: sighting.at - self.started,
            elapsed,
        })?;
        Ok(match until == Some(broken.0) {
            true => Next::Break(()),
            false => Next::Continue(()),
        })
    }

    fn summary(&self, execs: u64, ops: u64) -> Summary {
        Summary {
            execs,
            ops,
            findings: self.known.len() as u64,
            unconfirmed: self.unconfirmed,
            elapsed: self.started.elapsed(),
        }
    }
}

/// What a smaller trace must break still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The rule.
    pub rule: Rule,
    /// The kind of op; `None`: by any.
    pub kind: Option<OpKind>,
}

impl Broken {
    /// Whether a finding is of this.
    #[must_use]
    pub fn is(self, finding: &Finding) -> bool {
        finding.rule == self.rule && self.kind.is_none_or(|kind| kind == finding.kind)
    }
}

impl From<(Rule, OpKind)> for Broken {
    fn from((rule, kind): (Rule, OpKind)) -> Self {
        let kind = Some(kind);
        Self { rule, kind }
    }
}

/// The smallest trace that breaks the same, and how it does; `None` if it does not when it has all
/// the time that a confirmation gives.
///
/// # Errors
/// When the rig itself cannot do its work.
pub fn shrink(
    executor: &mut dyn Executor,
    entry: &Entry,
    trace: &Trace,
    rules: Rules,
    broken: impl Into<Broken>,
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
    executor: &mut dyn Executor,
    entry: &Entry,
    trace: &Trace,
    rules: Rules,
    broken: impl Into<Broken>,
    watch: &mut dyn FnMut(Shrinking),
) -> Result<Option<(Trace, Finding)>> {
    let broken = broken.into();
    let mut shrinking = Shrinking {
        candidates: 0,
        ops: trace.ops.len(),
    };
    let breaks_the_same = |executor: &mut dyn Executor, trace: &Trace| -> Result<Option<Finding>> {
        if !entry.declaration.accepts(trace.geometry) {
            return Ok(None);
        }
        let (_, verdict) = executor.verdict(entry, trace, rules)?;
        Ok(verdict.finding().filter(|found| broken.is(found)).cloned())
    };
    executor.confirm_hangs(false);
    let small = minimize::minimize(trace, |candidate| {
        let holds = breaks_the_same(executor, candidate)?.is_some();
        shrinking.candidates += 1;
        if holds {
            shrinking.ops = candidate.ops.len();
        }
        watch(shrinking);
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
