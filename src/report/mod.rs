//! Finds in words: the few lines a person reads first, fit to be printed. As a page:
//! [`crate::report::html`].

#[cfg(feature = "cli")]
pub mod difference;
#[cfg(feature = "cli")]
pub(crate) mod heap_map;
#[cfg(feature = "cli")]
pub mod html;
#[cfg(feature = "cli")]
pub mod junit;
pub mod listing;
#[cfg(feature = "cli")]
pub(crate) mod picture;
#[cfg(feature = "cli")]
pub mod reproducer;
#[cfg(feature = "cli")]
pub mod sarif;
#[cfg(feature = "cli")]
pub(crate) mod table;
#[cfg(feature = "cli")]
pub(crate) mod xml;

use harness::declaration::Declaration;
use harness::trace::Trace;

use crate::oracle::judge::{Finding, Verdict};
use crate::wording::Words;
use crate::wording::printable::printable;

/// A verdict on one line.
#[must_use]
pub fn one_line(declaration: &Declaration, verdict: &Verdict) -> String {
    let subject = declaration.name;
    match verdict.finding() {
        None => format!("{subject}: agree"),
        Some(finding) => {
            let (verdict, rule, op) = (verdict.name(), finding.rule(), finding.op);
            let kind = finding.kind.name();
            let words = Words::of(&finding.violation, declaration.unit);
            let line = format!("{subject}: {verdict}: {rule} at op {op} ({kind}): {words}");
            printable(&line).into_owned()
        }
    }
}

/// A find as a bug report: the rule, the op, the two sides, and the trace.
#[must_use]
pub fn finding(declaration: &Declaration, trace: &Trace, finding: &Finding) -> String {
    let (subject, rule, op) = (declaration.name, finding.rule(), finding.op);
    let kind = finding.kind.name();
    let Words { expected, observed } = Words::of(&finding.violation, declaration.unit);
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
    use crate::oracle::violation::Violation;
    use crate::run::fault::Panic;
    use harness::geometry::Geometry;
    use harness::op::{Op, OpKind};

    #[test]
    fn a_panic_message_does_not_reach_the_terminal_as_it_is() {
        let trace = Trace {
            geometry: Geometry::published(),
            ops: vec![Op::Table],
        };
        let broken = Finding {
            violation: Violation::Panic(Panic::saying("\u{1b}]0;gone\u{7}")),
            op: 0,
            kind: OpKind::Table,
        };
        let subject = Declaration::new("broken");
        let texts = [
            finding(&subject, &trace, &broken),
            one_line(&subject, &Verdict::Crash(broken)),
        ];
        for text in texts {
            assert!(text.contains("\\u{1b}]0;gone\\u{7}"), "{text}");
            assert!(!text.contains('\u{1b}'), "{text}");
        }
    }
}
