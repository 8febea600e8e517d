//! What a hunt prints, and when it ends.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use testkit::command_line::{command, ended};
use testkit::kmem_rig;

#[test]
fn a_hunt_ends_with_the_first_find_that_cannot_be_told() {
    let hunt = |options: &str, stdout: Stdio| {
        let began = Instant::now();
        let line = format!("hunt --subject kmem-2019 --seed 1 --time 600s {options}");
        let mut child = command(env!("CARGO_BIN_EXE_kmem-rig"), &line)
            .stdout(stdout)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A pipe that nobody reads.
        drop(child.stdout.take());
        let (code, _, errors) = ended(child.wait_with_output());
        let took = began.elapsed();
        assert!(took < Duration::from_secs(60), "{options}: {took:?}");
        (code, errors)
    };
    let full = fs::File::create("/dev/full").unwrap();
    let (code, errors) = hunt("", full.into());
    assert!(code == 2 && errors.contains("No space left"), "{errors}");
    let (code, errors) = hunt("--format json", Stdio::piped());
    assert_eq!((code, errors.as_str()), (0, ""));
    let (code, errors) = hunt("--out /proc/finds", Stdio::null());
    let told = "cannot write /proc/finds";
    assert!(code == 2 && errors.contains(told), "{errors}");
}

#[test]
fn the_json_of_a_hunt_is_the_interface() {
    let line = "hunt --subject kmem-2019 --seed 1 --execs 300 --format json";
    let (code, lines, _) = kmem_rig!("{line}");
    assert_eq!(code, 1);
    let mut rules = Vec::new();
    for line in lines.lines() {
        let value: serde_json::Value = serde_json::from_str(line).unwrap();
        if let Some(finding) = value.get("finding") {
            let keys =
                "subject rule op evidence ops trace execs elapsed_ms sighted_us confirmed minimal";
            for key in keys.split(' ') {
                assert!(finding.get(key).is_some(), "{key} in {line}");
            }
            assert!(finding["ops"].as_u64().unwrap() <= 5, "{line}");
            rules.push(finding["rule"].as_str().unwrap().to_owned());
        } else {
            let summary = &value["summary"];
            assert_eq!(summary["execs"], 300);
            assert_eq!(summary["findings"], rules.len());
        }
    }
    for rule in ["misaligned", "unmerged", "impossible-success"] {
        assert!(rules.iter().any(|found| found == rule), "{rules:?}");
    }
}

#[test]
fn a_hunt_in_which_no_case_ran_is_no_success() {
    let (code, _, errors) = kmem_rig!("hunt --subject kmem --execs 0");
    assert_eq!(code, 2, "{errors}");
    assert!(errors.contains("no case of kmem has run"), "{errors}");
}
