//! Violations as values, as JSON and in words, by the examples of docs/formats.md: one of each
//! form.

use std::fs;

use kmem_rig::rules::Rule;
use kmem_rig::violation::Violation;
use kmem_rig::wording::Words;
use testkit::{assert_snapshot, root};

#[test]
fn every_violation_has_evidence_and_words() {
    let page = fs::read_to_string(root().join("docs/formats.md")).unwrap();
    let examples = page.lines().filter(|line| line.starts_with("{\"rule\":"));
    let (mut text, mut rules) = (String::new(), Vec::new());
    for json in examples {
        let violation: Violation = serde_json::from_str(json).expect(json);
        assert_eq!(serde_json::to_string(&violation).unwrap(), json);
        let rule = violation.rule();
        assert!(
            json.starts_with(&format!("{{\"rule\":\"{rule}\"")),
            "{json}"
        );
        rules.push(rule);
        text += &format!("{json}\n");
        let mut before = None;
        // In bytes, and in pages where that makes a difference.
        for unit in [1, 4096] {
            let words = Words::of(&violation, unit);
            let Words { expected, observed } = &words;
            if before.as_ref() != Some(&words) {
                text += &format!("  expected: {expected}\n  observed: {observed}\n");
            }
            before = Some(words);
        }
    }
    rules.dedup();
    assert_eq!(rules, Rule::ALL);
    assert_snapshot("violations", &text);
}
