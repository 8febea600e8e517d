//! What each hardened variant of `kmem` notices of a client that errs, on the host and in the
//! guest, and that a client which does not err can tell none of them from `kmem`.

use harness::observation::Outcome;
use kmem_rig::capacity::Measured;
use kmem_rig::executor::Executor;
use kmem_rig::fault::Panic;
use kmem_rig::host::Host;
use kmem_rig::judge::Verdict;
use kmem_rig::registry::by_name;
use kmem_rig::regression::Regression;
use kmem_rig::run::{Run, RunEnd};
use qemu_tests::{boot, regressions};

const PLAIN: &str = "kmem";
/// Each with whether it seals headers and whether it poisons what is free.
const VARIANTS: [(&str, bool, bool); 4] = [
    (PLAIN, false, false),
    ("kmem-sealed", true, false),
    ("kmem-poisoned", false, true),
    ("kmem-hardened", true, true),
];

fn on_both_sides(check: impl Fn(&mut Measured<dyn Executor>)) {
    check(&mut Host::new().unwrap());
    check(&mut boot());
}

fn regression(name: &str) -> Regression {
    let mut all = regressions().into_iter();
    all.find(|one| one.name == name).expect("a regression")
}

fn run(
    executor: &mut Measured<dyn Executor>,
    subject: &str,
    regression: &Regression,
) -> (Run, Verdict) {
    let (trace, rules) = (&regression.trace, regression.rules);
    let entry = by_name(subject).unwrap();
    executor.verdict(entry, trace, rules).unwrap()
}

#[test]
fn a_seal_refuses_to_free_by_an_overwritten_header_that_the_plain_heap_trusts() {
    let regression = regression("misuse-overrun-seal");
    on_both_sides(|executor| {
        for (subject, seals, _) in VARIANTS {
            let (run, verdict) = run(executor, subject, &regression);
            assert_eq!(verdict, Verdict::Agree, "{subject}");
            let outcomes: Vec<_> = run.observations.iter().map(|seen| seen.outcome).collect();
            let [
                _,
                _,
                Outcome::Placed(live),
                _,
                Outcome::Done,
                freed,
                Outcome::Placed(next),
            ] = outcomes[..]
            else {
                panic!("{subject}: {outcomes:?}");
            };
            let (expected, is_shared) = match seals {
                true => (Outcome::Refused, false),
                false => (Outcome::Done, true),
            };
            assert_eq!(freed, expected, "{subject}");
            // 100 bytes are handed out: behind all blocks, or over one that lives.
            assert_eq!((next..next + 100).contains(&live), is_shared, "{subject}");
        }
    });
}

#[test]
fn poison_ends_the_alloc_that_would_hand_out_bytes_written_after_their_free() {
    let regression = regression("misuse-write-after-free");
    on_both_sides(|executor| {
        for (subject, _, poisons) in VARIANTS {
            let (run, verdict) = run(executor, subject, &regression);
            // The panic is what it is there for.
            assert_eq!(verdict, Verdict::Agree, "{subject}");
            match run.end {
                RunEnd::Completed => assert!(!poisons, "{subject} noticed nothing"),
                RunEnd::Panicked(Panic { message, .. }) => {
                    assert!(poisons && message.contains("were written to"), "{message}");
                    assert_eq!(run.observations.len(), regression.trace.ops.len() - 1);
                }
                end => panic!("{subject}: {end:?}"),
            }
        }
    });
}

#[test]
fn whoever_does_not_write_beyond_blocks_sees_no_difference() {
    let agreed = |regression: &Regression| {
        let writes = regression.name.starts_with("misuse-overrun-")
            || regression.name == "misuse-write-after-free";
        // The variants do not grow.
        let grows = !regression.trace.geometry.growth().is_none();
        let mut expected = regression.expectations.iter();
        !writes && !grows && expected.any(|one| one.subject == PLAIN && one.verdict == "agree")
    };
    let regressions: Vec<_> = regressions().into_iter().filter(agreed).collect();
    assert!(regressions.len() > 10);
    on_both_sides(|executor| {
        for regression in &regressions {
            let (plain, _) = run(executor, PLAIN, regression);
            for (subject, ..) in VARIANTS {
                let (variant, verdict) = run(executor, subject, regression);
                let name = &regression.name;
                assert_eq!(verdict, Verdict::Agree, "{subject} on {name}");
                assert_eq!(
                    variant.observations, plain.observations,
                    "{subject} on {name}"
                );
            }
        }
    });
}
