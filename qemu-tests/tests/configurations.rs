//! The other machines that the guest boots in: supervisor mode under OpenSBI, where page tables
//! guard the heap, and other processors. What a subject does there is what it does in machine mode.

use std::slice;
use std::time::Duration;

use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::mailbox::{HEAP_ADDRESS, MAILBOX_ADDRESS, RAM_ADDRESS};
use harness::op::Op;
use harness::text::Document;
use harness::trace::Trace;
use kmem_rig::cost::{Order, Workload};
use kmem_rig::guest::{Configuration, Counted, Guest, Mode, find_image};
use kmem_rig::host::Host;
use kmem_rig::hunt::{self, Bound, Find, Settings};
use kmem_rig::regression::Expectation;
use kmem_rig::rules::Rules;
use kmem_rig::run::{RunEnd, RunOptions};
use kmem_rig::side::Side;
use kmem_rig::wording;
use qemu_tests::{boot, boot_as, regressions, supervisor};
use testkit::IMAGE_ADDRESS;

/// Processors with all that the guest is compiled for.
const CPUS: [&str; 3] = ["rv64", "sifive-u54", "shakti-c"];

fn on_cpu(mode: Mode, cpu: &str) -> Configuration {
    let cpu = Some(cpu.to_owned());
    Configuration { mode, cpu }
}

fn entry(name: &str) -> &'static Entry {
    subjects::by_name(name).unwrap()
}

