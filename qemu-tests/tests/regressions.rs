//! Every committed regression: its verdicts, and the tables it leaves, on the host and in the
//! guest in both modes, against the same snapshot.

use kmem_rig::executor::Executor;
use kmem_rig::guest::Guest;
use kmem_rig::host::Host;
use kmem_rig::registry::by_name;
use kmem_rig::regression::Regression;
use kmem_rig::testing::account;
use qemu_tests::{assert_snapshot, boot, boot_as, regressions, supervisor};

fn assert_tables(executor: &mut dyn Executor) {
    for regression in regressions() {
        let account = account(&regression, executor).unwrap();
        assert_snapshot(&regression.name, &account);
    }
}

#[test]
fn tables_on_the_host() {
    assert_tables(&mut Host::new().unwrap());
}

#[test]
fn tables_in_the_guest() {
    let mut guest = boot();
    assert_tables(&mut guest);
}

#[test]
fn tables_in_the_guest_in_supervisor_mode() {
    assert_tables(&mut boot_as(&supervisor()));
}

#[test]
fn verdicts_are_as_expected_and_op_by_op_equal_on_both_sides() {
    verdicts_are_those_of_the_host(boot());
}

#[test]
fn verdicts_are_as_expected_and_op_by_op_equal_in_supervisor_mode() {
    verdicts_are_those_of_the_host(boot_as(&supervisor()));
}

fn verdicts_are_those_of_the_host(mut guest: Guest) {
    let mut host = Host::new().unwrap();
    for regression in regressions() {
        assert!(
            !regression.expectations.is_empty(),
            "{} expects nothing",
            regression.name
        );
        for expected in &regression.expectations {
            let (name, trace) = (&regression.name, &regression.trace);
            let entry = by_name(&expected.subject).unwrap();
            let (on_host, verdict) = host.verdict(entry, trace, regression.rules).unwrap();
            let (in_guest, guests) = guest.verdict(entry, trace, regression.rules).unwrap();
            assert!(
                expected.is_met_by(&verdict),
                "{name} on the host: {verdict:?}"
            );
            assert!(
                expected.is_met_by(&guests),
                "{name} in the guest: {guests:?}"
            );
            let differs =
                kmem_rig::compare::compare(&entry.declaration, trace, &on_host, &in_guest);
            assert_eq!(differs, None, "{name} on {expected}");
        }
    }
}

#[test]
fn a_replay_repeats_itself_a_thousand_times() {
    let (mut host, mut guest) = (Host::new().unwrap(), boot());
    let entry = by_name("kmem-2019").unwrap();
    let text = "# kmem-rig trace v1\nheap 64 pages\na0 = alloc 24\na1 = alloc_zeroed 100\n\
                realloc a0 300\nfree a1\ntable\nfree all\ncapacity\n";
    let regression = Regression::parse("repeated", text).unwrap();
    let first = host
        .verdict(entry, &regression.trace, regression.rules)
        .unwrap();
    for _ in 0..1000 {
        for executor in [&mut host as &mut dyn Executor, &mut guest] {
            let again = executor
                .verdict(entry, &regression.trace, regression.rules)
                .unwrap();
            assert_eq!(again, first);
        }
    }
    assert_eq!(guest.boots(), 1);
}

#[test]
fn every_regression_is_in_canonical_form_and_seeds_the_corpora() {
    for regression in regressions() {
        let file = format!("qemu-tests/regressions/{}.trace", regression.name);
        let text = std::fs::read_to_string(qemu_tests::root().join(&file)).unwrap();
        let document = harness::text::Document::parse(&text).unwrap();
        assert_eq!(
            document.to_string(),
            text,
            "`kmem-rig fmt {file}` rewrites it"
        );
        let bytes = harness::bytes::encode(&regression.trace);
        for expected in &regression.expectations {
            // A target is named after its subject; page-2019 has no target of its own.
            let target = expected.subject.replace('-', "_");
            let folder = qemu_tests::root().join("fuzz/seeds").join(target);
            if folder.is_dir() {
                let seed = std::fs::read(folder.join(&regression.name));
                let stale = "`make seeds` writes the seeds anew";
                assert_eq!(
                    seed.ok().as_deref(),
                    Some(&bytes[..]),
                    "{}: {stale}",
                    regression.name
                );
            }
        }
    }
}
