//! What is written of a find: what its replays did, on each side that was there.

#![allow(unsafe_code, reason = "a subject of its own calls an allocator")]

use std::alloc::Layout;
use std::fs;
use std::path::Path;
use std::ptr::null_mut;
use std::sync::LazyLock;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Instant;

use harness::declaration::Declaration;
use harness::entry::Entry;
use harness::op::OpKind;
use harness::subject::{Freed, Region, Subject};
use harness::text::Document;
use harness::trace::Trace;
use kmem_rig::fault::Panic;
use kmem_rig::finds::{Finds, Kept, Sought};
use kmem_rig::harness;
use kmem_rig::host::Host;
use kmem_rig::input::Reading;
use kmem_rig::judge::Finding;
use kmem_rig::regression::Regression;
use kmem_rig::replay::{self, Job, Row};
use kmem_rig::rules::Rules;
use kmem_rig::side::{Side, Sides};
use kmem_rig::violation::Violation;

/// Counts allocs over all processes, which are forked from this one.
static ALLOCS: LazyLock<&AtomicU32> = LazyLock::new(|| {
    let access = libc::PROT_READ | libc::PROT_WRITE;
    let flags = libc::MAP_SHARED | libc::MAP_ANONYMOUS;
    // SAFETY: a new mapping touches nothing.
    let mapped = unsafe { libc::mmap(null_mut(), 4096, access, flags, -1, 0) };
    assert_ne!(mapped, libc::MAP_FAILED);
    // SAFETY: zeroes, of which an atomic may be made, that are never unmapped.
    unsafe { &*mapped.cast() }
});

/// Panics at each alloc, or at every other.
struct Panics<const ALWAYS: bool>;

impl<const ALWAYS: bool> Subject for Panics<ALWAYS> {
    const DECLARATION: Declaration = Declaration::new(match ALWAYS {
        true => "panics",
        false => "panics-at-times",
    });

    unsafe fn new(_: Region) -> Self {
        Self
    }

    unsafe fn alloc(&mut self, _: Layout) -> *mut u8 {
        let is_even = ALLOCS.fetch_add(1, Relaxed).is_multiple_of(2);
        assert!(!ALWAYS && is_even, "always");
        null_mut()
    }

    unsafe fn free(&mut self, _: *mut u8, _: Layout) -> Freed {
        Freed::Done
    }
}

static PANICS: Entry = Entry::of::<Panics<true>>();
static PANICS_AT_TIMES: Entry = Entry::of::<Panics<false>>();

fn trace() -> Trace {
    let text = "# kmem-rig trace v1\nheap 1 pages\na0 = alloc 8\n";
    Document::parse(text).unwrap().trace()
}

/// What becomes of a panic in the first op, and the file.
fn kept(entry: &'static Entry, out: &Path, replay_until: Option<Instant>) -> (Kept, Regression) {
    let violation = Violation::Panic(Panic::saying("always"));
    let (op, kind) = (0, OpKind::Alloc);
    // Before anything is forked.
    LazyLock::force(&ALLOCS);
    let find = Sought {
        entry,
        trace: &trace(),
        finding: &Finding {
            violation,
            op,
            kind,
        },
        rules: Rules::ALL,
        minimal: true,
        replay_until,
        side: Side::Host,
    };
    let mut sides = Sides {
        host: Some(&mut Host::new().unwrap()),
        guest: None,
    };
    let finds = Finds::new(out, out, "a test").unwrap();
    let kept = finds.keep(&find, &mut sides).unwrap();
    let path = match &kept {
        Kept::Written(path, _) | Kept::Known(path) => path,
    };
    let regression = Regression::load(path).unwrap();
    (kept, regression)
}

fn expectations(regression: &Regression) -> Vec<String> {
    let expected = regression.expectations.iter();
    expected.map(ToString::to_string).collect()
}

#[test]
fn what_was_replayed_on_one_side_is_expected_of_that() {
    let folder = tempfile::tempdir().unwrap();
    let (written, regression) = kept(&PANICS, folder.path(), None);
    assert_eq!(
        written.replayed().unwrap().note().unwrap(),
        "replayed on host only"
    );
    assert_eq!(
        expectations(&regression),
        ["panics on host crash panic at 0"]
    );
    assert_eq!(
        regression.title,
        "panics breaks panic at alloc (replayed on host only)"
    );
    let (known, _) = kept(&PANICS, folder.path(), None);
    assert!(matches!(known, Kept::Known(_)), "{known:?}");
}

/// It would be taken for known the next time, and fail a replay.
#[test]
fn what_does_not_repeat_itself_is_written_without_an_expectation() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        let (written, regression) = kept(&PANICS_AT_TIMES, folder.path(), None);
        let note = written.replayed().expect("it is not known").note().unwrap();
        assert!(note.starts_with("unconfirmed: seen "), "{note}");
        assert!(note.ends_with(" of 10 times on host"), "{note}");
        assert_eq!(expectations(&regression), [""; 0]);
        assert!(regression.title.contains("(unconfirmed: seen "));
    }
    // The same trace, so the same file.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn what_there_is_no_time_for_is_written_without_an_expectation() {
    let folder = tempfile::tempdir().unwrap();
    let (written, regression) = kept(&PANICS, folder.path(), Some(Instant::now()));
    let note = written.replayed().unwrap().note().unwrap();
    assert_eq!(note, "unconfirmed: no time for replays");
    assert_eq!(expectations(&regression), [""; 0]);
}

#[test]
fn a_trace_runs_on_the_sides_on_which_it_expects_something() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.trace");
    let mut host = Host::new().unwrap();
    let mut rows = |expected: &str| {
        let ops = "heap 64 pages\na0 = alloc 8 align 64\n";
        fs::write(&path, format!("# kmem-rig trace v1\n{expected}{ops}")).unwrap();
        let (mut rows, mut summary) = (Vec::new(), Default::default());
        let mut sides = Sides {
            host: Some(&mut host),
            guest: None,
        };
        let mut keep = |row: &Row| rows.push((row.subject, row.as_expected));
        let job = Job {
            reading: Reading::Detected,
            subjects: Vec::new(),
            rules: None,
        };
        replay::replay(&path, &job, &mut sides, &mut summary, &mut keep).unwrap();
        rows
    };
    let broken = "kmem-2019 on host diverge misaligned at 0";
    let both = format!("expect {broken}\nexpect kmem-2019 on qemu agree\nexpect kmem agree\n");
    assert_eq!(
        rows(&both),
        [("kmem-2019", Some(true)), ("kmem", Some(true))]
    );
    assert_eq!(rows("expect kmem-2019 on qemu agree\n"), []);
    // What is said of one side goes before what is said of both.
    assert_eq!(
        rows(&format!("expect kmem-2019 agree\nexpect {broken}\n")),
        [("kmem-2019", Some(true))]
    );
}
