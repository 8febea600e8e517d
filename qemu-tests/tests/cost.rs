//! What calls cost is a number that repeats: from boot to boot, however much is checked, and from
//! one build to the next. The costs of `kmem` are locked, so that a slower allocator shows in
//! review.
//!
//! Instructions are the compiler's as much as the allocator's. The snapshot therefore names the
//! compiler that built the guest it was made with. A guest built by the same one must cost the same
//! to the instruction; one built by another, the same within [`TOLERANCE_PERCENT`], so that a new
//! release of the compiler does not fail everybody's tests, while a walk more over the chunks does.

use std::fmt::Write;
use std::fs;

use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::op::Op;
use harness::trace::Trace;
use kmem_rig::cost::{Order, Workload, measure};
use kmem_rig::fault::Fault;
use kmem_rig::guest::{Counted, find_image};
use kmem_rig::host::Host;
use kmem_rig::registry::by_name;
use kmem_rig::run::{RunEnd, RunOptions};
use qemu_tests::regressions;
use testkit::{assert_snapshot, root};

/// How far costs may be from the snapshot's if another compiler built the guest.
const TOLERANCE_PERCENT: u64 = 15;
/// Blocks live at most in the snapshot: more of them show the same, slower.
const LIVE_MAX: usize = 1_000;
fn boot() -> Counted {
    let started = find_image(None).and_then(|image| Counted::start(&image));
    started.unwrap_or_else(|error| panic!("{error:#}"))
}

/// The compiler that built the guest, as it has signed the image.
fn compiler() -> String {
    const SIGNATURE: &[u8] = b"rustc version ";
    let image = fs::read(find_image(None).unwrap()).unwrap();
    let mut windows = image.windows(SIGNATURE.len());
    let start = windows.position(|bytes| bytes == SIGNATURE);
    let signed = &image[start.expect("a compiler signs what it builds")..];
    let end = signed.iter().position(|&byte| byte == b')').unwrap();
    String::from_utf8_lossy(&signed[..=end]).into_owned()
}

#[test]
fn costs_are_equal_across_boots_and_strengths() {
    let (mut one, mut other) = (boot(), boot());
    let workload = Workload::new(Order::Fragmented, 100);
    // A subject that faults in between changes nothing.
    let mut fault = Trace::new(workload.trace.geometry);
    fault.ops.push(Op::FreeWild {
        offset: u64::MAX / 2,
    });
    for name in ["kmem", "kmem-2019", "talc", "rlsf"] {
        let entry = subjects::by_name(name).unwrap();
        let first = one.run(entry, &workload.trace, RunOptions::FAST).unwrap();
        assert_eq!(first.run.end, RunEnd::Completed, "{name}");
        assert_eq!(first.costs.len(), workload.trace.ops.len());
        assert!(first.costs.iter().all(|&cost| cost > 0), "{name}");

        let wild = by_name("kmem-2019").unwrap();
        let faulted = other.run(wild, &fault, RunOptions::FAST).unwrap();
        match faulted.run.end {
            RunEnd::Faulted(Fault::Trap {
                source: Some(line), ..
            }) => assert!(line.file.starts_with("kmem/src/"), "{line:?}"),
            end => panic!("{name}: {end:?}"),
        }
        let second = other.run(entry, &workload.trace, RunOptions::FAST).unwrap();
        assert_eq!(first, second, "{name}");

        let strict = other.run(entry, &workload.trace, RunOptions::STRICT);
        assert_eq!(first.costs, strict.unwrap().costs, "{name}");
    }
}

#[test]
fn counting_changes_no_observation_and_an_op_without_a_call_costs_nothing() {
    let (mut guest, mut host) = (boot(), Host::new().unwrap());
    for regression in regressions() {
        let entry = by_name("kmem").unwrap();
        let counted = guest.run(entry, &regression.trace, RunOptions::STRICT);
        let on_host = host.run(entry, &regression.trace, RunOptions::STRICT);
        let (counted, on_host) = (counted.unwrap(), on_host.unwrap());
        assert_eq!(counted.run.observations, on_host.observations);
        for (op, cost) in regression.trace.ops.iter().zip(&counted.costs) {
            if matches!(op, Op::Table | Op::Write { .. }) {
                assert_eq!(*cost, 0, "{}: {op:?}", regression.name);
            }
        }
    }
}

/// What a block of zeroes costs beyond one that holds anything.
fn zeroing(guest: &mut Counted, name: &str, size: u64) -> u64 {
    let mut cost = |zeroed| {
        let mut trace = Trace::new(Geometry::published());
        trace.ops.push(Op::Alloc {
            size,
            align: None,
            zeroed,
        });
        let counted = guest.run(by_name(name).unwrap(), &trace, RunOptions::FAST);
        counted.unwrap().costs[0]
    };
    cost(true) - cost(false)
}

