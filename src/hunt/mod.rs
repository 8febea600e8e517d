//! The built-in fuzzer: random traces from a seed, no nightly toolchain needed.
//!
//! Case *n* of a hunt depends on the seed and *n* alone. Cases run in fast strength; a suspicious
//! one is drawn again by its number, run strictly on a fresh heap, and only what breaks a rule
//! then is minimised and reported, once per rule and op kind, and for panics and faults per place
//! in the code. The hunt goes on after a find.

mod guests;
mod search;

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use anyhow::Result;
use arbitrary::Unstructured;
use harness::entry::Entry;
use harness::trace::Trace;

use crate::execute::capacity::Measured;
use crate::execute::executor::Executor;
use crate::execute::guest::Guest;
use crate::execute::host::Host;
use crate::generate::{self, Limits};
use crate::minimize;
use crate::oracle::judge::{Broken, Finding};
use crate::oracle::rules::{Rule, Rules};
use search::{Sighting, Stop};

/// Bytes of randomness for each op of a trace, and for a trace as a whole.
const OP_RANDOM_BYTES: usize = 24;
const TRACE_RANDOM_BYTES: usize = 128;

/// What is pending when a hunt's time is over gets so much more.
const PENDING_MAX: Duration = Duration::from_secs(10);
/// The last of it is for the confirmation of what was being made small, and for replays.
const CONFIRMATION_MAX: Duration = Duration::from_secs(5);
/// And the very last for the end of a replay, which may hang.
const REPLAY_MAX: Duration = Duration::from_secs(2);

/// How far a hunt goes.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// So many cases.
    Execs(u64),
    /// So long; what was seen by then is confirmed and made small for a few seconds more.
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
    /// Whether it had the time that a confirmation gives: a hang is run once more, for longer.
    pub confirmed: bool,
    /// Whether the search for a smaller trace came to its end.
    pub minimal: bool,
    /// When it is too late to replay it.
    pub replay_until: Option<Instant>,
}

impl Find {
    /// What is to be said of a find that was not confirmed or made small to the end.
    #[must_use]
    pub const fn note(&self) -> Option<&'static str> {
        match (self.confirmed, self.minimal) {
            (false, _) => Some("unconfirmed, not minimal"),
            (true, false) => Some("not minimal"),
            (true, true) => None,
        }
    }
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
    on_host_watched(settings, &[], host, report, &mut |_| {})
}

/// As [`on_host`], with a look at the traces `first` before any case, but that an error of `report`
/// ends the hunt; `watch` sees, some thousand times a second, how many cases have run.
///
/// # Errors
/// As for [`on_host`], and those of `report`.
pub fn on_host_watched(
    settings: &Settings<'_>,
    first: &[Trace],
    host: &mut Host,
    report: &mut dyn FnMut(&Find) -> Result<()>,
    watch: &mut dyn FnMut(u64),
) -> Result<Summary> {
    let limits = settings.limits();
    let stop = Stop::of(settings.bound);
    let mut hunt = Hunt::new(settings, &stop);
    let mut look = |host: &mut Host, sighting: Sighting| hunt.look_at(host, &sighting, report);
    search::on_host(settings, &limits, stop, first, host, &mut look, watch)
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
    on_guests_watched(settings, &[], guests, report, &mut |_| {})
}

/// As [`on_guests`], with a look at the traces `first` before any case, but that an error of
/// `report` ends the hunt; `watch` sees now and then how many cases have run.
///
/// # Errors
/// As for [`on_guests`], and those of `report`.
pub fn on_guests_watched(
    settings: &Settings<'_>,
    first: &[Trace],
    guests: &mut [Guest],
    report: &mut dyn FnMut(&Find) -> Result<()>,
    watch: &mut dyn FnMut(u64),
) -> Result<Summary> {
    let limits = settings.limits();
    let stop = Stop::of(settings.bound);
    let mut hunt = Hunt::new(settings, &stop);
    let mut look = |guest: &mut Guest, sighting: Sighting| hunt.look_at(guest, &sighting, report);
    guests::search(settings, &limits, stop, first, guests, &mut look, watch)
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
    known: Vec<Broken>,
    started: Instant,
    /// When nothing more is made small.
    patience: Option<Instant>,
    /// When nothing more is replayed.
    replay_until: Option<Instant>,
    /// What was seen since then, each looked at once.
    hurried: HashSet<Broken>,
    unconfirmed: u64,
}

/// Whether a hunt, or a search for a smaller trace, goes on.
type Next = ControlFlow<()>;

