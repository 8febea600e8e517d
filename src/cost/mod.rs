//! What the calls of an allocator cost, in instructions of the counted guest.
//!
//! The figures repeat to the instruction: nothing of the machine is in them, so they need no
//! ratio to be compared, and a snapshot can lock them.

pub mod figure;
mod goals;
mod workload;

use anyhow::{Result, ensure};
use harness::entry::Entry;
use harness::observation::Outcome;
use harness::op::Op;

pub use goals::goals;
pub use workload::{HEAP_PAGES, LIVE, Order, Workload};

use self::figure::{Figure, median};
use crate::execute::guest::Counted;
use crate::execute::host::Host;
use crate::run::{RunEnd, RunOptions};
use crate::wording;

/// Which calls a row is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// An alloc.
    Alloc,
    /// A free.
    Free,
    /// A realloc.
    Realloc,
    /// An alloc and the free behind it, together.
    Pair,
}

impl Call {
    /// Its name in tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Alloc => "alloc",
            Self::Free => "free",
            Self::Realloc => "realloc",
            Self::Pair => "alloc+free",
        }
    }

    fn of(op: &Op) -> Option<Self> {
        match op {
            Op::Alloc { .. } => Some(Self::Alloc),
            Op::Free { .. } => Some(Self::Free),
            Op::Realloc { .. } => Some(Self::Realloc),
            _ => None,
        }
    }
}

/// What one kind of call costs a subject in one workload, in instructions a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The subject's name.
    pub subject: &'static str,
    /// The kind of call.
    pub call: Call,
    /// Blocks live meanwhile.
    pub live: usize,
    /// The order of the calls.
    pub order: Order,
    /// Calls measured: those that were granted.
    pub calls: usize,
    /// Calls that were not, although the heap is large enough for all of them.
    pub refused: usize,
    /// Of the calls measured; none if all were refused.
    pub median: Option<u64>,
    /// Likewise.
    pub max: Option<u64>,
    /// Of the calls measured, all together.
    pub total: u64,
}

impl Cost {
    fn mean(&self) -> f64 {
        self.total as f64 / self.calls.max(1) as f64
    }

    /// Median and maximum as figures.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        let Self {
            subject,
            call,
            live,
            order,
            ..
        } = self;
        let (call, order) = (call.name(), order.name());
        let figure = |(which, value): (_, Option<u64>)| {
            let name = format!("{subject} {call}, {live} live blocks, {order}, {which}");
            Some(Figure::new(name, value? as f64, UNIT))
        };
        let values = [("median", self.median), ("max", self.max)];
        values.into_iter().filter_map(figure).collect()
    }
}

const UNIT: &str = "instructions";

/// Runs a workload on a subject: a row for each kind of call in it.
///
/// # Errors
/// When the rig itself cannot do its work, or the subject does not survive the trace.
pub fn measure(guest: &mut Counted, entry: &Entry, workload: &Workload) -> Result<Vec<Cost>> {
    let counted = guest.run(entry, &workload.trace, RunOptions::FAST)?;
    ensure!(
        counted.run.end == RunEnd::Completed,
        "{} cannot be measured: in the {} trace with {} live blocks it ended so: {}",
        entry.name(),
        workload.order.name(),
        workload.live,
        wording::end(entry.declaration.unit, &counted.run.end)
    );
    let measured = || {
        let ops = workload.trace.ops.iter();
        let outcomes = counted.run.observations.iter().map(|o| o.outcome);
        let counted = ops.zip(outcomes).zip(counted.costs.iter().copied());
        counted.skip(workload.measured_from)
    };
    let of_call = |call| {
        let calls = measured().filter(move |((op, _), _)| Call::of(op) == Some(call));
        calls.map(|((_, outcome), cost)| is_granted(outcome).then_some(cost))
    };
    let row = |call, costs: Vec<Option<u64>>| {
        let granted = || costs.iter().copied().flatten();
        (!costs.is_empty()).then(|| Cost {
            subject: entry.name(),
            call,
            live: workload.live,
            order: workload.order,
            calls: granted().count(),
            refused: costs.len() - granted().count(),
            median: median(granted()),
            max: granted().max(),
            total: granted().sum(),
        })
    };
    let kinds = [Call::Alloc, Call::Free, Call::Realloc];
    let mut rows: Vec<_> = kinds
        .into_iter()
        .filter_map(|call| row(call, of_call(call).collect()))
        .collect();
    if workload.order == Order::Mixed {
        let pairs = of_call(Call::Alloc).zip(of_call(Call::Free));
        let pairs = pairs.map(|(alloc, free)| Some(alloc? + free?));
        rows.extend(row(Call::Pair, pairs.collect()));
    }
    Ok(rows)
}

const fn is_granted(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Placed(_) | Outcome::Done)
}

