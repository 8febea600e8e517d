//! A binary with subjects of its own, of which one has a wrong adapter and another an allocator
//! that does not survive its first call: each command runs those that it uses.

#![allow(unsafe_code, reason = "a subject of its own calls an allocator")]

use std::alloc::Layout;
use std::fs;
use std::process::ExitCode;
use std::ptr::null_mut;

use harness::declaration::{Declaration, Reuse};
use harness::entry::Entry;
use harness::subject::{Freed, Region, Subject};
use kmem_rig::{cli, registry};

struct Bump<const WRONG: u8> {
    next: *mut u8,
    left: usize,
}

const NOTHING: u8 = 0;
const NO_MEMORY: u8 = 1;
const PANICS: u8 = 2;

impl<const WRONG: u8> Subject for Bump<WRONG> {
    const DECLARATION: Declaration = Declaration::new(match WRONG {
        NOTHING => "sound",
        NO_MEMORY => "without-memory",
        _ => "panics",
    })
    .region_at_least(64)
    .reuse(Reuse::Never);

    unsafe fn new(region: Region) -> Self {
        Self {
            next: region.start,
            left: region.bytes,
        }
    }

    unsafe fn alloc(&mut self, layout: Layout) -> *mut u8 {
        assert_ne!(WRONG, PANICS, "no size class");
        let gap = self.next.align_offset(layout.align());
        let taken = gap.saturating_add(layout.size());
        if WRONG == NO_MEMORY || taken > self.left {
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

static OWN: [Entry; 3] = [
    Entry::of::<Bump<NOTHING>>(),
    Entry::of::<Bump<NO_MEMORY>>(),
    Entry::of::<Bump<PANICS>>(),
];

fn run(arguments: &[&str]) -> ExitCode {
    cli::main_of(&OWN, ["kmem-rig"].iter().chain(arguments).copied())
}

#[test]
fn a_command_is_stopped_by_the_wrong_adapter_of_a_subject_that_it_uses_and_by_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("x.trace");
    let text = "# kmem-rig trace v1\nexpect sound agree\nheap 64 pages\na0 = alloc 8\nfree a0\n";
    fs::write(&trace, text).unwrap();
    let trace = trace.to_str().unwrap();
    let replay = ["replay", trace, "--on", "host"];
    let hunt = |subject| run(&["hunt", "--execs", "20", "--subject", subject]);
    let replayed = |subject| run(&[&replay[..], &["--subject", subject]].concat());
    let shown = |subject| run(&["show", trace, "--tables", "--subject", subject]);

    assert_eq!(hunt("sound"), ExitCode::from(0));
    assert_eq!(run(&replay), ExitCode::from(0));
    assert_eq!(hunt("without-memory"), ExitCode::from(2));
    assert_eq!(replayed("without-memory"), ExitCode::from(2));
    assert_eq!(shown("without-memory"), ExitCode::from(2));

    // The allocator's own: a finding, and no complaint about its adapter.
    assert_eq!(hunt("panics"), ExitCode::from(1));
    assert_eq!(replayed("panics"), ExitCode::from(1));
    assert_eq!(shown("panics"), ExitCode::from(0));
}

#[test]
fn another_list_of_subjects_is_refused() {
    static OTHERS: [Entry; 1] = [Entry::of::<Bump<PANICS>>()];
    registry::install(&OWN).unwrap();
    registry::install(&OWN).unwrap();
    let error = registry::install(&OTHERS).unwrap_err().to_string();
    assert!(
        error.contains("`sound`, `without-memory`, `panics`"),
        "{error}"
    );
}