#[test]
fn zeroes_are_stored_once_and_by_words() {
    /// Beside the stores: what says where they end, and the words behind the last eight.
    const AROUND: u64 = 50;
    let mut guest = boot();
    for (name, sizes) in [
        ("kmem", &[8_u64, 100, 512, 4096, 100_000][..]),
        ("page", &[4096, 100_000]),
    ] {
        let unit = by_name(name).unwrap().declaration.unit.max(8);
        for &size in sizes {
            let words = size.next_multiple_of(unit) / 8;
            let cost = zeroing(&mut guest, name, size);
            // A store a word, and what counts them; a second pass, or bytes, would take more.
            let range = words..=words + words / 2 + AROUND;
            assert!(range.contains(&cost), "{name}, {size} bytes: {cost}");
        }
    }
}

/// Each line of `fresh`, with those numbers that are near the locked ones replaced by them.
fn settle(locked: &str, fresh: &str) -> String {
    let near = |locked: &str, fresh: &str| {
        let (Ok(locked), Ok(fresh)) = (locked.parse::<u64>(), fresh.parse::<u64>()) else {
            return false;
        };
        locked.abs_diff(fresh) * 100 <= locked * TOLERANCE_PERCENT
    };
    let mut text = String::new();
    let mut locked = locked.lines();
    for fresh in fresh.lines() {
        let old = locked.next().unwrap_or_default();
        let pairs = old.split_whitespace().zip(fresh.split_whitespace());
        let alike = old.split_whitespace().count() == fresh.split_whitespace().count()
            && pairs.clone().all(|(old, new)| old == new || near(old, new));
        writeln!(text, "{}", if alike { old } else { fresh }).unwrap();
    }
    text
}

#[test]
fn another_compiler_may_be_a_little_off_and_no_more() {
    let locked = "alloc 10 random 1000 2000\nfree 10 random 500 600\n";
    let near = "alloc 10 random 1100  1900\nfree 10 random 500 600\n";
    assert_eq!(settle(locked, near), locked);
    let far = "alloc 10 random 1000 2000\nfree 10 random 500 900\n";
    assert_eq!(settle(locked, far), far);
    assert_eq!(settle("", far), far);
}

/// A line for each call of each workload.
fn of_calls(guest: &mut Counted, entry: &Entry) -> String {
    let mut text = String::from("instructions a call: median, max\n");
    for workload in Workload::all(LIVE_MAX) {
        for cost in measure(guest, entry, &workload).unwrap() {
            let (call, order) = (cost.call.name(), cost.order.name());
            let (live, median, max) = (cost.live, cost.median.unwrap(), cost.max.unwrap());
            writeln!(
                text,
                "{call:<10} {live:>5} {order:<10} {median:>8} {max:>8}"
            )
            .unwrap();
            assert_eq!(cost.refused, 0);
        }
    }
    text
}

#[test]
fn the_costs_of_kmem_are_locked() {
    let mut guest = boot();
    let entry = by_name("kmem").unwrap();
    let mut text = of_calls(&mut guest, entry);
    text.push_str("instructions a regression\n");
    for regression in regressions() {
        let counted = guest.run(entry, &regression.trace, RunOptions::STRICT);
        let (name, total) = (&regression.name, counted.unwrap().total());
        writeln!(text, "{name:<40} {total:>8}").unwrap();
    }
    assert_locked("cost-kmem", &text);
}

#[test]
fn the_costs_of_hardening_are_locked() {
    let mut guest = boot();
    for name in ["kmem-sealed", "kmem-poisoned", "kmem-hardened"] {
        let text = of_calls(&mut guest, by_name(name).unwrap());
        assert_locked(&format!("cost-{name}"), &text);
    }
}

/// Asserts a snapshot of costs, as exactly as the compiler that built the guest allows.
fn assert_locked(snapshot: &str, text: &str) {
    let path = root().join(format!("snapshots/{snapshot}.snap"));
    let locked = fs::read_to_string(path).unwrap_or_default();
    // Behind the snapshot's own header: the compiler, then the costs.
    let (_, locked) = locked.rsplit_once("---\n").unwrap_or_default();
    let (locked_by, locked) = locked.split_once('\n').unwrap_or_default();
    let built_by = compiler();
    if built_by == locked_by {
        assert_snapshot(snapshot, &format!("{built_by}\n{text}"));
        return;
    }
    let settled = settle(locked, text);
    if settled.trim_end() == locked.trim_end() {
        assert_snapshot(snapshot, &format!("{locked_by}\n{locked}"));
    } else {
        assert_snapshot(snapshot, &format!("{built_by}\n{text}"));
    }
}
