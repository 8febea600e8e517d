//! The command line as its users meet it: results, exit codes, bad input, and nothing left behind.

mod headers;
mod hunts;
mod inputs;
mod machines;
mod triage;

use std::fs;

use testkit::command_line::file;
use testkit::{assert_snapshot, kmem_rig};

const MISALIGNED: &str = "qemu-tests/regressions/kmem-2019-misaligned-alloc.trace";

#[test]
fn a_slip_in_a_name_is_answered_with_the_right_one() {
    let (code, _, errors) = kmem_rig!("hunt --subject kmem2019");
    assert_eq!(code, 2);
    assert!(errors.contains("did you mean `kmem-2019`?"), "{errors}");
    let (code, _, errors) = kmem_rig!("hunt --until leek");
    assert_eq!(code, 2);
    assert!(errors.contains("did you mean `leak`?"), "{errors}");
    let (code, script, _) = kmem_rig!("completions bash");
    assert_eq!(code, 0);
    assert!(script.contains("kmem-rig"), "{script}");
}

#[test]
fn exit_codes_tell_a_finding_from_an_expected_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let with = |name, header: &str| {
        let ops = "heap 64 pages\na0 = alloc 24 align 64\n";
        let text = format!("# kmem-rig trace v1\n{header}{ops}");
        file(folder.path(), name, text)
    };
    let expected = "expect kmem-2019 diverge misaligned at 0\n";
    let expected = with("expected.trace", expected);
    let other = with("other.trace", "expect kmem-2019 agree\n");
    let silent = with("silent.trace", "");
    for (line, code) in [
        (format!("replay {expected} --on host"), 0),
        (format!("replay {other} --on host"), 1),
        (format!("replay {silent} --on host --subject kmem-2019"), 1),
        (format!("replay {silent} --on host --subject kmem"), 0),
        (format!("minimize {silent} --subject kmem -o /dev/null"), 2),
    ] {
        assert_eq!(kmem_rig!("{line}").0, code, "{line}");
    }
}

#[test]
fn the_json_of_a_replay_is_the_interface() {
    let (code, lines, _) = kmem_rig!("replay {MISALIGNED} --on host,qemu --format json");
    assert_eq!(code, 0);
    assert_snapshot("replay-json", &lines);
}

#[test]
fn an_unwritable_place_is_told_and_nothing_half_written_stays() {
    let folder = tempfile::tempdir().unwrap();
    for place in ["/proc/no/such.trace", "/dev/null/such.trace"] {
        let (code, _, errors) = kmem_rig!("encode {MISALIGNED} -o {place}");
        assert_eq!(code, 2);
        let told = format!("cannot write {place}");
        assert!(errors.contains(&told), "{errors}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_cost_of_a_trace_is_shown_op_by_op_and_repeats() {
    let folder = tempfile::tempdir().unwrap();
    let text = "# kmem-rig trace v1\nheap 64 pages\na0 = alloc 24\ntable\nfree a0\n";
    let path = file(folder.path(), "cost.trace", text);
    let show = || kmem_rig!("show {path} --cost --subject kmem-2019");
    let (code, text, errors) = show();
    assert_eq!(code, 0, "{errors}");
    assert_eq!(show().1, text);
    let costs: Vec<u64> = text
        .lines()
        .filter_map(|line| line.strip_suffix(" instructions")?.rsplit(' ').next())
        .map(|cost| cost.parse().unwrap())
        .collect();
    let [alloc, 0, free] = costs[..] else {
        panic!("{text}");
    };
    let total = format!("# kmem-2019: {} instructions in 3 ops", alloc + free);
    assert_eq!(text.lines().last(), Some(total.as_str()), "{text}");
    let (code, _, errors) = kmem_rig!("show {path} --cost --tables");
    assert!(code == 2 && errors.contains("--tables"), "{errors}");
}

#[test]
fn bench_cost_prints_a_figure_a_line() {
    let (code, text, errors) = kmem_rig!("bench cost --subject rlsf --format json");
    assert_eq!(code, 0, "{errors}");
    let figures: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    for figure in &figures {
        for key in ["figure", "value", "unit", "ratio", "goal", "met"] {
            assert!(figure.get(key).is_some(), "{figure} lacks {key}");
        }
    }
    let named = |name: &str| figures.iter().find(|figure| figure["figure"] == name);
    let row = named("rlsf realloc, 10000 live blocks, fragmented, median").unwrap();
    assert!(row["value"].as_f64() > Some(0.0) && row["unit"] == "instructions");
    let ratio = named("rlsf free, random, 10000 live blocks : 10").unwrap();
    assert!(ratio["ratio"].as_f64() > Some(0.0));
}
