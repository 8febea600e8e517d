//! What the libFuzzer targets call: bytes in, and a panic that is a bug report if a rule is broken.
//!
//! Targets stay a few lines long and everything is compiled here, once, without instrumentation:
//! `fuzz/Cargo.toml` leaves that to the subjects. A find that a committed regression shows already is passed
//! over, so that fuzzing goes on to new ones; `KMEM_RIG_KNOWN=report` reports those too.

pub mod guest;
#[cfg(fuzzing)]
mod sanitizer;
mod screen;
pub mod tally;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::atomic::AtomicU32;
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use harness::bytes;
use harness::declaration::Misuse;
use harness::entry::Entry;
use harness::text::Document;
use harness::trace::Trace;
use harness::transcript::Transcript;

use crate::generate::Limits;
use crate::host::shared::Shared;
use crate::host::watch::{self, Watch};
use crate::in_process::InProcess;
use crate::judge::Finding;
use crate::mutate;
use crate::registry;
use crate::regression::{Key, Regression};
use crate::report;
use crate::rules::{Rule, Rules};
use crate::run::{RunEnd, RunOptions};
use screen::Screen;

include!(concat!(env!("OUT_DIR"), "/regressions.rs"));

/// The CPU time one op may take: ten times the ordinary limit, since nothing is confirmed here
/// and instrumented code is slow.
const OP_LIMIT: Duration = Duration::from_secs(1);
/// The most ops the mutator lets an input grow to.
const OPS_MAX: usize = 128;

/// A fuzz input. Its `Debug` form, which `cargo fuzz fmt` prints, is the trace's text.
pub struct Input(Trace);

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        let rest = u.bytes(u.len())?;
        Ok(Self(bytes::decode(rest)))
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The input under way, for the report of a crash.
static CURRENT: RwLock<Option<(&'static str, Trace)>> = RwLock::new(None);
static TRANSCRIPT: OnceLock<Shared<Transcript>> = OnceLock::new();
static PROGRESS: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static HEAPS: RefCell<InProcess> = RefCell::default();
    static SCREENS: RefCell<BTreeMap<&'static str, Screen>> = RefCell::default();
}

/// Runs an input on a subject and judges it.
///
/// # Panics
/// When a rule is broken, with the trace and what broke it; and when there is no such subject.
pub fn check(subject: &str, input: Input) {
    check_by(subject, input, judge);
}

