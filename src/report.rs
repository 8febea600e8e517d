//! Finds in words: the few lines a person reads first.

use harness::trace::Trace;

use crate::judge::{Finding, Verdict};
use crate::listing;
use crate::rules::Rule;

/// A verdict on one line.
#[must_use]
pub fn one_line(subject: &str, verdict: &Verdict) -> String {
    match verdict.finding() {
        None => format!("{subject}: agree"),
        Some(finding) => {
            let Finding {
                rule,
                op,
                kind,
                expected,
                observed,
            } = finding;
            let (verdict, kind) = (verdict.name(), kind.name());
            format!(
                "{subject}: {verdict}: {rule} at op {op} ({kind}): expected {expected}, \
                 observed {observed}"
            )
        }
    }
}

/// What tells a find from others, whichever trace shows it, in the form in which ClusterFuzz compares
/// crash states exactly and not by likeness.
#[must_use]
pub fn key(subject: &str, rule: Rule) -> String {
    format!("FuzzerHash={subject}:{rule}")
}

/// A find as a bug report: the rule, the op, the two sides, and the trace.
#[must_use]
pub fn finding(subject: &str, trace: &Trace, finding: &Finding) -> String {
    let Finding {
        rule,
        op,
        kind,
        expected,
        observed,
    } = finding;
    let kind = kind.name();
    format!(
        "{subject} breaks `{rule}` at op {op} ({kind})\n  expected: {expected}\n  observed: \
         {observed}\n{}",
        indent(&listing::of_trace(trace))
    )
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}
