//! The guest against the host: the same trace, the same record; and a batch that outlives whatever
//! its traces do to the guest.

use std::time::Duration;

use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::heap::Strength;
use harness::mailbox::{HEAP_ADDRESS, MAILBOX_ADDRESS};
use harness::op::Op;
use harness::text::Document;
use harness::trace::{OPS_MAX, Trace};
use kmem_rig::capacity::Measured;
use kmem_rig::executor::Executor;
use kmem_rig::fault::{Fault, Panic};
use kmem_rig::guest::{Guest, find_image};
use kmem_rig::host::Host;
use kmem_rig::run::{Run, RunEnd, RunOptions};
use kmem_rig::wording;

const SHORT: &str = "heap 64 pages\na0 = alloc 24\nfree a0\n";
/// Every kind of legal op.
const EVERY_OP: &str = "heap 64 pages\n\
    a0 = alloc 24\n\
    a1 = alloc 40 align 64\n\
    a2 = alloc_zeroed 100\n\
    a3 = alloc 5000\n\
    table\n\
    realloc a1 300\n\
    realloc a3 10\n\
    free a0\n\
    a4 = alloc_zeroed 9000 align 4096\n\
    a5 = alloc 18446744073709551615\n\
    a6 = alloc 0\n\
    free null\n\
    table\n\
    free all\n\
    capacity\n\
    table\n";
const MISUSE: &str = "heap 8 pages\n\
    a0 = alloc 24\n\
    a1 = alloc 8000\n\
    free a0\n\
    free a0\n\
    free a1 + 16\n\
    write a1 + 8 8\n\
    free all\n";

fn guest() -> Guest {
    Guest::start(&find_image(None).unwrap()).unwrap()
}

fn entry(name: &str) -> &'static Entry {
    subjects::by_name(name).unwrap()
}

fn trace(text: &str) -> Trace {
    Document::parse(&format!("# kmem-rig trace v1\n{text}"))
        .unwrap()
        .trace()
}

fn run(executor: &mut Measured<dyn Executor>, name: &str, text: &str, options: RunOptions) -> Run {
    executor.run(entry(name), &trace(text), options).unwrap()
}

#[test]
fn every_subject_runs_in_the_guest() {
    let (mut guest, mut host) = (guest(), Host::new().unwrap());
    for entry in &subjects::ALL {
        let [in_guest, on_host] =
            [&mut guest as &mut Measured<dyn Executor>, &mut host].map(|executor| {
                executor
                    .run(entry, &trace(SHORT), RunOptions::STRICT)
                    .unwrap()
            });
        assert_eq!(in_guest, on_host, "{}", entry.name());
        assert!(!in_guest.observations.is_empty(), "{}", entry.name());
    }
    assert_eq!(guest.boots(), 1);
}

#[test]
fn guest_and_host_record_the_same() {
    let (mut guest, mut host) = (guest(), Host::new().unwrap());
    let tables = RunOptions {
        tables: true,
        ..RunOptions::STRICT
    };
    for name in ["kmem", "kmem-2019", "page", "page-2019"] {
        for text in [SHORT, EVERY_OP, MISUSE] {
            for options in [RunOptions::STRICT, RunOptions::FAST, tables] {
                let in_guest = run(&mut guest, name, text, options);
                let on_host = run(&mut host, name, text, options);
                assert_eq!(
                    in_guest.observations, on_host.observations,
                    "{name}: {text}"
                );
                assert_eq!(in_guest.tables, on_host.tables, "{name}: {text}");
                assert_eq!(in_guest.end, on_host.end, "{name}: {text}");
            }
        }
    }
    assert_eq!(guest.boots(), 1);
}

#[test]
fn fresh_capacities_are_those_of_the_host() {
    let (mut guest, mut host) = (guest(), Host::new().unwrap());
    for (name, bytes) in [
        ("kmem", 192),
        ("kmem-2019", 262_144),
        ("page", 8192),
        ("page-2019", 65_536),
    ] {
        let geometry = Geometry::from_bytes(bytes).unwrap();
        let in_guest = guest.fresh(entry(name), geometry).unwrap().bytes;
        assert_eq!(
            in_guest,
            host.fresh(entry(name), geometry).unwrap().bytes,
            "{name}"
        );
        assert!(in_guest > 0 && in_guest < bytes, "{name}: {in_guest}");
    }
}

/// Ends with a panic, a fault or no end at all in the canaries of those names, at op 3.
const PANICS: &str = "heap 64 pages\na0 = alloc 24\na1 = alloc 24\nfree a0\na2 = alloc 24\n";
const STORES_OUTSIDE: &str = "heap 64 pages\na0 = alloc 24\nfree a0\na1 = alloc 262136\nfree a1\n";
const LOOPS: &str = "heap 64 pages\na0 = alloc 24\na1 = alloc 24\nfree a0\nfree a1\n";

