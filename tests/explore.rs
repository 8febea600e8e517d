//! Exhaustive exploration: that it reaches every state there is, judges every transition, and
//! finds the shortest way to what is broken.

#![allow(unsafe_code, reason = "a subject of its own calls an allocator")]

use std::alloc::Layout;
use std::fmt;
use std::fs;
use std::ops::{ControlFlow, Range};
use std::path::Path;

use harness::declaration::Declaration;
use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::op::{Align, Op};
use harness::subject::{Chunk, Freed, Region, Subject};
use kmem_rig::explore::menu::Sizes;
use kmem_rig::explore::{self, Incomplete, Settings, Summary};
use kmem_rig::host::Host;
use kmem_rig::regression::Regression;
use kmem_rig::rules::{Rule, Rules};
use subjects::ours::PublishedHeap;
use testkit::kmem_rig;

fn settings(subject: &str, bytes: u64, aligns: &[u64]) -> Settings<'static> {
    Settings {
        entry: subjects::by_name(subject).unwrap(),
        geometry: Geometry::from_bytes(bytes).unwrap(),
        aligns: aligns
            .iter()
            .map(|&bytes| Align::from_bytes(bytes).unwrap())
            .collect(),
        sizes: Sizes::Classes,
        rules: Rules::ALL,
        threads: 2,
        memory_max: 1 << 30,
    }
}

fn run(settings: &Settings<'_>) -> Summary {
    explore::run(settings, &mut Host::new().unwrap(), &mut |_| {}).unwrap()
}

/// The number of states of a search that reached them all and broke nothing.
#[track_caller]
fn proven(settings: &Settings<'_>) -> u64 {
    let summary = run(settings);
    assert!(
        summary.counterexamples.is_empty(),
        "{:?}",
        summary.counterexamples
    );
    assert_eq!(summary.incomplete, None);
    assert_eq!(summary.progress.states, summary.progress.expanded);
    summary.progress.states
}

/// How many chunk lists there are for `kmem`: chunks are multiples of 8, none under 16, no two free
/// ones are neighbours, and they fill the heap. Counted by what the last chunk is.
fn legal_tables(bytes: u64) -> u64 {
    let units = bytes as usize / 8;
    // By the units filled so far; the empty list may be followed by either.
    let (mut free, mut taken) = (vec![0; units + 1], vec![0; units + 1]);
    taken[0] = 1;
    for filled in 2..=units {
        for before in 0..=filled - 2 {
            free[filled] += taken[before];
            taken[filled] += taken[before] + free[before];
        }
    }
    free[units] + taken[units]
}

#[test]
fn every_legal_table_is_reached_and_no_other() {
    assert_eq!(legal_tables(16), 2);
    assert_eq!(legal_tables(128), 8074);
    for bytes in (16..=128).step_by(8) {
        assert_eq!(
            proven(&settings("kmem", bytes, &[8])),
            legal_tables(bytes),
            "{bytes} bytes"
        );
    }
}

#[test]
fn kmem_is_its_model_in_every_state_of_160_bytes() {
    assert_eq!(proven(&settings("kmem", 160, &[8])), legal_tables(160));
    assert_eq!(legal_tables(160), 98_048);
}

#[test]
fn hardened_heaps_are_the_model_in_every_state_of_128_bytes() {
    for name in ["kmem-sealed", "kmem-poisoned", "kmem-hardened"] {
        let states = proven(&settings(name, 128, &[8]));
        assert_eq!(states, legal_tables(128), "{name}");
    }
}

#[test]
fn sizes_of_a_class_lead_to_the_same_states() {
    let classes = settings("kmem", 96, &[8]);
    let every = Settings {
        sizes: Sizes::Every,
        ..classes.clone()
    };
    assert_eq!(proven(&every), proven(&classes));
}

#[test]
fn alignments_tell_states_apart() {
    let of = |aligns: &[u64]| proven(&settings("kmem", 96, aligns));
    assert!(of(&[8, 16]) > of(&[8]) && of(&[8, 16, 32]) > of(&[8, 16]));
}

