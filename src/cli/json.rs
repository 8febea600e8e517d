//! Lines of `--format json`.

use harness::trace::Trace;
use serde::Serialize;

use crate::oracle::judge::Finding;
use crate::oracle::violation::Violation;

/// An object on a line of its own.
pub(super) fn line(fields: &impl Serialize) -> String {
    serde_json::to_string(fields).expect("strings and numbers are JSON")
}

/// A line that says first what it is.
pub(super) fn tagged(tag: &str, fields: &impl Serialize) -> String {
    format!("{{\"{tag}\":{}}}", line(fields))
}

/// The line of a finding, with what a command knows beside it.
pub(super) fn finding(
    subject: &str,
    finding: &Finding,
    trace: &Trace,
    more: impl Serialize,
) -> String {
    #[derive(Serialize)]
    struct Fields<'a, T> {
        subject: &'a str,
        rule: &'a str,
        op: usize,
        evidence: &'a Violation,
        ops: usize,
        trace: String,
        #[serde(flatten)]
        more: T,
    }
    let fields = Fields {
        subject,
        rule: finding.rule().name(),
        op: finding.op,
        evidence: &finding.violation,
        ops: trace.ops.len(),
        trace: trace.to_string(),
        more,
    };
    tagged("finding", &fields)
}
