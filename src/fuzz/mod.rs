//! What the libFuzzer targets call: bytes in, and a panic that is a bug report if a rule is broken.
//!
//! Targets stay a few lines long and everything is compiled here, once, without instrumentation:
//! `fuzz/Cargo.toml` leaves that to the subjects. A find that a committed regression shows already
//! is passed over, so that fuzzing goes on to new ones; `KMEM_RIG_KNOWN=report` reports those too.
//! A campaign names other regressions, and its own finds, by the environment.
//!
//! A target is one line, [`fuzz_subject!`](crate::fuzz_subject), in a package that depends on
//! `libfuzzer-sys` as well:
//!
//! ```ignore
//! #![no_main]
//! kmem_rig::fuzz_subject!(my_heap::MyHeap);
//! ```

#[cfg(feature = "cli")]
pub mod corpus;
mod crash_probe;
mod crash_report;
pub mod guest;
mod known;
#[cfg(fuzzing)]
mod sanitizer;
pub mod tally;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{OnceLock, PoisonError, RwLock};
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use harness::bytes;
use harness::declaration::Declaration;
use harness::entry::Entry;
use harness::text::Document;
use harness::trace::Trace;
use harness::transcript::Transcript;

use crate::execute::host::Host;
use crate::execute::host::shared::Shared;
use crate::execute::host::watch::{self, Watch};
use crate::execute::in_process::InProcess;
use crate::generate::mutate;
use crate::generate::{self, Limits};
use crate::oracle::judge::{Broken, Finding};
use crate::oracle::rules::Rules;
use crate::report;
use crate::run::RunOptions;
use crash_probe::CrashProbe;
use crash_report::{tell_crash, tell_key};
use known::Known;
pub use known::{FINDS_VARIABLE, KNOWN_VARIABLE, REGRESSIONS_VARIABLE};

/// The CPU time one op may take: ten times the ordinary limit, since nothing is confirmed here
/// and instrumented code is slow.
const OP_LIMIT: Duration = Duration::from_secs(1);
/// The most ops the mutator lets an input grow to.
const OPS_MAX: usize = 128;

/// A fuzz input. Its `Debug` form, which `cargo fuzz fmt` prints, is the trace's text.
pub struct Input(Trace);

impl<'a> Arbitrary<'a> for Input {
    fn arbitrary(u: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Ok(Self::of(u.bytes(u.len())?))
    }
}