/// The largest block that can be had at the end of a workload, in bytes. Measured on the host,
/// since a block's size is the same on both sides; each try is a run of its own.
///
/// # Errors
/// When the rig itself cannot do its work.
pub fn largest_at_end(host: &mut Host, entry: &Entry, workload: &Workload) -> Result<u64> {
    let mut trace = workload.trace.clone();
    let last = trace.ops.len();
    let (mut granted, mut refused) = (0, trace.geometry.bytes() + 1);
    while granted + 1 < refused {
        let size = granted + (refused - granted) / 2;
        trace.ops.truncate(last);
        trace.ops.push(Op::Alloc {
            size,
            align: None,
            zeroed: false,
        });
        let run = host.run(entry, &trace, RunOptions::FAST)?;
        match run.observations.get(last).map(|o| o.outcome) {
            Some(Outcome::Placed(_)) => granted = size,
            _ => refused = size,
        }
    }
    Ok(granted)
}

/// The largest blocks at the end of the mixed trace, each against that of the first subject.
#[must_use]
pub fn largest_figures(blocks: &[(&'static str, u64)]) -> Vec<Figure> {
    let Some(&(first, bytes)) = blocks.first() else {
        return Vec::new();
    };
    let own = Figure::new(
        format!("{first} largest block after the mixed trace"),
        bytes as f64,
        "bytes",
    );
    let others = blocks[1..].iter().map(|&(subject, other)| {
        let name = format!("{subject} largest block after the mixed trace : {first}");
        Figure::new(name, other as f64, "bytes").against(bytes as f64)
    });
    std::iter::once(own).chain(others).collect()
}

/// The rows set against each other: what many blocks cost beside few, and what a subject costs
/// beside another on the same trace.
#[must_use]
pub fn ratios(rows: &[Cost]) -> Vec<Figure> {
    let row = |subject, call, order, live| {
        rows.iter().find(move |row| {
            (row.subject, row.call, row.order) == (subject, call, order) && row.live == live
        })
    };
    let mut subjects: Vec<_> = rows.iter().map(|row| row.subject).collect();
    subjects.dedup();
    let mut figures = Vec::new();
    let (few, many) = (LIVE[0], LIVE[LIVE.len() - 1]);
    for &subject in &subjects {
        let free = |live| row(subject, Call::Free, Order::Random, live);
        if let (Some(many), Some(few)) = (free(many), free(few)) {
            figures.push(against(
                format!(
                    "{subject} free, random, {} live blocks : {}",
                    many.live, few.live
                ),
                many,
                few,
            ));
        }
    }
    for (call, order, live) in [
        (Call::Alloc, Order::FarUp, many / 2),
        (Call::Pair, Order::Mixed, 1_000),
    ] {
        let found = subjects.iter().map(|&s| row(s, call, order, live));
        let found: Vec<_> = found.flatten().collect();
        let Some((first, others)) = found.split_first() else {
            continue;
        };
        for other in others {
            let (name, order) = (call.name(), order.name());
            figures.push(against(
                format!("{} {name}, {order} : {}", first.subject, other.subject),
                first,
                other,
            ));
        }
    }
    figures
}

/// By their means, in which every call counts.
fn against(name: String, row: &Cost, other: &Cost) -> Figure {
    Figure::new(name, row.mean(), UNIT).against(other.mean())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(subject: &'static str, call: Call, order: Order, live: usize, total: u64) -> Cost {
        Cost {
            subject,
            call,
            live,
            order,
            calls: 2,
            refused: 0,
            median: Some(total / 2),
            max: Some(total),
            total,
        }
    }

    #[test]
    fn rows_are_set_against_each_other() {
        let rows = [
            row("a", Call::Free, Order::Random, 10, 20),
            row("a", Call::Free, Order::Random, 10_000, 60),
            row("a", Call::Pair, Order::Mixed, 1_000, 100),
            row("b", Call::Free, Order::Random, 10, 20),
            row("b", Call::Pair, Order::Mixed, 1_000, 400),
        ];
        let told: Vec<_> = ratios(&rows)
            .into_iter()
            .map(|figure| (figure.figure, figure.value, figure.ratio))
            .collect();
        assert_eq!(
            told,
            [
                (
                    "a free, random, 10000 live blocks : 10".to_owned(),
                    30.0,
                    Some(3.0)
                ),
                ("a alloc+free, mixed : b".to_owned(), 50.0, Some(0.25)),
            ]
        );
    }

    #[test]
    fn a_figure_is_a_line_of_json_with_nulls() {
        let figures = row("a", Call::Alloc, Order::FarUp, 5_000, 20).figures();
        assert_eq!(
            serde_json::to_string(&figures[0]).unwrap(),
            "{\"figure\":\"a alloc, 5000 live blocks, far-up, median\",\"value\":10.0,\
             \"unit\":\"instructions\",\"ratio\":null,\"goal\":null,\"met\":null}"
        );
    }
}