fn trace(ops: &str) -> Trace {
    Document::parse(&format!("# kmem-rig trace v1\n{ops}"))
        .unwrap()
        .trace()
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
fn stray_accesses_trap_at_their_instruction_in_supervisor_mode() {
    let mut guest = boot_as(&supervisor());
    let own = "in the guest's own memory, or its stack is full, at kmem/";
    // A header is loaded byte by byte, its top byte first.
    for (header, expected) in [
        (0, "load page fault at null+0x7, at kmem/src/"),
        // The firmware's memory; the guest's code can be read, not written.
        (RAM_ADDRESS, &format!("load page fault {own}")[..]),
        (IMAGE_ADDRESS, &format!("store page fault {own}")),
        (
            MAILBOX_ADDRESS,
            "load page fault in the mailbox, at kmem/src/",
        ),
        // The test device, which would end the machine, and an address that has no translation.
        (
            0x10_0000,
            "load page fault far outside the heap, at kmem/src/",
        ),
        (
            1 << 40,
            "load page fault far outside the heap, at kmem/src/",
        ),
        (
            HEAP_ADDRESS - 8,
            "load page fault at heap-0x1, at kmem/src/",
        ),
        (
            HEAP_ADDRESS + 0x4_0000,
            "load page fault at heap+0x40007, at kmem/src/",
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

/// A heap that grows and shrinks between runs is open as far as the one under way.
#[test]
fn the_guard_page_follows_the_heap() {
    let mut guest = boot_as(&supervisor());
    for pages in [64_u64, 1, 8192, 64] {
        let size = pages * 4096 - 8;
        let text = format!("heap {pages} pages\na0 = alloc {size}\nfree a0\n");
        let run = guest.run(entry("store-outside"), &trace(&text), RunOptions::STRICT);
        let end = pages * 4096;
        let expected = format!("store page fault at heap+{end:#x}, at kmem/src/");
        match run.unwrap().end {
            RunEnd::Faulted(fault) => {
                let text = wording::fault(1, &fault);
                assert!(text.starts_with(&expected), "{pages}: {text}");
            }
            end => panic!("{pages}: {end:?}"),
        }
    }
}

/// As on the host: no guard page can begin there.
#[test]
fn behind_a_heap_that_ends_inside_a_page_stores_are_seen() {
    let trace = trace("heap 192 bytes\na0 = alloc 184\nfree a0\n");
    let entry = entry("store-outside");
    let mut guest = boot_as(&supervisor());
    let in_guest = guest.run(entry, &trace, RunOptions::STRICT).unwrap();
    let on_host = Host::new().unwrap().run(entry, &trace, RunOptions::STRICT);
    assert_eq!(in_guest, on_host.unwrap());
    assert!(
        matches!(&in_guest.end, RunEnd::Faulted(_)),
        "{:?}",
        in_guest.end
    );
}

#[test]
fn a_panic_a_fault_and_a_hang_are_recovered_from_in_supervisor_mode() {
    let mut guest = boot_as(&supervisor());
    let panics = "heap 64 pages\na0 = alloc 24\na1 = alloc 24\nfree a0\na2 = alloc 24\n";
    let loops = "heap 64 pages\na0 = alloc 24\na1 = alloc 24\nfree a0\nfree a1\n";
    let well = "heap 64 pages\na0 = alloc 24\nrealloc a0 300\nfree a0\ncapacity\n";
    let faults = "heap 64 pages\na0 = alloc 262136\nfree a0\n";
    let expected = Host::new()
        .unwrap()
        .run(entry("kmem"), &trace(well), RunOptions::STRICT)
        .unwrap();
    for (subject, ops, observed, boots) in [
        ("panic", panics, 3, 1),
        ("store-outside", faults, 1, 1),
        // It costs a boot, and its confirmation another.
        ("endless-loop", loops, 3, 2),
        ("panic", panics, 3, 3),
    ] {
        let run = guest.run(entry(subject), &trace(ops), RunOptions::STRICT);
        let run = run.unwrap();
        let is_subjects = match (&run.end, subject) {
            (RunEnd::Panicked(panic), "panic") => panic.message.starts_with("planted defect: "),
            (RunEnd::Faulted(fault), "store-outside") => {
                let words = wording::fault(1, fault);
                words.starts_with("store page fault at heap+0x40000, at kmem/src/")
            }
            (end, _) => *end == RunEnd::Hung && subject == "endless-loop",
        };
        assert!(is_subjects, "{subject}: {run:?}");
        assert_eq!(run.observations.len(), observed, "{subject}");
        assert_eq!(guest.boots(), boots, "{subject}");
        let run = guest.run(entry("kmem"), &trace(well), RunOptions::STRICT);
        assert_eq!(run.unwrap(), expected, "after {subject}");
    }
}

/// The finds of a hunt of 2,000 cases, as rule, kind of op and minimised trace.
fn finds(guest: &mut Guest, subject: &str) -> Vec<(String, &'static str, Trace)> {
    let settings = Settings {
        entry: entry(subject),
        rules: Rules::ALL,
        seed: 1,
        bound: Bound::Execs(2_000),
        until: None,
        ops_max: 64,
        misuse: false,
        grow: false,
    };
    let mut finds = Vec::new();
    let mut report = |find: &Find| {
        let (rule, kind) = (find.finding.rule().to_string(), find.finding.kind.name());
        finds.push((rule, kind, find.trace.clone()));
    };
    let summary = hunt::on_guests(&settings, slice::from_mut(guest), &mut report).unwrap();
    assert_eq!((summary.execs, summary.unconfirmed), (2_000, 0));
    finds
}

#[test]
fn a_hunt_in_supervisor_mode_finds_what_one_in_machine_mode_finds() {
    let (mut machine, mut supervisor) = (boot(), boot_as(&supervisor()));
    assert_eq!(finds(&mut supervisor, "kmem"), []);
    let expected = finds(&mut machine, "kmem-2019");
    assert!(!expected.is_empty());
    assert_eq!(finds(&mut supervisor, "kmem-2019"), expected);
}

#[test]
fn regressions_have_their_verdicts_on_other_processors() {
    for mode in [Mode::Machine, Mode::Supervisor] {
        for cpu in CPUS {
            let mut guest = boot_as(&on_cpu(mode, cpu));
            for regression in regressions() {
                let in_guest = |expected: &&Expectation| expected.on != Some(Side::Host);
                for expected in regression.expectations.iter().filter(in_guest) {
                    let entry = entry(&expected.subject);
                    let (_, verdict) = guest
                        .verdict(entry, &regression.trace, regression.rules)
                        .unwrap();
                    let name = &regression.name;
                    assert!(
                        expected.is_met_by(&verdict),
                        "{name} on {cpu} in {mode:?}: {verdict:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_processor_that_does_not_exist_is_told() {
    let image = find_image(None).unwrap();
    for mode in [Mode::Machine, Mode::Supervisor] {
        let refused = Guest::start_as(&image, &on_cpu(mode, "z80")).err();
        let error = format!("{:#}", refused.expect("it does not boot"));
        assert!(error.contains("QEMU has no processor `z80`"), "{error}");
    }
}

#[test]
fn costs_do_not_depend_on_the_mode() {
    let image = find_image(None).unwrap();
    let workload = Workload::new(Order::Fragmented, 100);
    for name in ["kmem", "kmem-2019", "talc"] {
        let [machine, supervisor] = [Configuration::default(), supervisor()].map(|configuration| {
            let mut counted = Counted::start_as(&image, &configuration).unwrap();
            counted
                .run(entry(name), &workload.trace, RunOptions::FAST)
                .unwrap()
        });
        assert_eq!(machine.run.end, RunEnd::Completed, "{name}");
        assert_eq!(machine, supervisor, "{name}");
    }
}

#[test]
fn an_idle_guest_in_supervisor_mode_costs_next_to_nothing() {
    let guest = boot_as(&supervisor());
    let second = Duration::from_secs(1);
    // The sleeps have grown to their longest by then.
    std::thread::sleep(second / 10);
    let before = guest.cpu_time().unwrap();
    std::thread::sleep(second);
    let used = guest.cpu_time().unwrap() - before;
    assert!(used < second / 10, "{used:?} of CPU time in a second");
}
