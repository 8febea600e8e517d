//! From a program's calls to a regression: recordings of a host program and of a kernel in the
//! guest are replayed as they are, and a bug planted in a long one becomes a few lines that the
//! guest shows too.

#![allow(unsafe_code, reason = "a subject of its own calls an allocator")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::fs::{self, File};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use harness::geometry::Geometry;
use harness::op::{Handle, Op};
use harness::recorder::{Lines, Recorder, Ring};
use harness::text::Document;
use harness::trace::Trace;
use kmem_rig::host::Host;
use kmem_rig::judge::Verdict;
use kmem_rig::registry;
use kmem_rig::rules::Rules;
use qemu_exec::{Ended, Exit, Machine};
use testkit::{kmem_rig, root};

/// A recording of the example's, of a million ops and more.
fn record_json(folder: &Path) -> PathBuf {
    let example = std::env::current_exe().unwrap();
    let example = example
        .ancestors()
        .nth(2)
        .unwrap()
        .join("examples/record_json");
    let trace = folder.join("json.trace");
    let status = Command::new(&example).arg(&trace).arg("31000").status();
    let status = status.unwrap_or_else(|error| {
        let example = example.display();
        panic!("{example}: {error}: build it: cargo build --example record_json")
    });
    assert!(status.success());
    trace
}

/// What calls come to that nobody recorded.
#[derive(Default)]
struct Expected {
    ops: Vec<Op>,
    live: Vec<(Handle, *mut u8, Layout)>,
    issued: u32,
}

/// Makes so many random calls; every one is recorded, and written down beside.
fn random_calls<const BLOCKS: usize, S: harness::recorder::Sink>(
    recorder: &Recorder<System, S, BLOCKS>,
    calls: u32,
    seed: u64,
) -> Vec<Op> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut expected = Expected::default();
    for _ in 0..calls {
        let known = random.usize(..expected.live.len().max(1));
        let grows = expected.live.len() < 40 || random.u8(..) < 100;
        match (grows, expected.live.is_empty()) {
            (true, _) | (_, true) => {
                let size = random.usize(1..300);
                let layout = Layout::from_size_align(size, 1 << random.u32(0..9)).unwrap();
                let zeroed = random.bool();
                // SAFETY: the layout is not of size 0.
                let block = unsafe {
                    match zeroed {
                        true => recorder.alloc_zeroed(layout),
                        false => recorder.alloc(layout),
                    }
                };
                assert!(!block.is_null());
                expected.ops.push(Op::Alloc {
                    size: size as u64,
                    align: harness::op::Align::from_bytes(layout.align() as u64),
                    zeroed,
                });
                expected.live.push((Handle(expected.issued), block, layout));
                expected.issued += 1;
            }
            (false, false) if random.bool() => {
                let size = random.usize(1..600);
                let (handle, block, layout) = &mut expected.live[known];
                // SAFETY: the block is live and of this layout; the new size is small and not 0.
                *block = unsafe { recorder.realloc(*block, *layout, size) };
                assert!(!block.is_null());
                *layout = Layout::from_size_align(size, layout.align()).unwrap();
                expected.ops.push(Op::Realloc {
                    handle: *handle,
                    size: size as u64,
                });
            }
            (false, false) => {
                let (handle, block, layout) = expected.live.swap_remove(known);
                // SAFETY: the block was live until the line above, and is of this layout.
                unsafe { recorder.dealloc(block, layout) };
                expected.ops.push(Op::Free { handle });
            }
        }
    }
    // SAFETY: the blocks are live, and nobody uses them any more.
    unsafe {
        for (_, block, layout) in expected.live {
            System.dealloc(block, layout);
        }
    }
    expected.ops
}

const HEAP: Geometry = Geometry::from_pages(64).unwrap();

#[test]
fn what_is_recorded_is_what_was_called_and_every_sound_allocator_agrees() {
    let mut host = Host::new().unwrap();
    for seed in 0..20 {
        let recorder: Recorder<System, Lines<String>, 1024> =
            Recorder::new(System, HEAP, Lines::new(String::new()));
        recorder.start();
        let ops = random_calls(&recorder, 600, seed);
        let text = recorder.with_sink(|lines| lines.out().clone());
        let trace = Document::parse(&text).unwrap().trace();
        let expected = Trace {
            geometry: HEAP,
            ops,
        };
        assert_eq!(trace, expected);
        for subject in ["kmem", "talc", "rlsf"] {
            let entry = registry::by_name(subject).unwrap();
            let (_, verdict) = host.verdict(entry, &trace, Rules::ALL).unwrap();
            assert_eq!(verdict, Verdict::Agree, "{subject}, seed {seed}");
        }
    }
}

#[test]
fn the_last_ops_of_a_recording_are_a_trace_of_their_own() {
    let mut host = Host::new().unwrap();
    let recorder: Recorder<System, Ring<300>, 1024> = Recorder::new(System, HEAP, Ring::new());
    recorder.start();
    let ops = random_calls(&recorder, 1000, 1);
    let mut lines = Lines::new(String::new());
    recorder.with_sink(|ring| ring.print(&mut lines)).unwrap();
    let trace = Document::parse(&lines.into_inner()).unwrap().trace();
    trace.check_invariants();
    // What is left of the last 300 calls is in their order.
    let kinds: Vec<_> = trace.ops.iter().map(Op::kind).collect();
    let mut last = ops[700..].iter().map(Op::kind);
    assert!(kinds.iter().all(|kind| last.any(|other| other == *kind)));
    assert!(kinds.len() > 150, "{}", kinds.len());
    let kmem = registry::by_name("kmem").unwrap();
    let (_, verdict) = host.verdict(kmem, &trace, Rules::ALL).unwrap();
    assert_eq!(verdict, Verdict::Agree);
}