#[test]
fn page_is_its_model_in_every_state_of_8_pages() {
    // Seven pages behind one of descriptors, each free or of an allocation that may go on: the
    // even Fibonacci numbers' recurrence.
    let mut tables = [1, 2];
    for _ in 1..7 {
        tables = [tables[1], 3 * tables[1] - tables[0]];
    }
    assert_eq!(proven(&settings("page", 8 * 4096, &[8])), tables[1]);
}

#[test]
fn threads_change_nothing() {
    let told = |threads| {
        let summary = run(&Settings {
            threads,
            ..settings("kmem-2019", 48, &[8, 16])
        });
        let examples = summary.counterexamples.iter();
        let examples: Vec<_> = examples
            .map(|e| (e.finding.clone(), e.trace.to_string()))
            .collect();
        (summary.progress, examples)
    };
    assert_eq!(told(1), told(5));
}

#[test]
fn the_shortest_counterexample_of_each_rule_is_told() {
    let summary = run(&settings("kmem-2019", 48, &[8, 16]));
    let examples = summary.counterexamples.iter();
    let ops: Vec<_> = examples
        .map(|e| (e.finding.rule(), e.trace.ops.len()))
        .collect();
    assert_eq!(
        ops,
        [
            (Rule::ImpossibleSuccess, 1),
            (Rule::Misaligned, 1),
            (Rule::SpuriousOom, 4),
            (Rule::Leak, 4),
            (Rule::Unmerged, 3),
            (Rule::Fault, 1),
        ]
    );
    for example in &summary.counterexamples {
        assert_eq!(
            example.finding.op + 1,
            example.trace.ops.len(),
            "{example:?}"
        );
    }
}

#[test]
fn what_crashes_or_hangs_is_left_out_and_said() {
    for (name, rule, ops) in [("panic", Rule::Panic, 2), ("endless-loop", Rule::Hang, 4)] {
        let summary = run(&settings(name, 48, &[8]));
        let [example] = &summary.counterexamples[..] else {
            panic!("{name}: {summary:?}")
        };
        assert_eq!(
            (example.finding.rule(), example.trace.ops.len()),
            (rule, ops),
            "{name}"
        );
        assert_eq!(summary.incomplete, Some(Incomplete::Crashes), "{name}");
    }
}

/// What a search never asks for: it is not the largest size of its class.
const NEVER_ASKED: usize = 41;

/// `kmem-2019`, but that it panics at such a request.
struct Delicate(PublishedHeap);

impl Subject for Delicate {
    const DECLARATION: Declaration = PublishedHeap::DECLARATION;
    const TABLE_IS_STATE: bool = true;

    unsafe fn new(region: Region) -> Self {
        // SAFETY: exactly the caller's promise.
        Self(unsafe { PublishedHeap::new(region) })
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        unsafe { self.0.alloc(layout) }
    }

    unsafe fn free(&mut self, block: *mut u8, layout: Layout) -> Freed {
        // SAFETY: exactly the caller's promise.
        unsafe { self.0.free(block, layout) }
    }

    fn alloc_native(&mut self, size: usize, zeroed: bool) -> *mut u8 {
        assert_ne!(size, NEVER_ASKED, "no such size");
        self.0.alloc_native(size, zeroed)
    }

    fn walk(&self, visit: &mut dyn FnMut(Chunk) -> ControlFlow<()>) -> Option<Range<u64>> {
        self.0.walk(visit)
    }

    fn print_table(&self, out: &mut dyn fmt::Write) -> fmt::Result {
        self.0.print_table(out)
    }
}

#[test]
fn a_probe_of_the_fresh_heap_that_crashes_is_a_finding() {
    let entry = Entry::of::<Delicate>();
    let summary = run(&Settings {
        entry: &entry,
        ..settings("kmem-2019", 48, &[8])
    });
    let example = (summary.counterexamples.iter()).find(|e| e.finding.rule() == Rule::Panic);
    let example = example.unwrap_or_else(|| panic!("{summary:?}"));
    let size = NEVER_ASKED as u64;
    assert!(
        matches!(example.trace.ops[..], [Op::Alloc { size: asked, .. }] if asked == size),
        "{}",
        example.trace
    );
    assert_eq!(summary.incomplete, Some(Incomplete::Crashes));
}

#[test]
fn a_search_that_is_out_of_memory_is_not_complete() {
    let allowed = 100;
    let memory_max = allowed * explore::STATE_BYTES_MAX;
    let summary = run(&Settings {
        memory_max,
        ..settings("kmem", 128, &[8])
    });
    assert_eq!(summary.incomplete, Some(Incomplete::Memory));
    assert_eq!(summary.progress.states, allowed);
}

