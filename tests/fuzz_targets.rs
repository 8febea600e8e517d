//! What the libFuzzer targets call, without libFuzzer: a short smoke run each, on stable.

use std::panic::{UnwindSafe, catch_unwind};

use kmem_rig::fuzz::{Input, Target, check_text};
use kmem_rig::registry;
use kmem_rig::regression::Regression;
use testkit::{regressions, root};

fn target(subject: &str) -> Target {
    let regressions = concat!(env!("CARGO_MANIFEST_DIR"), "/qemu-tests/regressions");
    Target::new(registry::by_name(subject).unwrap(), regressions)
}

/// Mutants of mutants, as an engine without feedback would make them.
fn fuzz(subject: &str, runs: u32) {
    fuzz_target(&target(subject), runs);
}

fn fuzz_target(target: &Target, runs: u32) {
    let mut data = vec![0; 2048];
    let mut size = 0;
    for seed in 0..runs {
        // Starting afresh now and then keeps inputs from growing into one long trace.
        size = if seed % 50 == 0 { 0 } else { size };
        let max_size = data.len();
        size = target.mutate(&mut data, size, max_size, seed);
        target.check(Input::of(&data[..size]));
    }
}

/// What fuzzing panics with.
fn report_of(fuzz: impl FnOnce() + UnwindSafe) -> String {
    let panic = catch_unwind(fuzz).expect_err("a find");
    *panic.downcast().expect("a report")
}

#[test]
fn kmem() {
    fuzz("kmem", 20_000);
}

#[test]
fn kmem_growing() {
    fuzz_target(&target("kmem").growing(), 10_000);
}

/// A defect of growth is met over heaps that grow, which the other target passes over.
#[test]
fn each_target_passes_over_the_heaps_of_the_other() {
    let mutant = || target("growth-not-merged");
    fuzz_target(&mutant(), 2_000);
    let report = report_of(|| fuzz_target(&mutant().growing(), 2_000));
    assert!(report.starts_with("growth-not-merged breaks `"), "{report}");
    for regression in regressions(Regression::load)
        .iter()
        .filter(|one| one.name.starts_with("grow-"))
    {
        mutant().check(Input::of(&harness::bytes::encode(&regression.trace)));
    }
}

#[test]
fn page() {
    fuzz("page", 5_000);
}

#[test]
fn kmem_2019_passes_over_what_is_known_crashes_included() {
    fuzz("kmem-2019", 1_000);
    let target = target("kmem-2019");
    for regression in regressions(Regression::load) {
        if regression
            .expectations
            .iter()
            .any(|expected| expected.subject == "kmem-2019")
        {
            target.check(Input::of(&harness::bytes::encode(&regression.trace)));
        }
    }
}

/// Whoever drives a target may spend its time elsewhere, and minimising a crash runs traces without
/// ops.
#[test]
fn a_second_without_an_op_is_no_hang() {
    let target = target("kmem");
    let cpu_ns = || {
        let spent = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
        spent.split(' ').next().unwrap().parse::<u64>().unwrap()
    };
    let start = cpu_ns();
    while cpu_ns() - start < 2_000_000_000 {
        for _ in 0..100 {
            target.check(Input::of(&[]));
        }
    }
}

#[test]
fn a_new_find_panics_with_the_trace_and_the_rule() {
    let report = report_of(|| fuzz("missing-merge", 5_000));
    assert!(
        report.starts_with("missing-merge breaks `unmerged` at op "),
        "{report}"
    );
    for part in [
        "\n  expected: ",
        "\n  observed: ",
        "\n    heap ",
        " = alloc",
    ] {
        assert!(report.contains(part), "no {part:?} in {report}");
    }
}

#[test]
fn the_parser_survives_damaged_text() {
    let mut noise = 1_u32;
    let mut next = |bound: usize| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 8) as usize % bound
    };
    for entry in std::fs::read_dir(root().join("fuzz/seeds/trace_text")).unwrap() {
        let text = std::fs::read(entry.unwrap().path()).unwrap();
        check_text(std::str::from_utf8(&text).unwrap());
        for _ in 0..500 {
            let mut damaged = text.clone();
            for _ in 0..=next(4) {
                let at = next(damaged.len());
                damaged[at] = b" \n#a0x=+19-z\xff"[next(13)];
            }
            if let Ok(text) = std::str::from_utf8(&damaged) {
                check_text(text);
            }
        }
    }
}

#[test]
fn the_targets_are_built_without_the_command_line() {
    let lock = std::fs::read_to_string(root().join("fuzz/Cargo.lock")).unwrap();
    assert!(lock.contains("name = \"kmem-rig\"\n"));
    for package in ["clap", "indicatif", "minijinja", "plotters"] {
        let named = format!("name = \"{package}\"\n");
        assert!(!lock.contains(&named), "{package}");
    }
}
