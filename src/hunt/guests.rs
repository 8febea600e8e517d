//! Runs case after case in guests and names the suspicious ones by number.
//!
//! ```text
//! thread 0: cases 0, N, 2N, ...   --batch--> guest 0
//!     `- suspects, and how far it is --> this thread: suspects in the order of their numbers,
//! thread 1: cases 1, N+1, ...     --batch--> guest 1        each looked at in a guest of its own
//! ```
//!
//! A suspect is passed on once no thread can name one before it, so that what is found depends on
//! the seed alone, not on how many guests there are.

use std::borrow::Borrow;
use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{self, Sender};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result};
use harness::trace::Trace;

use super::search::{Sighting, Stop, Suspect, Suspects, measure};
use super::{Settings, draw};
use crate::execute::guest::{Batch, Guest};
use crate::generate::Limits;
use crate::oracle::judge::Broken;
use crate::run::RunOptions;

/// A thread says how far it is after so many of its cases.
const TELL_CASES: u64 = 64;

/// A case under way.
struct Case {
    number: u64,
    trace: Trace,
}

impl Borrow<Trace> for Case {
    fn borrow(&self) -> &Trace {
        &self.trace
    }
}

/// What a thread tells.
struct Told {
    share: usize,
    /// All cases of this share before this number have been judged.
    before: u64,
    suspect: Option<(u64, Suspicion)>,
}

/// What a suspect is suspected of, and since when.
struct Suspicion {
    broken: Broken,
    at: Instant,
}

/// What all threads go by.
struct Hunted<'a> {
    settings: &'a Settings<'a>,
    limits: &'a Limits,
    stop: Stop,
    /// Set once nobody wants to know more.
    over: AtomicBool,
    shares: usize,
}

/// Searches in guests; returns the number of cases and of ops.
pub(super) fn search(
    settings: &Settings<'_>,
    limits: &Limits,
    stop: Stop,
    first: &[Trace],
    guests: &mut [Guest],
    suspect: Suspect<'_, Guest>,
    watch: &mut dyn FnMut(u64),
) -> Result<(u64, u64)> {
    let shares = guests.len();
    let one = guests.first_mut().context("there is no guest")?;
    let mut looks = one.another();
    let hunted = Hunted {
        settings,
        limits,
        stop,
        over: AtomicBool::new(false),
        shares,
    };
    let suspects = measure(settings.entry, limits, &hunted.stop, first, one)?;
    let known = one.capacities().clone();
    looks.learn(&known);
    guests.iter_mut().for_each(|guest| guest.learn(&known));
    for sighting in suspects {
        if suspect(&mut looks, sighting)?.is_break() {
            return Ok((0, 0));
        }
    }
    let (tell, told) = mpsc::channel();
    thread::scope(|scope| {
        let start = |(share, guest)| {
            let (tell, hunted) = (tell.clone(), &hunted);
            scope.spawn(move || hunted.run_share(share, guest, &tell))
        };
        let threads: Vec<_> = guests.iter_mut().enumerate().map(start).collect();
        drop(tell);
        let looked = hunted.look(told.iter(), &mut looks, suspect, watch);
        hunted.over.store(true, Relaxed);
        let mut sums = (0, 0);
        for thread in threads {
            let (execs, ops) = thread.join().expect("a share does not panic")?;
            sums = (sums.0 + execs, sums.1 + ops);
        }
        looked.map(|()| sums)
    })
}

impl Hunted<'_> {
    /// Passes suspects on in the order of their numbers.
    fn look(
        &self,
        told: impl Iterator<Item = Told>,
        guest: &mut Guest,
        suspect: Suspect<'_, Guest>,
        watch: &mut dyn FnMut(u64),
    ) -> Result<()> {
        let mut before = vec![0; self.shares];
        let mut waiting = BTreeMap::new();
        let mut suspects = Suspects::default();
        for told in told {
            before[told.share] = told.before;
            waiting.extend(told.suspect);
            let known = before.iter().copied().min().unwrap_or_default();
            watch(known);
            while let Some(first) = waiting.first_entry()
                && *first.key() < known
            {
                let (case, Suspicion { broken, at }) = first.remove_entry();
                let trace = draw(self.settings.seed, case, self.limits);
                let is_worth = suspects.are_worth(&broken);
                let sighting = Sighting::new(trace, Some(broken), case + 1, at);
                if is_worth && suspect(guest, sighting)?.is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Runs every case whose number is `share` modulo the number of shares.
    fn run_share(
        &self,
        share: usize,
        guest: &mut Guest,
        tell: &Sender<Told>,
    ) -> Result<(u64, u64)> {
        guest.confirm_hangs(false);
        let done = self.run_cases(share, guest, tell);
        guest.confirm_hangs(true);
        done
    }

    fn run_cases(
        &self,
        share: usize,
        guest: &mut Guest,
        tell: &Sender<Told>,
    ) -> Result<(u64, u64)> {
        let Settings { entry, rules, .. } = *self.settings;
        let step = self.shares as u64;
        let mut batch = Batch::new(guest, entry, RunOptions::FAST);
        let mut suspects = Suspects::default();
        let (mut next, mut drawn) = (share as u64, None);
        let (mut execs, mut ops) = (0, 0);
        loop {
            if drawn.is_none() && !self.is_due(next) {
                let trace = draw(self.settings.seed, next, self.limits);
                drawn = Some(Case {
                    number: next,
                    trace,
                });
                next += step;
            }
            if let Some(case) = drawn.take_if(|case| batch.takes(&case.trace)) {
                batch.post(case)?;
                continue;
            }
            let Some((case, run)) = batch.take()? else {
                break;
            };
            let verdict = batch.guest().judge(entry, &case.trace, &run, rules)?;
            execs += 1;
            ops += case.trace.ops.len() as u64;
            let broken = verdict.finding().map(Broken::from);
            let suspect = broken.filter(|broken| suspects.are_worth(broken));
            if suspect.is_some() || execs % TELL_CASES == 0 {
                // Nobody listens any more once the hunt is over.
                let _ = tell.send(Told {
                    share,
                    before: case.number + step,
                    suspect: suspect.map(|broken| {
                        let at = Instant::now();
                        (case.number, Suspicion { broken, at })
                    }),
                });
            }
        }
        let _ = tell.send(Told {
            share,
            before: u64::MAX,
            suspect: None,
        });
        Ok((execs, ops))
    }

    fn is_due(&self, case: u64) -> bool {
        case >= self.stop.execs_max || self.over.load(Relaxed) || self.stop.is_late()
    }
}