#[test]
fn the_last_line_and_the_exit_code_say_how_it_ended() {
    for (arguments, expected, code) in [
        (
            "--heap 64",
            r#""heap":64,"states":55,"transitions":2461,"complete":true,"findings":0"#,
            0,
        ),
        (
            "--heap 128 --memory-max 0",
            r#""states":1,"transitions":"#,
            1,
        ),
        (
            "--heap 48 --subject kmem-2019",
            r#""complete":false,"findings":5"#,
            1,
        ),
    ] {
        let (ended, text, _) = kmem_rig!("explore {arguments} --format json");
        let last = text.lines().last().unwrap();
        assert!(last.starts_with(r#"{"summary":{"subject":""#), "{last}");
        assert!(last.contains(expected), "{last}");
        assert_eq!(ended, code, "{arguments}");
    }
    for (wrong, said) in [
        ("--heap 20", "a multiple of 8"),
        ("--heap 64 --aligns 24", "powers of two"),
        ("--heap 4096", "at most 512 bytes"),
        (
            "--heap 64 --subject talc",
            "its table is not its whole state",
        ),
    ] {
        let (code, _, errors) = kmem_rig!("explore {wrong}");
        assert!(code == 2 && errors.contains(said), "{wrong}: {errors}");
    }
}

/// The `written_to` of each finding.
fn written(lines: &str) -> Vec<Option<String>> {
    let values = lines.lines().map(serde_json::from_str);
    let values = values.map(|value| -> serde_json::Value { value.unwrap() });
    values
        .filter_map(|value| {
            let written_to = value.get("finding")?.get("written_to");
            let written_to = written_to.expect("the field is always there");
            Some(written_to.as_str().map(str::to_owned))
        })
        .collect()
}

#[test]
fn counterexamples_become_regressions_once() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("regressions");
    let found = "kmem-rig explore --subject kmem-2019 --heap 48 --aligns 8,16";
    let explore = |options: &str| {
        let (code, lines, _) = kmem_rig!("{} {options}", &found["kmem-rig ".len()..]);
        assert_eq!(code, 1);
        lines
    };
    let to_out = format!("--out {}", out.display());

    let files = written(&explore(&format!("{to_out} --format json")));
    assert_eq!(files.len(), 6);
    for file in files
        .iter()
        .map(|file| file.as_ref().expect("nothing was there"))
    {
        let text = fs::read_to_string(file).unwrap();
        assert!(
            text.contains(&format!("\nfound {found}\ndate 20")),
            "{text}"
        );
        let regression = Regression::load(Path::new(file)).unwrap();
        let [broken, sound] = &regression.expectations[..] else {
            panic!("{text}")
        };
        assert_eq!(broken.subject, "kmem-2019");
        assert_eq!(sound.to_string(), "kmem agree");
    }
    let leak = fs::read_to_string(out.join("kmem-2019-leak-capacity.trace")).unwrap();
    assert!(
        leak.contains("\nrules contract\nexpect kmem-2019 diverge leak at 3\n"),
        "{leak}"
    );
    let (code, table, _) = kmem_rig!("replay {} --on host", out.display());
    assert_eq!(code, 0, "{table}");

    // A regression that shows the find under another name, and that somebody has edited.
    let renamed = out.join("by-hand.trace");
    fs::rename(out.join("kmem-2019-leak-capacity.trace"), &renamed).unwrap();
    fs::write(&renamed, format!("{leak}# by hand\n")).unwrap();
    assert_eq!(
        written(&explore(&format!("{to_out} --format json"))),
        vec![None; 6]
    );
    let told = explore(&to_out);
    assert_eq!(told.matches("  not written: ").count(), 6, "{told}");
    assert!(told.contains("by-hand.trace shows it\n"), "{told}");
    assert_eq!(fs::read_dir(&out).unwrap().count(), 6);

    assert_eq!(written(&explore("--format json")), vec![None; 6]);
    fs::remove_file(&renamed).unwrap();
    let told = explore(&to_out);
    assert_eq!(told.matches("  written to ").count(), 1, "{told}");
}
