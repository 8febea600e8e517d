//! A fuzz target says how its process ends from within a signal handler: without memory, since
//! whatever was interrupted may hold the allocator's lock.

#![allow(unsafe_code, reason = "a subject of its own calls an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::env;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::ptr::null_mut;

use harness::bytes;
use harness::declaration::Declaration;
use harness::entry::Entry;
use harness::subject::{Freed, Region, Subject};
use harness::text::Document;
use kmem_rig::fuzz::{Input, Target};

/// Names how the subject of this process ends it.
const ENDS: &str = "KMEM_RIG_TEST_ENDS";
const TEST: &str = "a_crash_is_reported_without_memory";
const TRACE: &str = "# kmem-rig trace v1\nheap 64 pages\na0 = alloc 24\nfree a0\n";

/// The allocator of this process, which is closed to a thread in a call of the subject's that does
/// not return.
struct Closable;

thread_local! {
    static CLOSED: Cell<bool> = const { Cell::new(false) };
}

// SAFETY: the system's, or none.
unsafe impl GlobalAlloc for Closable {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if CLOSED.get() {
            std::process::abort();
        }
        // SAFETY: exactly the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: exactly the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static GLOBAL: Closable = Closable;

/// Grants one block, and never returns from its free.
struct Ends(*mut u8);

impl Subject for Ends {
    const DECLARATION: Declaration = Declaration::new("ends");

    unsafe fn new(region: Region) -> Self {
        Self(region.start)
    }

    unsafe fn alloc(&mut self, _: Layout) -> *mut u8 {
        self.0
    }

    unsafe fn free(&mut self, _: *mut u8, _: Layout) -> Freed {
        let hangs = env::var_os(ENDS).is_some_and(|ends| ends == "hang");
        CLOSED.set(true);
        if hangs {
            loop {
                std::hint::spin_loop();
            }
        }
        // SAFETY: there is none; that is what is tried.
        unsafe { null_mut::<u8>().wrapping_add(16).write_volatile(1) };
        Freed::Done
    }
}

static ENTRY: Entry = Entry::of::<Ends>();

#[test]
fn a_crash_is_reported_without_memory() {
    if env::var_os(ENDS).is_some() {
        let trace = Document::parse(TRACE).unwrap().trace();
        Target::new(&ENTRY, "no/regressions").check(Input::of(&bytes::encode(&trace)));
        panic!("the subject returned");
    }
    for (ends, said) in [
        (
            "fault",
            "ends crashes: fault: SIGSEGV far outside the heap\n",
        ),
        ("hang", "ends crashes: hang: an op did not return\n"),
    ] {
        let child = Command::new(env::current_exe().unwrap())
            .args(["--exact", TEST, "--nocapture"])
            .env(ENDS, ends)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let output = child.unwrap().wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        let key = format!("thread 'ends' panicked at 'FuzzerHash=ends:{ends}'\n");
        let expected = format!("{said}{TRACE}\n{key}");
        assert!(errors.ends_with(&expected), "{errors}");
        assert_eq!(output.status.signal(), Some(6), "{errors}");
    }
}
