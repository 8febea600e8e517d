//! The regressions as a whole: their form, the corpora they seed, and that a replay repeats itself.
//! What each of them does is in `replay.rs`.

use kmem_rig::capacity::Measured;
use kmem_rig::executor::Executor;
use kmem_rig::host::Host;
use kmem_rig::registry::by_name;
use kmem_rig::regression::Regression;
use qemu_tests::{boot, regressions};

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
        for executor in [&mut host as &mut Measured<dyn Executor>, &mut guest] {
            let again = executor
                .verdict(entry, &regression.trace, regression.rules)
                .unwrap();
            assert_eq!(again, first);
        }
    }
    assert_eq!(guest.boots(), 1);
}

#[test]
fn every_regression_is_in_canonical_form() {
    for regression in regressions() {
        let file = format!("qemu-tests/regressions/{}.trace", regression.name);
        let text = std::fs::read_to_string(testkit::root().join(&file)).unwrap();
        let document = harness::text::Document::parse(&text).unwrap();
        assert_eq!(
            document.to_string(),
            text,
            "`kmem-rig fmt {file}` rewrites it"
        );
    }
}