#[test]
fn a_batch_goes_on_after_every_culprit() {
    let mut guest = guest();
    let batch = [
        ("kmem", EVERY_OP, RunEnd::Completed),
        ("panic", PANICS, RunEnd::Panicked(Panic::saying(""))),
        ("kmem", EVERY_OP, RunEnd::Completed),
        (
            "store-outside",
            STORES_OUTSIDE,
            RunEnd::Faulted(Fault::GuestSilent),
        ),
        ("page", EVERY_OP, RunEnd::Completed),
        ("endless-loop", LOOPS, RunEnd::Hung),
        ("kmem", EVERY_OP, RunEnd::Completed),
        ("panic", PANICS, RunEnd::Panicked(Panic::saying(""))),
        ("kmem-2019", SHORT, RunEnd::Completed),
    ];
    let mut undisturbed = Host::new().unwrap();
    for (name, text, end) in batch {
        let run = run(&mut guest, name, text, RunOptions::STRICT);
        assert_eq!(
            std::mem::discriminant(&run.end),
            std::mem::discriminant(&end),
            "{run:?}"
        );
        match run.end {
            RunEnd::Completed => {
                let expected = undisturbed.run(entry(name), &trace(text), RunOptions::STRICT);
                assert_eq!(run, expected.unwrap());
            }
            _ => assert_eq!(run.observations.len(), 3, "{name}: {run:?}"),
        }
    }
    // A panic and a fault are survived. The hang costs a boot, and its confirmation another.
    assert_eq!(guest.boots(), 3);
}

/// How `kmem-2019`, which trusts any pointer, ends when it is given the one that makes it look for
/// a header at this address of the guest.
fn end_of_free_at(guest: &mut Guest, header: u64) -> RunEnd {
    let offset = header.wrapping_add(8).wrapping_sub(HEAP_ADDRESS);
    let mut trace = Trace::new(Geometry::published());
    trace.ops.push(Op::FreeWild { offset });
    guest
        .run(entry("kmem-2019"), &trace, RunOptions::STRICT)
        .unwrap()
        .end
}

#[test]
fn stray_accesses_trap_at_their_instruction() {
    let mut guest = guest();
    // A header is loaded byte by byte, its top byte first.
    for (header, expected) in [
        (0, "load access fault at null+0x7, at kmem/src/"),
        (0x10, "load access fault at null+0x17, at kmem/src/"),
        // The code can be read, not written.
        (
            testkit::IMAGE_ADDRESS,
            "store access fault in the guest's own memory, or its stack is full, at kmem/",
        ),
        (
            MAILBOX_ADDRESS,
            "load access fault in the mailbox, at kmem/src/",
        ),
        // The test device, which would end the machine, and the UART.
        (
            0x10_0000,
            "load access fault far outside the heap, at kmem/src/",
        ),
        (
            0x1000_0000,
            "load access fault far outside the heap, at kmem/src/",
        ),
        (
            HEAP_ADDRESS - 8,
            "load access fault at heap-0x1, at kmem/src/",
        ),
        (
            HEAP_ADDRESS + 0x4_0000,
            "load access fault at heap+0x40007, at kmem/src/",
        ),
    ] {
        match end_of_free_at(&mut guest, header) {
            RunEnd::Faulted(fault) => {
                let text = wording::fault(1, &fault);
                assert!(text.starts_with(expected), "{header:#x}: {text}");
            }
            end => panic!("{header:#x}: {end:?}"),
        }
    }
    assert_eq!(guest.boots(), 1);
}

#[test]
fn the_heap_is_guarded_to_the_byte() {
    let mut guest = guest();
    let text = "heap 192 bytes\na0 = alloc 184\nfree a0\n";
    let run = run(&mut guest, "store-outside", text, RunOptions::STRICT);
    match run.end {
        RunEnd::Faulted(fault) => {
            let text = wording::fault(1, &fault);
            assert!(
                text.starts_with("store access fault at heap+0xc0, at kmem/src/"),
                "{text}"
            );
        }
        end => panic!("{end:?}"),
    }
}

#[test]
fn a_panic_is_told_with_its_place_and_without_a_folder() {
    let run = run(&mut guest(), "panic", PANICS, RunOptions::STRICT);
    match run.end {
        RunEnd::Panicked(panic) => {
            let file = panic.source.unwrap().file;
            assert!(file.starts_with("kmem/src/first_fit"), "{file}");
        }
        end => panic!("{end:?}"),
    }
}

#[test]
fn the_largest_heap_and_the_longest_trace_fit() {
    let (mut guest, mut host) = (guest(), Host::new().unwrap());
    let mut trace = Trace::new(Geometry::from_bytes(Geometry::BYTES_MAX).unwrap());
    let alloc = |size| Op::Alloc {
        size,
        align: None,
        zeroed: false,
    };
    // A subject looks through all its blocks for each one; what no heap holds is refused at once.
    trace.ops = vec![alloc(u64::MAX); OPS_MAX - 3];
    trace.ops[OPS_MAX - 4096..].fill(alloc(8));
    trace.ops.extend([Op::FreeAll, Op::Capacity, Op::Table]);
    let fast = RunOptions {
        strength: Strength::Fast,
        ..RunOptions::STRICT
    };
    for name in ["kmem", "page"] {
        let run = guest.run(entry(name), &trace, fast).unwrap();
        assert_eq!(run, host.run(entry(name), &trace, fast).unwrap(), "{name}");
        assert_eq!(run.end, RunEnd::Completed);
    }
    trace.ops.push(Op::Table);
    assert!(guest.run(entry("kmem"), &trace, fast).is_err());
}

#[test]
fn an_idle_guest_costs_next_to_nothing() {
    let guest = guest();
    let second = Duration::from_secs(1);
    // The sleeps have grown to their longest by then.
    std::thread::sleep(second / 10);
    let before = guest.cpu_time().unwrap();
    std::thread::sleep(second);
    let used = guest.cpu_time().unwrap() - before;
    assert!(used < second / 10, "{used:?} of CPU time in a second");
}
