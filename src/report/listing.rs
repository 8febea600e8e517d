//! A trace as people read it: ops with their numbers and, after a run, what each did and the
//! table it left. Every addition is a comment, so that a listing is itself a trace.

use std::fmt::Write;

use harness::text::write_op;
use harness::trace::Trace;

use crate::execute::guest::CountedRun;
use crate::run::Run;
use crate::wording::counted::counted;
use crate::wording::{ended, memory, outcome};

/// Lines of one table that are shown: enough for any heap a person reads.
const TABLE_LINES_MAX: usize = 40;

/// What begins a line that is added.
pub(crate) const COMMENT: &str = "#   ";

/// The ops of a trace, each with its number.
#[must_use]
pub fn of_trace(trace: &Trace) -> String {
    list(trace, None, &[], &mut |_, _| {})
}

/// The ops of a trace, each with its number, its outcome, and the table printed after it.
#[must_use]
pub fn of_run(trace: &Trace, run: &Run) -> String {
    with(trace, run, &mut |text, index| {
        let tables = run.tables.iter().filter(|(op, _)| *op == index);
        tables.for_each(|(_, table)| write_table(text, table));
    })
}

/// The ops of a trace, each with its number, its outcome, and what `add` writes after it.
pub(crate) fn with(trace: &Trace, run: &Run, add: Add<'_>) -> String {
    list(trace, Some(run), &[], add)
}

/// The ops of a trace, each with its number, its outcome and its cost.
#[must_use]
pub fn of_costs(trace: &Trace, counted: &CountedRun) -> String {
    list(trace, Some(&counted.run), &counted.costs, &mut |_, _| {})
}

/// Writes what follows the op of this number.
type Add<'a> = &'a mut dyn FnMut(&mut String, usize);

fn list(trace: &Trace, run: Option<&Run>, costs: &[u64], add: Add<'_>) -> String {
    let mut text = format!("{}\nheap {}\n", harness::text::FIRST_LINE, trace.geometry);
    let mut issued = 0;
    for (index, op) in trace.ops.iter().enumerate() {
        let mut line = String::new();
        // Writing to a string cannot fail.
        let _ = write_op(&mut line, op, &mut issued);
        let did = run.and_then(|run| did(run, index));
        let cost = costs
            .get(index)
            .map(|&cost| format!("; {}", counted(cost, "instruction")));
        let cost = cost.unwrap_or_default();
        let _ = match did {
            Some(did) => writeln!(text, "{line:<32} # {index}: {did}{cost}"),
            None => writeln!(text, "{line:<32} # {index}"),
        };
        add(&mut text, index);
    }
    text
}

/// What the op did; `None` if the run ended before it.
pub(crate) fn did(run: &Run, index: usize) -> Option<String> {
    match run.observations.get(index) {
        Some(observation) => {
            let mut did = vec![outcome(observation.outcome)];
            did.extend(memory(observation.contents.into()));
            Some(did.join("; "))
        }
        None if index == run.observations.len() => Some(ended(&run.end).to_owned()),
        None => None,
    }
}

pub(crate) fn write_table(text: &mut String, table: &str) {
    for line in table.lines().take(TABLE_LINES_MAX) {
        let _ = writeln!(text, "{COMMENT}{line}");
    }
    let rest = table.lines().count().saturating_sub(TABLE_LINES_MAX);
    if rest > 0 {
        let _ = writeln!(text, "{COMMENT}... and {}", counted(rest, "more line"));
    }
}