/// Copies a trace; the first alloc from op `at` on asks for what wraps.
fn plant_crash(from: &Path, to: &Path, at: usize) {
    let mut lines = BufReader::new(File::open(from).unwrap()).lines();
    let mut planted = BufWriter::new(File::create(to).unwrap());
    let mut done = false;
    for (number, line) in lines.by_ref().map(Result::unwrap).enumerate() {
        // Two lines stand before the first op.
        match line.split_once(" = alloc ") {
            Some((handle, _)) if number >= at + 2 && !done => {
                writeln!(planted, "{handle} = alloc_zeroed 18446744073709551601").unwrap();
                done = true;
            }
            _ => writeln!(planted, "{line}").unwrap(),
        }
    }
    assert!(done);
}

#[test]
fn a_million_recorded_ops_are_replayed_and_a_crash_in_them_becomes_a_few_lines() {
    let folder = tempfile::tempdir().unwrap();
    let trace = record_json(folder.path());
    let ops = BufReader::new(File::open(&trace).unwrap()).lines().count() - 3;
    assert!(ops >= 1_000_000, "{ops}");
    let at = trace.display();
    let (code, table, _) = kmem_rig!("replay {at} --on host --subject talc");
    assert_eq!(code, 0, "{table}");

    let crash = folder.path().join("crash.trace");
    plant_crash(&trace, &crash, 900_000);
    // A planted call that crashes the published allocator, and a planted defect that the program
    // meets.
    assert_becomes_a_few_lines(&crash, "kmem-2019", "fault", "crash fault at 9000");
    assert_becomes_a_few_lines(&trace, "panic", "panic", "crash panic at ");

    let (code, _, errors) = kmem_rig!("replay {at} --on qemu --subject kmem");
    let told = "the guest takes 32768";
    assert!(code == 2 && errors.contains(told), "{errors}");
    let (code, _, errors) = kmem_rig!("show {at}");
    let told = "only `replay` and `minimize`";
    assert!(code == 2 && errors.contains(told), "{errors}");
}

/// Replays a trace that crashes a subject, minimises it, and replays what is left in the guest.
#[track_caller]
fn assert_becomes_a_few_lines(trace: &Path, subject: &str, rule: &str, verdict: &str) {
    let subject = format!("--subject {subject} --rules machine");
    let at = trace.display();
    let (code, rows, _) = kmem_rig!("replay {at} --on host {subject}");
    assert!(code == 1 && rows.contains(verdict), "{rows}");

    let small = trace.with_extension("small");
    let small_at = small.display();
    let (code, report, _) = kmem_rig!("minimize {at} -o {small_at} {subject}");
    assert_eq!(code, 0, "{report}");
    let left = Document::parse(&fs::read_to_string(&small).unwrap()).unwrap();
    let left = left.trace().ops.len();
    assert!(left < 20, "{left} ops");

    let (_, rows, _) = kmem_rig!("replay {small_at} --on qemu --format json {subject}");
    let crash = format!(r#""verdict":"crash","rule":"{rule}""#);
    assert!(rows.contains(&crash), "{rows}");
}

/// The console's output of the kernel that records itself.
fn boot_recorded_kernel() -> String {
    let image = root().join("target/riscv64gc-unknown-none-elf/release/recorded-kernel");
    assert!(image.exists(), "{}: build it: make guest", image.display());
    let mut guest = Machine::new(image)
        .serial_bytes_max(1 << 20)
        .start()
        .unwrap();
    let ended = guest.wait(Duration::from_secs(60)).unwrap();
    let console = guest.serial().to_string();
    assert_eq!(ended, Ended::Exited(Exit::Code(0)), "{console}");
    console
}

#[test]
fn a_kernels_console_is_a_trace_among_its_messages() {
    let console = boot_recorded_kernel();
    assert!(console.contains("\nkernel: round 17: "), "{console}");
    assert!(console.ends_with("kernel: done\n"), "{console}");
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("console.log");
    fs::write(&log, &console).unwrap();
    let at = log.display();
    let (code, table, _) = kmem_rig!("replay {at} --subject kmem");
    assert_eq!(code, 0, "{table}");
    let agree = table.matches(" agree ").count();
    assert_eq!(agree, 2, "host and guest: {table}");
    let (code, shown, _) = kmem_rig!("show {at}");
    assert_eq!(code, 0, "{shown}");
    assert!(shown.lines().count() > 5000, "{shown}");

    // Two lines that ran into each other, and one that lost its end.
    let whole = "\ntrace| a3 = alloc ";
    assert!(console.contains(whole));
    for (wrong, expected) in [
        (
            "\nkernel: notrace| a3 = alloc ",
            ":1: expected a line of the trace to begin",
        ),
        (
            "\ntrace| a3 = \nkernel: no\n",
            ":1: expected a line of the trace to end with ` |`",
        ),
        (
            "\ntrace| trace| a3 = ",
            ":1: expected a line of the trace, found a cut one",
        ),
        (
            "\ntrace| a4 = alloc ",
            ":8: expected `a3`: blocks are numbered in order",
        ),
    ] {
        fs::write(&log, console.replacen(whole, wrong, 1)).unwrap();
        let (code, _, errors) = kmem_rig!("replay {at} --subject kmem");
        assert_eq!(code, 2, "{errors}");
        let line = console[..console.find(whole).unwrap()].lines().count() + 1;
        let told = format!("console.log:{line}{expected}");
        assert!(errors.contains(&told), "{errors}");
    }
}
