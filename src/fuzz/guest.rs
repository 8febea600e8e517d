//! Three ways at once: an input runs on the host and in a live guest, both are judged by the model,
//! and compared with each other.
//!
//! The guest works while the host does. Its image counts the edges that it runs, and libFuzzer is
//! shown these counters beside its own, so that it is led by the code of the real target. Runs are
//! fast; what is suspicious runs again on both sides, strictly. libFuzzer ends without a word to
//! anybody: the guest dies with this process, and its memory has no name that could stay behind.

use std::cell::RefCell;
use std::sync::OnceLock;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::{Context, Result, ensure};
use harness::entry::Entry;
use harness::trace::Trace;

use super::{Input, Target, prepare, transcript};
use crate::execute::guest::{Batch, Guest, find_coverage_image};
use crate::execute::in_process::InProcess;
use crate::oracle::differential;
use crate::oracle::judge::Finding;
use crate::oracle::rules::Rules;
use crate::run::RunOptions;
use crate::subject::registry;

const SUBJECT: &str = "kmem";
/// Names the subject of the target `guest`.
pub const SUBJECT_VARIABLE: &str = "KMEM_RIG_SUBJECT";
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/qemu-tests/regressions");

/// Room for the guest's counters: 16 KiB, of which the image uses three quarters. libFuzzer looks
/// through all of it after each run.
pub const COUNTER_WORDS: usize = (16 << 10) / size_of::<AtomicU64>();

/// What libFuzzer is shown: the target puts it into the section `__libfuzzer_extra_counters`.
pub type Counters = [AtomicU64; COUNTER_WORDS];

thread_local! {
    static GUEST: RefCell<Option<Guest>> = const { RefCell::new(None) };
}

/// The target: `kmem`'s, unless `KMEM_RIG_SUBJECT` names another subject that both sides hold.
///
/// # Panics
/// When there is no such subject.
pub fn target() -> &'static Target {
    static TARGET: OnceLock<Target> = OnceLock::new();
    TARGET.get_or_init(|| {
        let subject = std::env::var(SUBJECT_VARIABLE);
        let entry = registry::by_name(subject.as_deref().unwrap_or(SUBJECT));
        Target::new(
            entry.unwrap_or_else(|error| panic!("{error:#}")),
            REGRESSIONS,
        )
    })
}

impl Target {
    /// Runs an input on both sides and judges it; adds what the guest counted to `counters`.
    ///
    /// # Panics
    /// When a rule is broken, with the trace and what broke it; and when the rig itself cannot
    /// work.
    pub fn check_in_guest(&self, input: Input, counters: &Counters) {
        self.check_by(input, judge);
        GUEST.with_borrow(|guest| {
            let moved = guest.as_ref().map(|guest| move_counters(guest, counters));
            if let Some(Err(error)) = moved {
                panic!("{error:#}");
            }
        });
    }
}

fn judge(
    heaps: &mut InProcess,
    entry: &'static Entry,
    trace: &Trace,
    fresh: u64,
) -> Option<Finding> {
    prepare(heaps, trace);
    GUEST.with_borrow_mut(|guest| {
        let judged = booted(guest).and_then(|guest| {
            let suspicious = differs(heaps, guest, entry, trace, fresh)?;
            if suspicious {
                explain(entry, trace, fresh)
            } else {
                Ok(None)
            }
        });
        judged.unwrap_or_else(|error| panic!("{error:#}"))
    })
}

fn booted(guest: &mut Option<Guest>) -> Result<&mut Guest> {
    if guest.is_none() {
        *guest = Some(Guest::start(&find_coverage_image()?)?);
    }
    guest.as_mut().context("it was just booted")
}

/// Runs fast on both sides at once: whether a rule is broken, or the two differ.
fn differs(
    heaps: &mut InProcess,
    guest: &mut Guest,
    entry: &Entry,
    trace: &Trace,
    fresh: u64,
) -> Result<bool> {
    let mut batch = Batch::new(guest, entry, RunOptions::FAST);
    batch.post(trace)?;
    let options = RunOptions::FAST.knowing(fresh);
    let on_host = heaps.run(entry, trace, options, transcript().progress())?;
    let broken = heaps.judge(entry, trace, &on_host, Rules::ALL, fresh);
    let (_, in_guest) = batch.take()?.context("a trace was posted")?;
    // Equal records are judged alike, so the guest's is judged only where it is compared with less.
    let absolute = entry.declaration.placement_absolute;
    Ok(broken.finding().is_some()
        || differential::compare(&entry.declaration, trace, &on_host, &in_guest).is_some()
        || absolute
            && batch
                .guest()
                .judge(entry, trace, &in_guest, Rules::ALL)?
                .finding()
                .is_some())
}

/// Runs strictly, one side after the other, on heaps that nothing has run on before: the host's
/// finding, else the guest's, else how the two differ.
fn explain(entry: &Entry, trace: &Trace, fresh: u64) -> Result<Option<Finding>> {
    let (mut heaps, mut guest) = (InProcess::default(), Guest::start(&find_coverage_image()?)?);
    prepare(&mut heaps, trace);
    let options = RunOptions::STRICT.knowing(fresh);
    let on_host = heaps.run(entry, trace, options, transcript().progress())?;
    let verdict = heaps.judge(entry, trace, &on_host, Rules::ALL, fresh);
    if let Some(finding) = verdict.finding() {
        return Ok(Some(finding.clone()));
    }
    let (in_guest, verdict) = guest.verdict(entry, trace, Rules::ALL)?;
    let differs = || differential::compare(&entry.declaration, trace, &on_host, &in_guest);
    Ok(verdict.finding().cloned().or_else(differs))
}

/// Moves what the guest has counted since the last time.
fn move_counters(guest: &Guest, counters: &Counters) -> Result<()> {
    let counted = guest.counters()?;
    ensure!(
        !counted.is_empty(),
        "the guest image counts nothing: build one that does with `make guest-coverage`"
    );
    ensure!(
        counted.len() <= counters.len(),
        "the guest has {} words of counters, and there is room for {}",
        counted.len(),
        counters.len()
    );
    for (from, to) in counted.iter().zip(counters) {
        let count = from.load(Relaxed);
        if count != 0 {
            to.store(count, Relaxed);
            from.store(0, Relaxed);
        }
    }
    Ok(())
}
