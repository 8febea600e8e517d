//! Two panics in one kind of call are two finds, and each stays the one that it is.
//! A fuzz target dies of a panic, so it is tried in a child.

#![allow(unsafe_code, reason = "a subject of its own calls an allocator")]

use std::alloc::Layout;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::ptr::null_mut;
use std::{env, fs};

use harness::bytes;
use harness::declaration::{Declaration, Reuse};
use harness::entry::Entry;
use harness::op::OpKind;
use harness::subject::{Freed, Region, Subject};
use harness::text::Document;
use kmem_rig::fault::Panic;
use kmem_rig::fuzz::{Input, REGRESSIONS_VARIABLE, Target};
use kmem_rig::host::Host;
use kmem_rig::judge::{Broken, Finding};
use kmem_rig::minimize;
use kmem_rig::regression::Regression;
use kmem_rig::rules::Rules;
use kmem_rig::violation::Violation;
use kmem_rig::{cli, harness};

/// Neither takes small requests nor large ones.
struct Picky {
    next: *mut u8,
    left: usize,
}

impl Subject for Picky {
    const DECLARATION: Declaration = Declaration::new("picky")
        .region_at_least(64)
        .reuse(Reuse::Never);

    unsafe fn new(region: Region) -> Self {
        Self {
            next: region.start,
            left: region.bytes,
        }
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        assert!(layout.size() > 8, "too small");
        assert!(layout.size() < 2048, "too large");
        let gap = self.next.align_offset(layout.align());
        let taken = gap.saturating_add(layout.size());
        if taken > self.left {
            return null_mut();
        }
        let block = self.next.wrapping_add(gap);
        self.next = self.next.wrapping_add(taken);
        self.left -= taken;
        block
    }

    unsafe fn free(&mut self, _: *mut u8, _: Layout) -> Freed {
        Freed::Done
    }
}

static OWN: [Entry; 1] = [Entry::of::<Picky>()];
const OLD: &str = "# kmem-rig trace v1\nexpect picky crash panic at 0\nheap 64 pages\n";

fn hunt(seed: &str, out: &Path) {
    let line = [
        "hunt",
        "--subject",
        "picky",
        "--execs",
        "300",
        "--seed",
        seed,
    ];
    let out = ["--out", out.to_str().unwrap()];
    let arguments = ["kmem-rig"].into_iter().chain(line).chain(out);
    assert_eq!(cli::main_of(&OWN, arguments), ExitCode::from(1));
}

/// The message of the panic that a finding is.
fn said(finding: &Finding) -> String {
    match &finding.violation {
        Violation::Panic(Panic { message, .. }) => message.clone(),
        other => panic!("{other:?}"),
    }
}

/// The files whose one op is an `alloc` that panics, each with what is said then.
fn allocs_in(folder: &Path) -> BTreeSet<(String, String)> {
    let mut host = Host::new().unwrap();
    let mut shown = BTreeSet::new();
    for file in fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let regression = Regression::load(&path).unwrap();
        let (trace, rules) = (&regression.trace, regression.rules);
        if trace.ops[0].kind() != OpKind::Alloc || trace.ops.len() > 1 {
            continue;
        }
        let (_, verdict) = host.verdict(&OWN[0], trace, rules).unwrap();
        shown.insert((regression.name, said(verdict.finding().unwrap())));
    }
    shown
}

#[test]
fn two_panics_in_one_kind_of_call_are_two_finds() {
    let folder = tempfile::tempdir().unwrap();
    hunt("1", folder.path());
    let shown = allocs_in(folder.path());
    let names: Vec<_> = shown.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["picky-panic-alloc", "picky-panic-alloc-2"]);
    let messages: BTreeSet<_> = shown.iter().map(|(_, said)| said.as_str()).collect();
    assert_eq!(messages, BTreeSet::from(["too large", "too small"]));
    let all = fs::read_dir(folder.path()).unwrap().count();
    hunt("1", folder.path());
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), all);
}

#[test]
fn a_panic_stays_where_it_is_when_it_is_made_small() {
    let text = "# kmem-rig trace v1\nheap 64 pages\na0 = alloc 100\na1 = alloc 4096\nfree all\n";
    let trace = Document::parse(text).unwrap().trace();
    let mut host = Host::new().unwrap();
    let (_, verdict) = host.verdict(&OWN[0], &trace, Rules::ALL).unwrap();
    let met = verdict.finding().unwrap();
    let small = minimize::shrink(&mut host, &OWN[0], &trace, Rules::ALL, &Broken::from(met));
    let (small, finding) = small.unwrap().unwrap();
    assert_eq!(small.ops.len(), 1, "{small}");
    assert_eq!(said(&finding), "too large");
    assert_eq!(finding.violation.source(), met.violation.source());
}

#[test]
fn a_kept_panic_hides_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("old-alloc.trace");
    fs::write(&old, format!("{OLD}a0 = alloc 4\n")).unwrap();
    hunt("1", folder.path());
    let told = |name: &str, said: &str| (name.to_owned(), said.to_owned());
    assert_eq!(
        allocs_in(folder.path()),
        BTreeSet::from([
            told("old-alloc", "too small"),
            told("picky-panic-alloc", "too large")
        ])
    );
}

/// Names the size that a fuzz target's input asks for.
const SIZE: &str = "KMEM_RIG_TEST_SIZE";

#[test]
fn a_fuzz_target_passes_over_a_kept_panic_and_no_other() {
    if let Ok(size) = env::var(SIZE) {
        let text = format!("# kmem-rig trace v1\nheap 64 pages\na0 = alloc {size}\n");
        let trace = Document::parse(&text).unwrap().trace();
        Target::new(&OWN[0], "no/regressions").check(Input::of(&bytes::encode(&trace)));
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    fs::write(
        folder.path().join("old.trace"),
        format!("{OLD}a0 = alloc 4\n"),
    )
    .unwrap();
    let check = |size| {
        let test = "a_fuzz_target_passes_over_a_kept_panic_and_no_other";
        let mut child = Command::new(env::current_exe().unwrap());
        child.args(["--exact", test, "--nocapture"]);
        let child = child
            .env(SIZE, size)
            .env(REGRESSIONS_VARIABLE, folder.path());
        let output = child.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.success(), errors)
    };
    let (passed_over, errors) = check("5");
    assert!(passed_over, "{errors}");
    let (passed_over, errors) = check("4096");
    assert!(!passed_over);
    let at = "tests/two_panics.rs:";
    for told in [
        format!("picky crashes: panic: too large, at {at}"),
        format!("thread 'picky' panicked at 'FuzzerHash=picky:panic:{at}"),
    ] {
        assert!(errors.contains(&told), "{errors}");
    }
}