/// How an input is judged: with this process's heaps, on a subject.
type Judging = fn(&mut InProcess, &'static Entry, &Trace) -> Option<Finding>;

fn check_by(subject: &str, input: Input, judge: Judging) {
    let Ok(entry) = registry::by_name(subject) else {
        panic!("no subject `{subject}`")
    };
    let trace = judged_part(entry, input.0);
    if !entry.declaration.accepts(trace.geometry) {
        return;
    }
    if crashes_as_known(entry, &trace) {
        return;
    }
    watch_this_process();
    *CURRENT.write().unwrap_or_else(PoisonError::into_inner) =
        Some((entry.declaration.name, trace));
    // Held while the subject runs; whoever reports its crash reads the same.
    let current = CURRENT.read().unwrap_or_else(PoisonError::into_inner);
    let Some((_, trace)) = &*current else { return };
    let found = HEAPS.with_borrow_mut(|heaps| {
        let before = heaps.ops_judged();
        let found = judge(heaps, entry, trace);
        tally::add(heaps.ops_judged() - before);
        found
    });
    if let Some(finding) = found
        && reports(entry, &finding)
    {
        let report = report::finding(entry.name(), trace, &finding);
        drop(current);
        *CURRENT.write().unwrap_or_else(PoisonError::into_inner) = None;
        panic!("{report}");
    }
}

/// Parses text as a trace; what parses must print to text that parses to the same.
///
/// # Panics
/// When it does not.
pub fn check_text(text: &str) {
    if let Ok(document) = Document::parse(text) {
        document.trace().check_invariants();
        let printed = document.to_string();
        let again = Document::parse(&printed).expect("canonical text parses");
        assert_eq!(
            again.to_string(),
            printed,
            "canonical text is its own canonical form"
        );
        assert_eq!(again.trace(), document.trace(), "printing loses nothing");
    }
}

/// Mutates an input for a subject op by op: the body of a `fuzz_mutator!`.
pub fn mutate(subject: &str, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    match registry::by_name(subject) {
        Ok(entry) => {
            let limits = Limits::of(&entry.declaration, OPS_MAX);
            mutate::mutate(data, size, max_size, seed, &limits)
        }
        Err(_) => size,
    }
}

/// Joins a prefix of one input and a suffix of another: the body of a `fuzz_crossover!`.
pub fn cross_over(subject: &str, one: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize {
    registry::by_name(subject).map_or(0, |entry| {
        let limits = Limits::of(&entry.declaration, OPS_MAX);
        mutate::cross_over(one, other, out, seed, &limits)
    })
}

/// Runs fast; what is suspicious runs again, strictly and on a fresh heap.
fn judge(heaps: &mut InProcess, entry: &'static Entry, trace: &Trace) -> Option<Finding> {
    prepare(heaps, trace);
    let mut judge = |options| {
        heaps
            .judge_as_it_runs(entry, trace, Rules::ALL, options, &PROGRESS)
            .expect(MAPPED)
    };
    judge(RunOptions::FAST)?;
    judge(RunOptions::STRICT)
}

/// What a fuzz target cannot do without.
const MAPPED: &str = "a heap can be mapped";

/// Maps the heap, and lets the report of a crash know where it is.
fn prepare(heaps: &mut InProcess, trace: &Trace) {
    let start = heaps.heap_start(trace.geometry).expect(MAPPED);
    watch::set_heap_start(start);
}

/// The trace as this subject is fuzzed with it: one that promises nothing about misuse is spared it.
#[must_use]
pub fn judged_part(entry: &Entry, trace: Trace) -> Trace {
    if entry.declaration.misuse == Misuse::Undefined {
        trace.without_misuse()
    } else {
        trace
    }
}

/// Whether the input runs into a crash that a committed regression shows. Such a crash cannot be
/// passed over where it happens, so subjects that have one run in a worker first.
fn crashes_as_known(entry: &'static Entry, trace: &Trace) -> bool {
    let crash = |rule| matches!(rule, Rule::Panic | Rule::Fault | Rule::Hang);
    if all_are_reported() || !known().iter().any(|k| k.0 == entry.name() && crash(k.1)) {
        return false;
    }
    SCREENS.with_borrow_mut(|screens| {
        let screen = screens
            .entry(entry.name())
            .or_insert_with(|| Screen::new(entry).expect("memory can be mapped"));
        let broken = screen.crash(trace).expect("a worker can be forked");
        broken.is_some_and(|(rule, kind)| known().contains(&(entry.name().to_owned(), rule, kind)))
    })
}

/// Whether a find is to be reported: always if it is new.
fn reports(entry: &Entry, finding: &Finding) -> bool {
    let key = (entry.name().to_owned(), finding.rule, finding.kind);
    all_are_reported() || !known().contains(&key)
}

/// Whether known finds are reported too.
fn all_are_reported() -> bool {
    static ALL: OnceLock<bool> = OnceLock::new();
    *ALL.get_or_init(|| std::env::var_os("KMEM_RIG_KNOWN").is_some_and(|v| v == "report"))
}

/// The finds of the committed regressions.
fn known() -> &'static BTreeSet<Key> {
    static KNOWN: OnceLock<BTreeSet<Key>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let regressions = REGRESSIONS.iter().map(|(name, text)| {
            Regression::parse(name, text).expect("committed regressions parse")
        });
        regressions
            .flat_map(|regression| regression.keys().collect::<Vec<_>>())
            .collect()
    })
}

fn watch_this_process() {
    let transcript = TRANSCRIPT.get_or_init(|| Shared::new().expect("memory can be mapped"));
    let watch = Watch {
        transcript,
        progress: &PROGRESS,
        op_limit: OP_LIMIT,
        heap_start: 0,
    };
    watch::and_tell(&watch, tell_crash);
}

/// Writes the input under way and its end to the log, before the process dies of it.
fn tell_crash() {
    let (Ok(current), Some(transcript)) = (CURRENT.try_read(), TRANSCRIPT.get()) else {
        return;
    };
    let Some((subject, trace)) = &*current else {
        return;
    };
    let end = crate::run::Run::read(
        transcript,
        || RunEnd::Hung,
        |words| crate::host::describe_fault(words, trace.geometry),
    );
    let end = match end.end {
        RunEnd::Panicked(message) => format!("panic: {message}"),
        RunEnd::Faulted(fault) => format!("fault: {fault}"),
        RunEnd::Hung => "hang: an op did not return".to_owned(),
        RunEnd::Completed | RunEnd::Lost => return,
    };
    eprintln!("{subject} crashes: {end}\n{trace}");
}
