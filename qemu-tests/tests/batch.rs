//! A batch goes on: what one trace does to its process or its guest, the next does not notice.

use kmem_rig::capacity::Measured;
use kmem_rig::executor::Executor;
use kmem_rig::host::Host;
use kmem_rig::regression::Regression;
use kmem_rig::rules::{Rule, Rules};
use qemu_tests::boot;

/// Each subject, a trace, and the rule it must break.
const BATCH: [(&str, &str, Option<Rule>); 8] = [
    ("kmem", "a0 = alloc 24\nfree a0", None),
    (
        "endless-loop",
        "a0 = alloc 8\na1 = alloc 8\nfree a0\nfree a1",
        Some(Rule::Hang),
    ),
    ("kmem", "a0 = alloc 100 align 64\nfree all\ncapacity", None),
    (
        "store-outside",
        "a0 = alloc 262136\nfree a0",
        Some(Rule::Fault),
    ),
    (
        "kmem-2019",
        "a0 = alloc_zeroed 18446744073709551608",
        Some(Rule::Fault),
    ),
    (
        "panic",
        "a0 = alloc 24\na1 = alloc 8\nfree a0\na2 = alloc 24",
        Some(Rule::Panic),
    ),
    ("page-2019", "a0 = alloc 4096\nfree a0\nfree a0", None),
    ("kmem", "a0 = alloc 24\nrealloc a0 300\nfree a0", None),
];

fn every_trace_gets_its_own_verdict(executor: &mut Measured<dyn Executor>) {
    for round in 0..3 {
        for (subject, ops, rule) in BATCH {
            let entry = subjects::by_name(subject).unwrap();
            let text = format!("# kmem-rig trace v1\nheap 64 pages\n{ops}\n");
            let trace = Regression::parse(subject, &text).unwrap().trace;
            let (run, verdict) = executor.verdict(entry, &trace, Rules::ALL).unwrap();
            let found = verdict.finding().map(|finding| finding.rule());
            assert_eq!(found, rule, "round {round}, {subject}: {run:?}");
            let last = if rule.is_some() { 1 } else { 0 };
            let misused = trace.clone().without_misuse().ops.len() < trace.ops.len();
            assert_eq!(
                run.observations.len() + last + usize::from(misused),
                trace.ops.len()
            );
        }
    }
}

#[test]
fn on_the_host() {
    every_trace_gets_its_own_verdict(&mut Host::new().unwrap());
}

#[test]
fn in_the_guest() {
    let mut guest = boot();
    every_trace_gets_its_own_verdict(&mut guest);
    // The endless loop alone costs boots: two for each round, since a hang is confirmed.
    assert_eq!(guest.boots(), 1 + 3 * 2);
}
