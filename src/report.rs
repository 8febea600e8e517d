//! Finds in words: the few lines a person reads first, fit to be printed. As a page: [`crate::page`].

use std::fmt;

use harness::trace::Trace;

use crate::judge::{Finding, Verdict};
use crate::listing;
use crate::printable::printable;
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
            let line = format!(
                "{subject}: {verdict}: {rule} at op {op} ({kind}): expected {expected}, \
                 observed {observed}"
            );
            printable(&line).into_owned()
        }
    }
}

/// What tells a find from others, whichever trace shows it, in the form in which ClusterFuzz compares
/// crash states exactly and not by likeness.
pub struct Key<'a> {
    /// The subject's name.
    pub subject: &'a str,
    /// The broken rule.
    pub rule: Rule,
}

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FuzzerHash={}:{}", self.subject, self.rule)
    }
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
    let text = format!(
        "{subject} breaks `{rule}` at op {op} ({kind})\n  expected: {expected}\n  observed: \
         {observed}\n{}",
        indent(&listing::of_trace(trace))
    );
    printable(&text).into_owned()
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("    {line}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Rule;
    use harness::geometry::Geometry;
    use harness::op::{Op, OpKind};

    #[test]
    fn a_panic_message_does_not_reach_the_terminal_as_it_is() {
        let trace = Trace {
            geometry: Geometry::published(),
            ops: vec![Op::Table],
        };
        let broken = Finding {
            rule: Rule::Panic,
            op: 0,
            kind: OpKind::Table,
            expected: "no panic".to_owned(),
            observed: "\u{1b}]0;gone\u{7}".to_owned(),
        };
        let texts = [
            finding("kmem", &trace, &broken),
            one_line("kmem", &Verdict::Crash(broken)),
        ];
        for text in texts {
            assert!(text.contains("\\u{1b}]0;gone\\u{7}"), "{text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
    }
}
