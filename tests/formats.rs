//! What other programs read of a replay: valid in its format, whatever the traces are called, and
//! telling the same runs as the table for people.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use testkit::command_line::{command, ended, file};
use testkit::root;

/// Replays the regressions and one more trace, and returns the exit code and the output.
fn replay(options: &str, trace: &str) -> (i32, String) {
    let line = format!("replay qemu-tests/regressions {options}");
    let mut replay = command(env!("CARGO_BIN_EXE_kmem-rig"), &line);
    let (code, text, _) = ended(replay.arg(trace).output());
    (code, text)
}

/// A trace whose name is markup and more, and which expects what does not happen.
fn hostile(folder: &Path) -> String {
    let trace = "# kmem-rig trace v1\n# kmem-rig\nexpect kmem-2019 agree\nexpect kmem crash\n\
                 heap 64 pages\na0 = alloc 8\n\na1 = alloc 24 align 64\n";
    file(folder, "a<b>&\"c'\u{1b}[31m\n.trace", trace)
}

fn attribute(line: &str, name: &str) -> String {
    let (_, behind) = line.split_once(&format!(" {name}=\"")).expect(name);
    behind.split_once('"').unwrap().0.to_owned()
}

#[test]
fn junit_is_valid_whatever_traces_are_called_and_counts_what_the_summary_counts() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = hostile(folder.path());
    let (code, xml) = replay("--on host,qemu --format junit", &hostile);
    assert_eq!(code, 1);
    let report = file(folder.path(), "report.xml", &xml);
    let checked = Command::new("xmllint")
        .args(["--noout", "--schema"])
        .arg(root().join("tests/junit.xsd"))
        .arg(&report)
        .output()
        .expect("xmllint: apt-get install libxml2-utils");
    assert!(checked.status.success(), "{checked:?}");

    let (_, lines) = replay("--on host --format json", &hostile);
    let summary: Value = serde_json::from_str(lines.lines().last().unwrap()).unwrap();
    let summary = &summary["summary"];
    let all = xml.lines().nth(1).unwrap();
    let twice = |key: &str| (2 * summary[key].as_u64().unwrap()).to_string();
    assert_eq!(attribute(all, "tests"), twice("runs"));
    assert_eq!(attribute(all, "failures"), twice("unexpected"));
    let count = |what: &str| xml.matches(what).count().to_string();
    assert_eq!(count("\n  <testsuite "), summary["traces"].to_string());
    assert_eq!(count("\n    <testcase "), twice("runs"));
    assert_eq!(count("\n      <failure "), twice("unexpected"));
    assert!(!xml.contains('\u{1b}') && xml.contains("a&lt;b&gt;&amp;&quot;c'\u{fffd}[31m&#10;"));
    let told = "<failure type=\"misaligned\" message=\"diverge misaligned at 1\">the trace expects: \
                kmem-2019 agree&#10;expected: an offset that is a multiple of 64&#10;observed: a1 \
                at 0x18&#10;</failure>";
    assert!(xml.contains(told), "{xml}");
    let other = "<failure type=\"agree\" message=\"agree\">the trace expects: kmem crash&#10;";
    assert!(xml.contains(other), "{xml}");
}

#[test]
fn sarif_has_a_result_for_each_find_at_the_line_of_its_op() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = hostile(folder.path());
    let (code, log) = replay("--on host --format sarif", &hostile);
    assert_eq!(code, 1);
    let log: Value = serde_json::from_str(&log).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    assert_eq!(log["version"], "2.1.0");
    assert!(text(&log["$schema"]).ends_with("sarif-2.1.0.json"));
    let [run] = log["runs"].as_array().unwrap().as_slice() else {
        panic!("one run");
    };
    let driver = &run["tool"]["driver"];
    assert_eq!(driver["name"], "kmem-rig");
    let rules = driver["rules"].as_array().unwrap();
    assert_eq!(rules.len(), kmem_rig::rules::Rule::ALL.len() + 1);
    for rule in rules {
        assert!(text(&rule["shortDescription"]["text"]).ends_with('.'));
    }
    let results = run["results"].as_array().unwrap();
    for result in results {
        let index = result["ruleIndex"].as_u64().unwrap() as usize;
        assert_eq!(rules[index]["id"], result["ruleId"]);
        assert!(text(&result["message"]["text"]).contains(" on host: "));
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
    let evidence = json!({
        "rule": "misaligned", "block": { "handle": 1, "offset": 24, "size": 24 }, "align": 64,
    });
    assert_eq!(errors[0]["properties"]["evidence"], evidence);
    assert_eq!(told(1), ("unexpected-verdict", None));
    let message = &errors[1]["message"]["text"];
    let said = "kmem on host: agree; the trace expects: kmem crash";
    assert_eq!(message, said);
    assert!(results.len() > 15, "{}", results.len());
}
