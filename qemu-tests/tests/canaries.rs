//! The oracles are themselves tested: `kmem` with one planted defect must be found, on the host
//! and in the guest, from a fixed seed, and shrink to a known size. Without a defect, nothing is.

use std::fmt::Write;
use std::slice;

use harness::entry::Entry;
use kmem_rig::host::Host;
use kmem_rig::hunt::{self, Bound, Find, Settings, Summary};
use kmem_rig::rules::Rules;
use qemu_tests::boot;
use testkit::assert_snapshot;

/// Cases of a hunt: few, since every case that hangs costs a tenth of a second.
const EXECS: u64 = 100;

fn settings(entry: &Entry, execs: u64) -> Settings<'_> {
    Settings {
        entry,
        rules: Rules::ALL,
        seed: 1,
        bound: Bound::Execs(execs),
        until: None,
        ops_max: 16,
        misuse: false,
        grow: false,
    }
}

/// What a hunt on each canary reports: the rule, the kind of op, and the minimised trace.
fn finds(mut hunt: impl FnMut(&Settings<'_>, &mut dyn FnMut(&Find)) -> Summary) -> String {
    let mut text = String::new();
    for entry in &subjects::mutants::CANARIES {
        let mut finds = Vec::new();
        let summary = hunt(&settings(entry, EXECS), &mut |find| {
            let ops = find.trace.to_string();
            let ops: Vec<_> = ops.lines().skip(1).collect();
            let (rule, kind) = (find.finding.rule(), find.finding.kind.name());
            finds.push(format!("  {rule} at {kind}: {}", ops.join("; ")));
        });
        assert!(!finds.is_empty(), "{} was not found", entry.name());
        assert_eq!(summary.unconfirmed, 0, "{}", entry.name());
        finds.sort();
        writeln!(text, "{}\n{}", entry.name(), finds.join("\n")).unwrap();
    }
    text
}

#[test]
fn every_canary_is_found_on_the_host() {
    let mut host = Host::new().unwrap();
    let text = finds(|settings, report| hunt::on_host(settings, &mut host, report).unwrap());
    assert_snapshot("canaries", &text);
}

#[test]
fn every_canary_is_found_in_the_guest() {
    let mut guest = boot();
    let text = finds(|settings, report| {
        hunt::on_guests(settings, slice::from_mut(&mut guest), report).unwrap()
    });
    assert_snapshot("canaries", &text);
}

#[test]
fn without_a_canary_nothing_is_found() {
    let mut host = Host::new().unwrap();
    let mut guest = boot();
    for name in ["kmem", "kmem-hardened", "page"] {
        let entry = subjects::by_name(name).unwrap();
        let mut none = |find: &Find| panic!("{name}: {find:?}");
        let on_host = hunt::on_host(&settings(entry, 20_000), &mut host, &mut none).unwrap();
        let in_guest = hunt::on_guests(
            &settings(entry, 2_000),
            slice::from_mut(&mut guest),
            &mut none,
        )
        .unwrap();
        assert_eq!(
            (on_host.execs, on_host.findings, on_host.unconfirmed),
            (20_000, 0, 0)
        );
        assert_eq!(
            (in_guest.execs, in_guest.findings, in_guest.unconfirmed),
            (2_000, 0, 0)
        );
    }
    assert_eq!(guest.boots(), 1);
}

#[test]
fn in_heaps_that_grow_nothing_is_found() {
    let (mut host, mut guest) = (Host::new().unwrap(), boot());
    let kmem = subjects::by_name("kmem").unwrap();
    let growing = |execs| Settings {
        misuse: true,
        grow: true,
        ops_max: 64,
        ..settings(kmem, execs)
    };
    let mut none = |find: &Find| panic!("{find:?}");
    let on_host = hunt::on_host(&growing(20_000), &mut host, &mut none).unwrap();
    let guests = slice::from_mut(&mut guest);
    let in_guest = hunt::on_guests(&growing(2_000), guests, &mut none).unwrap();
    assert_eq!((on_host.execs, on_host.unconfirmed), (20_000, 0));
    assert_eq!((in_guest.execs, in_guest.unconfirmed), (2_000, 0));
    assert_eq!(guest.boots(), 1);
}

#[test]
fn what_is_refused_is_refused_without_damage() {
    let mut host = Host::new().unwrap();
    let mut guest = boot();
    for name in ["kmem", "kmem-hardened", "page"] {
        let entry = subjects::by_name(name).unwrap();
        let misuse = |execs| Settings {
            misuse: true,
            ..settings(entry, execs)
        };
        let mut none = |find: &Find| panic!("{name}: {find:?}");
        let on_host = hunt::on_host(&misuse(20_000), &mut host, &mut none).unwrap();
        let in_guest =
            hunt::on_guests(&misuse(2_000), slice::from_mut(&mut guest), &mut none).unwrap();
        assert_eq!((on_host.findings, on_host.unconfirmed), (0, 0));
        assert_eq!((in_guest.findings, in_guest.unconfirmed), (0, 0));
    }
}
