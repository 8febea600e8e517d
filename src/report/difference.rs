//! Where a subject's table differs from the one that the exact model has, line by line.
//!
//! The rules that compare chunk lists see digests; this is what a person reads beside their
//! findings.

use std::fmt::Write;

use anyhow::Result;
use console::Style;
use harness::declaration::TableForm;
use harness::entry::Entry;
use harness::observation::Observation;
use harness::op::Op;
use harness::trace::{OPS_MAX, Trace};
use similar::{ChangeTag, DiffOp, TextDiff};

use crate::execute::capacity::Measured;
use crate::execute::executor::Executor;
use crate::oracle::model::follower::Follower;
use crate::oracle::rules::Rule;
use crate::report::table;
use crate::run::RunOptions;
use crate::wording::counted::counted;
use crate::wording::printable::printable;

/// Lines that are alike shown around one that is not, once a table is long.
const AROUND: usize = 3;
/// A table that is shown whole has no more lines.
const WHOLE_LINES_MAX: usize = 40;
/// The most lines shown.
const LINES_MAX: usize = 100;

/// Two tables that differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    expected: String,
    observed: String,
}

impl Difference {
    /// The difference between two tables; `None` if there is none.
    #[must_use]
    pub fn of(expected: String, observed: String) -> Option<Self> {
        (expected != observed).then_some(Self { expected, observed })
    }

    /// Line by line: `- ` before what only the model has, `+ ` before what only the subject
    /// printed, two blanks before what both have. In colour if the terminal has it; what a subject
    /// printed is escaped.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let diff = TextDiff::from_lines(&self.expected, &self.observed);
        let is_long = diff.old_slices().len().max(diff.new_slices().len()) > WHOLE_LINES_MAX;
        let groups = diff.grouped_ops(if is_long { AROUND } else { WHOLE_LINES_MAX });
        let mut lines = Vec::new();
        for group in groups {
            if is_long && group.first().is_some_and(|op| op.old_range().start > 0) {
                lines.push("  ...".to_owned());
            }
            lines.extend(group.iter().flat_map(|op| changes(&diff, op)));
        }
        if lines.len() > LINES_MAX {
            let more = counted(lines.len() - LINES_MAX, "more line");
            lines.truncate(LINES_MAX);
            lines.push(format!("  ... and {more}"));
        }
        lines
    }

    /// The lines, indented under what they are.
    #[must_use]
    pub fn told(&self) -> String {
        let mut text = String::from("  the table then, - as the model has it, + as observed:\n");
        for line in self.lines() {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "    {line}");
        }
        text
    }
}

fn changes<'a>(
    diff: &'a TextDiff<'_, '_, '_, str>,
    op: &'a DiffOp,
) -> impl Iterator<Item = String> {
    diff.iter_changes(op).map(|change| {
        let (sign, style) = match change.tag() {
            ChangeTag::Delete => ('-', Style::new().red()),
            ChangeTag::Insert => ('+', Style::new().green()),
            ChangeTag::Equal => (' ', Style::new()),
        };
        let line = format!(
            "{sign} {}",
            printable(change.value().trim_end_matches('\n'))
        );
        style.apply_to(line).to_string()
    })
}

/// The tables right after op `op`, which breaks `rule`, as the model has it and as `executor` runs
/// it; `None` if the rule compares no such two, or there is no difference to be seen.
///
/// # Errors
/// When the rig itself cannot do its work.
pub fn at(
    rule: Rule,
    op: usize,
    entry: &Entry,
    trace: &Trace,
    executor: &mut Measured<dyn Executor>,
) -> Result<Option<Difference>> {
    if !matches!(rule, Rule::Placement | Rule::Table) {
        return Ok(None);
    }
    let mut ops = trace.ops[..=op].to_vec();
    // What is printed before takes room that the last table may need.
    ops.retain(|op| *op != Op::Table);
    ops.push(Op::Table);
    if ops.len() > OPS_MAX {
        return Ok(None);
    }
    let geometry = trace.geometry;
    let trace = Trace { geometry, ops };
    let run = executor.run(entry, &trace, RunOptions::STRICT)?;
    let observed = run.tables.into_iter().next();
    Ok(observed.and_then(|(_, observed)| {
        let expected = expected(entry, &trace, &run.observations, &observed)?;
        Difference::of(expected, observed)
    }))
}

/// The table `observed` as the exact model has it after the ops observed; `None` without a policy.
fn expected(
    entry: &Entry,
    trace: &Trace,
    observations: &[Observation],
    observed: &str,
) -> Option<String> {
    let mut follower = Follower::new(entry.declaration.policy?, trace.geometry);
    for (op, observation) in trace.ops.iter().zip(observations) {
        follower.step(op, Some(observation.outcome));
    }
    let form = entry.declaration.table;
    debug_assert_ne!(form, TableForm::Nothing, "a policy is judged by a table");
    Some(table::with_chunks(
        form,
        observed,
        follower.chunks().chunks(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn difference(expected: &str, observed: &str) -> Difference {
        Difference::of(expected.to_owned(), observed.to_owned()).unwrap()
    }

    #[test]
    fn lines_say_whose_they_are() {
        let lines = difference("a\nb\nc\n", "a\nd\nc\n").lines();
        assert_eq!(lines, ["  a", "- b", "+ d", "  c"]);
        assert_eq!(Difference::of("a".to_owned(), "a".to_owned()), None);
    }

    #[test]
    fn of_long_tables_what_is_around_is_shown() {
        let table = |changed: usize, to: &str| -> String {
            let line = |n| {
                if n == changed {
                    format!("{to}\n")
                } else {
                    format!("{n}\n")
                }
            };
            (0..100).map(line).collect()
        };
        let lines = difference(&table(50, "x"), &table(50, "y")).lines();
        assert_eq!(
            lines,
            [
                "  ...", "  47", "  48", "  49", "- x", "+ y", "  51", "  52", "  53"
            ]
        );
        let long = difference("", &table(0, "x").repeat(3)).lines();
        assert_eq!(long.len(), LINES_MAX + 1);
        assert_eq!(long[LINES_MAX], "  ... and 200 more lines");
    }

    #[test]
    fn what_a_subject_printed_does_not_reach_the_terminal_as_it_is() {
        let told = difference("a\n", "\u{1b}[2Ja\n").told();
        assert!(told.contains("+ \\u{1b}[2Ja\n"), "{told}");
        assert!(!told.contains('\u{1b}'), "{told}");
    }
}