impl Input {
    /// The input that these bytes are.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(bytes::decode(bytes))
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The input under way, for the report of a crash.
static CURRENT: RwLock<Option<(&'static Declaration, Trace)>> = RwLock::new(None);
static TRANSCRIPT: OnceLock<Shared<Transcript>> = OnceLock::new();

thread_local! {
    static HEAPS: RefCell<InProcess> = RefCell::default();
    /// Measures fresh heaps, and runs what is known.
    static HOST: RefCell<Option<Host>> = const { RefCell::new(None) };
    static PROBES: RefCell<BTreeMap<&'static str, CrashProbe>> = RefCell::default();
}

/// A libFuzzer target of one subject.
///
/// ```no_run
/// use kmem_rig::fuzz::Target;
/// use kmem_rig::registry;
///
/// let kmem = registry::by_name("kmem")?;
/// let target = Box::leak(Box::new(Target::new(kmem, "qemu-tests/regressions")));
/// let mut input = [0; 64];
/// let size = target.mutate(&mut input, 0, 64, 1);
/// target.check(kmem_rig::fuzz::Input::of(&input[..size]));
/// # anyhow::Ok(())
/// ```
pub struct Target {
    entry: &'static Entry,
    regressions: &'static str,
    grows: bool,
    known: OnceLock<Known>,
}

impl Target {
    /// The target of a subject over heaps that do not grow; inputs over others are passed over.
    /// `regressions` is the folder of the traces whose finds are known, unless there is a folder of
    /// that name, `regressions`, beside the program.
    #[must_use]
    pub const fn new(entry: &'static Entry, regressions: &'static str) -> Self {
        Self {
            entry,
            regressions,
            grows: false,
            known: OnceLock::new(),
        }
    }

    /// The same over heaps that grow; inputs over others are passed over.
    ///
    /// # Panics
    /// If the entry has no subject for such heaps ([`Entry::growing`]).
    #[must_use]
    pub const fn growing(mut self) -> Self {
        assert!(
            self.entry.declaration.grows,
            "an entry with a subject that grows"
        );
        self.grows = true;
        self
    }

    /// Runs an input on the subject and judges it.
    ///
    /// # Panics
    /// When a rule is broken, with the trace and what broke it.
    pub fn check(&self, input: Input) {
        self.check_by(input, judge);
    }

    /// Mutates an input op by op: the body of a `fuzz_mutator!`.
    pub fn mutate(&self, data: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
        mutate::mutate(data, size, max_size, seed, &self.limits())
    }

    /// Joins a prefix of one input and a suffix of another: the body of a `fuzz_crossover!`.
    pub fn cross_over(&self, one: &[u8], other: &[u8], out: &mut [u8], seed: u32) -> usize {
        mutate::cross_over(one, other, out, seed, &self.limits())
    }

    fn limits(&self) -> Limits {
        let limits = match self.grows {
            true => Limits::growing,
            false => Limits::of,
        };
        limits(&self.entry.declaration, OPS_MAX)
    }

    fn check_by(&self, input: Input, judge: Judging) {
        let entry = self.entry;
        let trace = generate::judged_part(entry, input.0);
        let heap = trace.geometry;
        let is_ours = entry.declaration.accepts(heap) && self.grows != heap.growth().is_none();
        if !is_ours {
            return;
        }
        let fresh = fresh_capacity(entry, &trace);
        if self.crashes_as_known(&trace, fresh) {
            return;
        }
        watch_this_process();
        *CURRENT.write().unwrap_or_else(PoisonError::into_inner) =
            Some((&entry.declaration, trace));
        // Held while the subject runs; whoever reports its crash reads the same.
        let current = CURRENT.read().unwrap_or_else(PoisonError::into_inner);
        let Some((_, trace)) = &*current else { return };
        let found = HEAPS.with_borrow_mut(|heaps| {
            let before = heaps.ops_judged();
            // A trace without ops moves nothing on; many of them are no hang.
            transcript().progress().fetch_add(1, Relaxed);
            watch::set_running(true);
            let found = judge(heaps, entry, trace, fresh);
            watch::set_running(false);
            tally::add(heaps.ops_judged() - before);
            found
        });
        if let Some(finding) = found
            && !self.known().holds(&Broken::from(&finding))
        {
            let report = report::finding(&entry.declaration, trace, &finding);
            let mut key = String::new();
            let source = finding.violation.source();
            let _ = tell_key(&mut key, entry.name(), finding.rule(), source);
            eprint!("{key}");
            panic!("{report}");
        }
    }

    /// Whether the input runs into a crash that a committed regression shows. Such a crash cannot
    /// be passed over where it happens, so subjects that have one run in a worker first.
    fn crashes_as_known(&self, trace: &Trace, fresh: u64) -> bool {
        let known = self.known();
        if !known.has_crash() {
            return false;
        }
        PROBES.with_borrow_mut(|probes| {
            let probe = probes
                .entry(self.entry.name())
                .or_insert_with(|| CrashProbe::new(self.entry).expect("memory can be mapped"));
            let broken = probe.crash(trace, fresh).expect("a worker can be forked");
            broken.is_some_and(|broken| known.holds(&broken))
        })
    }

    fn known(&self) -> &Known {
        let known = |host: &mut Host| Known::of(self.entry, self.regressions, host);
        self.known.get_or_init(|| with_host(known))
    }
}

/// How an input is judged: with this process's heaps, on a subject whose fresh heap grants so much.
type Judging = fn(&mut InProcess, &'static Entry, &Trace, u64) -> Option<Finding>;

/// What the fresh heap grants, if the trace is run or judged by it; measured in a child, since
/// nothing that is tried may end this process.
fn fresh_capacity(entry: &Entry, trace: &Trace) -> u64 {
    with_host(|host| host.capacity_for(entry, trace)).expect("a worker can be forked")
}

fn with_host<T>(work: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with_borrow_mut(|host| {
        work(host.get_or_insert_with(|| Host::new().expect("memory can be mapped")))
    })
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

/// Runs fast; what is suspicious runs again, strictly and on a fresh heap.
fn judge(
    heaps: &mut InProcess,
    entry: &'static Entry,
    trace: &Trace,
    fresh: u64,
) -> Option<Finding> {
    prepare(heaps, trace);
    let mut judge = |options: RunOptions| {
        let options = options.knowing(fresh);
        heaps
            .judge_as_it_runs(entry, trace, Rules::ALL, options, transcript().progress())
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

/// Where this process says how far it is, and how it ended.
fn transcript() -> &'static Transcript {
    TRANSCRIPT.get_or_init(|| Shared::new().expect("memory can be mapped"))
}

fn watch_this_process() {
    let watch = Watch {
        transcript: transcript(),
        op_limit: OP_LIMIT,
        heap_start: 0,
    };
    watch::and_tell(&watch, tell_crash);
}

/// Makes a libFuzzer target of a subject: what is judged, mutated and crossed over.
///
/// The finds of the regressions in `../regressions`, seen from the target's package, are known
/// already; another folder may be named. In the place of the type, `growing` and an `Entry` with a
/// second adapter make a target over heaps that grow. The package depends on `libfuzzer-sys`.
#[macro_export]
macro_rules! fuzz_subject {
    ($subject:ty) => {
        $crate::fuzz_subject!($subject, "../regressions");
    };
    ($subject:ty, $regressions:literal) => {
        $crate::fuzz_subject!(@ $crate::harness::entry::Entry::of::<$subject>(), $regressions);
    };
    (growing $entry:expr) => {
        $crate::fuzz_subject!(growing $entry, "../regressions");
    };
    (growing $entry:expr, $regressions:literal) => {
        $crate::fuzz_subject!(@ $entry, $regressions, growing);
    };
    (@ $entry:expr, $regressions:literal $(, $over:ident)?) => {
        static TARGET: $crate::fuzz::Target = {
            static ENTRY: $crate::harness::entry::Entry = $entry;
            const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/", $regressions);
            $crate::fuzz::Target::new(&ENTRY, REGRESSIONS)$(.$over())?
        };
        $crate::fuzz_target!(TARGET, check);
    };
}

/// The three things that libFuzzer calls, of a target and by the method that checks an input.
#[doc(hidden)]
#[macro_export]
macro_rules! fuzz_target {
    ($target:expr, $check:ident $(, $more:expr)?) => {
        ::libfuzzer_sys::fuzz_target!(|input: $crate::fuzz::Input| {
            $target.$check(input $(, $more)?)
        });
        ::libfuzzer_sys::fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
            $target.mutate(data, size, max_size, seed)
        });
        ::libfuzzer_sys::fuzz_crossover!(|one: &[u8], other: &[u8], out: &mut [u8], seed: u32| {
            $target.cross_over(one, other, out, seed)
        });
    };
}