impl<'a> Hunt<'a> {
    fn new(settings: &'a Settings<'a>, stop: &Stop) -> Self {
        let started = Instant::now();
        let more = |last| stop.deadline.map(|deadline| deadline + PENDING_MAX - last);
        Self {
            settings,
            known: Vec::new(),
            started,
            patience: more(CONFIRMATION_MAX),
            replay_until: more(REPLAY_MAX),
            hurried: HashSet::new(),
            unconfirmed: 0,
        }
    }

    /// Runs a suspicious case strictly; reports it, minimised, if it is new.
    fn look_at(
        &mut self,
        executor: &mut Measured<dyn Executor>,
        sighting: &Sighting,
        report: &mut dyn FnMut(&Find) -> Result<()>,
    ) -> Result<Next> {
        let Settings {
            entry,
            rules,
            until,
            ..
        } = *self.settings;
        let trace = &sighting.trace;
        let in_a_hurry = self.is_out_of_patience();
        if let Some(broken) = &sighting.broken
            && (sighting.repeated && self.known.contains(broken)
                || in_a_hurry && !self.hurried.insert(broken.clone()))
        {
            return Ok(Next::Continue(()));
        }
        executor.confirm_hangs(false);
        let looked = executor.verdict(entry, trace, rules);
        executor.confirm_hangs(true);
        let (_, verdict) = looked?;
        let Some(finding) = verdict.finding() else {
            self.unconfirmed += 1;
            return Ok(Next::Continue(()));
        };
        let broken = Broken::from(finding);
        if self.known.iter().any(|known| known.may_be(&broken)) {
            return Ok(Next::Continue(()));
        }
        let (trace, finding) = if in_a_hurry {
            (trace.clone(), finding.clone())
        } else {
            let goes_on = |_| match self.is_out_of_patience() {
                true => Next::Break(()),
                false => Next::Continue(()),
            };
            let small =
                minimize::shrink_while(executor, entry, trace, rules, &broken, &mut { goes_on })?;
            let Some(small) = small else {
                self.unconfirmed += 1;
                return Ok(Next::Continue(()));
            };
            small
        };
        let rule = finding.rule();
        self.known.push(Broken::from(&finding));
        report(&Find {
            finding,
            trace,
            execs: sighting.execs,
            sighted: sighting.at - self.started,
            elapsed: self.started.elapsed(),
            confirmed: !in_a_hurry,
            minimal: !self.is_out_of_patience(),
            replay_until: self.replay_until,
        })?;
        Ok(match until == Some(rule) {
            true => Next::Break(()),
            false => Next::Continue(()),
        })
    }

    fn is_out_of_patience(&self) -> bool {
        self.patience
            .is_some_and(|patience| Instant::now() >= patience)
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

#[cfg(test)]
mod tests {
    use super::*;

    /// What is pending once the time and ten seconds more are over is reported as it was seen,
    /// each once.
    #[test]
    fn what_nobody_has_time_for_is_told_unconfirmed_and_not_minimal() {
        let entry = crate::subject::registry::by_name("kmem-2019").unwrap();
        let settings = Settings {
            entry,
            rules: Rules::ALL,
            seed: 0,
            bound: Bound::Time(Duration::ZERO),
            until: None,
            ops_max: 8,
            misuse: false,
            grow: false,
        };
        let mut hunt = Hunt::new(&settings, &Stop::of(settings.bound));
        assert!(!hunt.is_out_of_patience());
        hunt.patience = Some(Instant::now());
        let text = "# kmem-rig trace v1\nheap 64 pages\na0 = alloc 24\na1 = alloc 24 align 64\n";
        let trace = harness::text::Document::parse(text).unwrap().trace();
        let mut told = Vec::new();
        for _ in 0..2 {
            let sighting = Sighting {
                trace: trace.clone(),
                broken: Some(Broken {
                    rule: Rule::Misaligned,
                    kind: Some(harness::op::OpKind::Alloc),
                    source: None,
                }),
                repeated: false,
                execs: 1,
                at: Instant::now(),
            };
            let mut report = |find: &Find| {
                told.push(find.clone());
                Ok(())
            };
            let mut host = Host::new().unwrap();
            assert!(
                hunt.look_at(&mut host, &sighting, &mut report)
                    .unwrap()
                    .is_continue()
            );
        }
        let [find] = &told[..] else {
            panic!("{told:?}")
        };
        assert_eq!(
            (find.finding.rule(), find.finding.op),
            (Rule::Misaligned, 1)
        );
        assert_eq!(find.trace, trace);
        assert_eq!(find.note(), Some("unconfirmed, not minimal"));
    }
}
