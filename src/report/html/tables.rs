//! The table that a subject prints, before and after the broken op, with the lines that differ
//! marked.
//!
//! Of a subject that prints none it is the list of its live blocks.

use std::collections::HashSet;
use std::fmt::Write;

use anyhow::Result;
use harness::declaration::TableForm;
use harness::entry::Entry;
use harness::op::Op;
use harness::trace::{OPS_MAX, Trace};
use serde::Serialize;

use crate::execute::capacity::Measured;
use crate::execute::executor::Executor;
use crate::oracle::model::contract::Contract;
use crate::regression::replay::{Judged, Sides};
use crate::run::{Run, RunOptions};
use crate::wording;
use crate::wording::counted::counted;

/// Lines of one table that are shown.
const LINES_MAX: usize = 60;
/// Lines without a mark that are shown in a row: the rest of them is counted.
const ALIKE_MAX: usize = 6;

/// The table around the broken op.
#[derive(Serialize)]
pub(super) struct Table {
    /// The sides on which it is this one.
    on: Vec<&'static str>,
    /// What is listed.
    what: &'static str,
    before: Vec<Line>,
    /// Empty if the run ended in the op.
    after: Vec<Line>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Line {
    text: String,
    /// The other table has no such line.
    differs: bool,
}

/// The tables of each side around op `op`.
///
/// # Errors
/// When the rig itself cannot do its work.
pub(super) fn around(
    entry: &Entry,
    trace: &Trace,
    op: usize,
    judged: &[Judged],
    sides: &mut Sides<'_>,
) -> Result<Vec<Table>> {
    let mut tables: Vec<Table> = Vec::new();
    for judged in judged {
        let (what, [before, after]) = if entry.declaration.table == TableForm::Nothing {
            let texts = [op, op + 1].map(|ops| live(entry.declaration.unit, trace, judged, ops));
            ("live blocks, as observed, since it prints no table", texts)
        } else {
            let executor = sides.executor(judged.on)?;
            ("the table it prints", printed(entry, trace, op, executor)?)
        };
        let (before, after) = (lines(&before, &after), lines(&after, &before));
        match tables
            .iter_mut()
            .find(|table| table.before == before && table.after == after)
        {
            Some(same) => same.on.push(judged.on.name()),
            None => tables.push(Table {
                on: vec![judged.on.name()],
                what,
                before,
                after,
            }),
        }
    }
    Ok(tables)
}

/// What is printed before and after op `op`, in a run of its own that prints nothing else: the room
/// for texts is bounded. A trace as long as traces get has no room for the two ops, and gets no
/// tables.
fn printed(
    entry: &Entry,
    trace: &Trace,
    op: usize,
    executor: &mut Measured<dyn Executor>,
) -> Result<[String; 2]> {
    let silent = trace.ops.iter().take(op).filter(|op| **op != Op::Table);
    let mut ops: Vec<_> = silent.copied().collect();
    let before = ops.len();
    ops.push(Op::Table);
    // A trace without ops, on a subject that cannot even be made, has no op that breaks a rule.
    ops.extend(
        trace
            .ops
            .get(op)
            .into_iter()
            .flat_map(|&op| [op, Op::Table]),
    );
    if ops.len() > OPS_MAX {
        return Ok([String::new(), String::new()]);
    }
    let geometry = trace.geometry;
    let run = executor.run(entry, &Trace { geometry, ops }, RunOptions::STRICT)?;
    Ok([before, before + 2].map(|index| text_at(&run, index)))
}

fn text_at(run: &Run, index: usize) -> String {
    let found = run.tables.iter().find(|(op, _)| *op == index);
    found.map(|(_, text)| text.clone()).unwrap_or_default()
}

/// The blocks that are live after the first `ops` ops; nothing if the run did not come so far.
fn live(unit: u64, trace: &Trace, judged: &Judged, ops: usize) -> String {
    let mut text = String::new();
    if judged.run.observations.len() < ops {
        return text;
    }
    let mut contract = Contract::new(trace.geometry);
    for (op, observation) in trace.ops.iter().zip(&judged.run.observations).take(ops) {
        contract.apply(op, observation.outcome);
    }
    for block in contract.live() {
        let at = block.offset.cast_signed();
        // Writing to a string cannot fail.
        let _ = writeln!(
            text,
            "{}",
            wording::sized_block(unit, block.handle, at, block.size)
        );
    }
    if contract.is_empty() {
        text.push_str("none");
    }
    text
}

/// The lines of `one`, those marked that `other` has not. Tables list chunks by offset, so no two
/// lines of one are alike; long stretches without a mark are counted instead.
fn lines(one: &str, other: &str) -> Vec<Line> {
    let known: HashSet<_> = other.lines().collect();
    let lines: Vec<_> = one
        .lines()
        .map(|text| Line {
            text: text.to_owned(),
            differs: !known.contains(text),
        })
        .collect();
    let mut shown = Vec::new();
    for stretch in lines.chunk_by(|a, b| a.differs == b.differs) {
        let most = if stretch[0].differs {
            LINES_MAX
        } else {
            ALIKE_MAX
        };
        let take = if stretch.len() > most + 1 {
            most
        } else {
            stretch.len()
        };
        shown.extend(stretch[..take].iter().map(|line| Line {
            text: line.text.clone(),
            ..*line
        }));
        if take < stretch.len() {
            shown.push(Line {
                text: format!("... {}", counted(stretch.len() - take, "more line")),
                differs: stretch[0].differs,
            });
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_the_other_table_has_not_are_marked() {
        let marks = |one: &str, other: &str| -> Vec<_> {
            let lines = lines(one, other).into_iter();
            lines.map(|line| (line.text, line.differs)).collect()
        };
        let line = |text: &str, differs| (text.to_owned(), differs);
        assert_eq!(
            marks("0 8 free\n8 8 taken", "0 16 free\n8 8 taken"),
            [line("0 8 free", true), line("8 8 taken", false)]
        );
        assert_eq!(marks("", "0 16 free"), []);
    }

    #[test]
    fn of_a_long_table_what_is_alike_is_counted() {
        let table: String = (0..20).map(|n| format!("{n}\n")).collect();
        let shown = lines(&table, &table);
        assert_eq!(shown.len(), ALIKE_MAX + 1);
        assert_eq!(shown[ALIKE_MAX].text, "... 14 more lines");
        assert_eq!(
            lines(&table, "").len(),
            20,
            "what differs is what one looks for"
        );
    }
}
