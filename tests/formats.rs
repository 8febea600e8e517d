//! What other programs read of a replay: valid in its format, whatever the traces are called, and
//! telling the same runs as the table for people.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use qemu_tests::root;
use serde_json::Value;

const REGRESSIONS: &str = "qemu-tests/regressions";

fn replay(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_kmem-rig"))
        .arg("replay")
        .args(arguments)
        .current_dir(root())
        .output()
        .unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

/// A trace whose name is markup and more, and which expects what does not happen.
fn hostile(folder: &Path) -> String {
    let path = folder.join("a<b>&\"c'\u{1b}[31m\n.trace");
    let trace = "# kmem-rig trace v1\n# kmem-rig\nexpect kmem-2019 agree\nexpect kmem crash\n\
                 heap 64 pages\na0 = alloc 8\n\na1 = alloc 24 align 64\n";
    fs::write(&path, trace).unwrap();
    path.to_str().unwrap().to_owned()
}

fn attribute(line: &str, name: &str) -> String {
    let (_, behind) = line.split_once(&format!(" {name}=\"")).expect(name);
    behind.split_once('"').unwrap().0.to_owned()
}

#[test]
fn junit_is_valid_whatever_traces_are_called_and_counts_what_the_summary_counts() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = hostile(folder.path());
    let ran = replay(&[
        REGRESSIONS,
        &hostile,
        "--on",
        "host,qemu",
        "--format",
        "junit",
    ]);
    assert_eq!(ran.status.code(), Some(1));
    let report = folder.path().join("report.xml");
    fs::write(&report, &ran.stdout).unwrap();
    let checked = Command::new("xmllint")
        .args(["--noout", "--schema"])
        .arg(root().join("tests/junit.xsd"))
        .arg(&report)
        .output()
        .expect("xmllint: apt-get install libxml2-utils");
    let said = text(checked.stderr);
    assert!(checked.status.success(), "{said}");

    let xml = text(ran.stdout);
    let lines = replay(&[REGRESSIONS, &hostile, "--on", "host", "--format", "json"]);
    let lines = text(lines.stdout);
    let summary: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let summary = &summary["summary"];
    let all = xml.lines().nth(1).unwrap();
    let twice = |key: &str| (2 * summary[key].as_u64().unwrap()).to_string();
    assert_eq!(attribute(all, "tests"), twice("runs"));
    assert_eq!(attribute(all, "failures"), twice("unexpected"));
    let starts = |what: &str| {
        xml.lines()
            .filter(|line| line.trim().starts_with(what))
            .count()
    };
    assert_eq!(
        starts("<testsuite ").to_string(),
        summary["traces"].to_string()
    );
    assert_eq!(starts("<testcase ").to_string(), twice("runs"));
    assert_eq!(starts("<failure ").to_string(), twice("unexpected"));
    assert!(!xml.contains('\u{1b}') && xml.contains("a&lt;b&gt;&amp;&quot;c'\u{fffd}[31m&#10;"));
    let told = "<failure type=\"misaligned\" message=\"diverge misaligned at 1\">the trace expects: \
                kmem-2019 agree&#10;expected: an offset that is a multiple of 64&#10;observed: a1 at \
                0x18&#10;</failure>";
    assert!(xml.contains(told), "{xml}");
    let other = "<failure type=\"agree\" message=\"agree\">the trace expects: kmem crash&#10;";
    assert!(xml.contains(other), "{xml}");
}

#[test]
fn sarif_has_a_result_for_each_find_at_the_line_of_its_op() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = hostile(folder.path());
    let ran = replay(&[REGRESSIONS, &hostile, "--on", "host", "--format", "sarif"]);
    assert_eq!(ran.status.code(), Some(1));
    let log: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert_eq!(log["version"], "2.1.0");
    assert!(
        log["$schema"]
            .as_str()
            .unwrap()
            .ends_with("sarif-2.1.0.json")
    );
    let [run] = log["runs"].as_array().unwrap().as_slice() else {
        panic!("one run");
    };
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "kmem-rig");
    let rules = driver["rules"].as_array().unwrap();
    assert_eq!(rules.len(), kmem_rig::rules::Rule::ALL.len() + 1);
    for rule in rules {
        assert!(
            rule["shortDescription"]["text"]
                .as_str()
                .unwrap()
                .ends_with('.')
        );
    }
    let results = run["results"].as_array().unwrap();
    for result in results {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(
            result["message"]["text"]
                .as_str()
                .unwrap()
                .contains(" on host: ")
        );
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        let legal = |c: char| c.is_ascii_alphanumeric() || "-._~/%:".contains(c);
        assert!(uri.chars().all(legal), "{uri}");
        if result["level"] == "note" {
            // A kept regression: its op stands on the line named.
            let lines = fs::read_to_string(root().join(uri)).unwrap();
            let line = place["region"]["startLine"].as_u64().unwrap() as usize;
            let heap = lines
                .lines()
                .position(|line| line.starts_with("heap"))
                .unwrap();
            let op = result["properties"]["op"].as_u64().unwrap() as usize;
            assert_eq!(line, heap + 2 + op, "{uri}");
        }
    }
    let errors: Vec<_> = results
        .iter()
        .filter(|result| result["level"] == "error")
        .collect();
    let told = |at: usize| {
        let line = &errors[at]["locations"][0]["physicalLocation"]["region"]["startLine"];
        (errors[at]["ruleId"].as_str().unwrap(), line.as_u64())
    };
    assert_eq!(errors.len(), 2);
    // Comments and blank lines count.
    assert_eq!(told(0), ("misaligned", Some(8)));
    assert_eq!(told(1), ("unexpected-verdict", None));
    let message = errors[1]["message"]["text"].as_str().unwrap();
    assert_eq!(
        message,
        "kmem on host: agree; the trace expects: kmem crash"
    );
    assert!(results.len() > 15, "{}", results.len());
}
