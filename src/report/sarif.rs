//! Rows as SARIF 2.1.0, what code hosts show beside the lines concerned.
//!
//! One run. Its rules are the rig's and one more, for a verdict that breaks no rule but is not the
//! one the trace expects. A result is a run of a trace that broke a rule or did not come out as
//! expected: an error if it is not as expected, a note if it is, as a kept regression's are. Its
//! place is the op that broke the rule, in the trace's file.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};

use crate::oracle::rules::Rule;
use crate::regression::replay::Row;
use crate::trace::input::{self, Reading};

/// The rule of a run that is not as expected and broke none.
const UNEXPECTED: &str = "unexpected-verdict";

/// The whole log.
///
/// # Errors
/// When a trace can no longer be read.
pub fn log(rows: &[Row], reading: Reading) -> Result<String> {
    let mut rules: Vec<_> = Rule::ALL
        .iter()
        .map(|rule| (rule.name(), rule.meaning()))
        .collect();
    rules.push((
        UNEXPECTED,
        "The verdict is not the one that the trace expects.",
    ));
    let index: BTreeMap<_, _> = rules
        .iter()
        .zip(0..)
        .map(|((id, _), at)| (*id, at))
        .collect();
    let told = rows
        .iter()
        .filter(|row| row.rule.is_some() || !row.passes());
    let results: Result<Vec<_>> = told.map(|row| result(row, reading, &index)).collect();
    let rules: Vec<_> = rules
        .iter()
        .map(|(id, meaning)| json!({ "id": id, "shortDescription": { "text": meaning } }))
        .collect();
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "kmem-rig",
                "version": env!("CARGO_PKG_VERSION"),
                "informationUri": env!("CARGO_PKG_REPOSITORY"),
                "rules": rules,
            } },
            "results": results?,
        }],
    });
    Ok(serde_json::to_string_pretty(&log)? + "\n")
}

fn result(row: &Row, reading: Reading, index: &BTreeMap<&str, usize>) -> Result<Value> {
    let rule = row.rule.unwrap_or(UNEXPECTED);
    let mut text = format!(
        "{} on {}: {}",
        row.subject,
        row.on.name(),
        row.verdict_in_words()
    );
    if let (Some(expected), Some(observed)) = (&row.expected, &row.observed) {
        text += &format!(": expected {expected}, observed {observed}");
    }
    if !row.passes() {
        text += &format!("; the trace expects: {}", row.wanted());
    }
    let mut place = json!({ "artifactLocation": { "uri": uri(&row.trace) } });
    let line = row
        .op
        .map(|op| input::line_of(row.trace.as_ref(), reading, op))
        .transpose()?;
    if let Some(line) = line.flatten() {
        place["region"] = json!({ "startLine": line });
    }
    Ok(json!({
        "ruleId": rule,
        "ruleIndex": index[rule],
        "level": if row.passes() { "note" } else { "error" },
        "message": { "text": text },
        "locations": [{ "physicalLocation": place }],
        "properties": {
            "subject": row.subject, "on": row.on.name(), "op": row.op, "evidence": row.evidence,
        },
    }))
}

/// A path as a URI: with a scheme if it is absolute, else relative to where the rig ran.
fn uri(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                uri.push(byte.into());
            }
            _ => uri += &format!("%{byte:02X}"),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_are_uris() {
        assert_eq!(uri("a b/c:d-1.trace"), "a%20b/c%3Ad-1.trace");
        assert_eq!(uri("/tmp/é"), "file:///tmp/%C3%A9");
    }
}
