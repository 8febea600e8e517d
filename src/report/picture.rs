//! A run as a person follows it: after each op a map of the heap and the table it left; where the
//! exact model parts from the subject, its map and the lines that differ.
//!
//! As in [`crate::report::listing`], every addition is a comment.

use std::collections::BTreeSet;
use std::ops::Range;

use harness::declaration::TableForm;
use harness::entry::Entry;
use harness::observation::Outcome;
use harness::op::Op;
use harness::subject::Chunk;
use harness::trace::Trace;

use crate::oracle::model::contract::Contract;
use crate::oracle::model::follower::Follower;
use crate::report::difference::Difference;
use crate::report::heap_map::{LEGEND, Scale, View};
use crate::report::listing::{self, COMMENT};
use crate::report::table;
use crate::run::Run;
use crate::wording::printable::printable;

/// Columns of a map, unless the terminal has fewer.
const WIDTH_MAX: usize = 60;
/// Fewer tell nothing.
const WIDTH_MIN: usize = 16;
/// Columns that are taken beside a map: by the comment's sign, and by what follows a row or its
/// scale.
const BESIDE: usize = COMMENT.len() + 16;

const MODEL: &str = "expected";
const SUBJECT: &str = "observed";

/// What is shown after one op.
struct Frame {
    op: usize,
    table: String,
    view: View,
    /// Set iff this is the first op after which model and table differ.
    parted: Option<(View, Difference)>,
}

/// The ops of a trace, each with its number, its outcome, and the heap after it; a line is no
/// longer than `columns`, as far as that can be helped.
///
/// What a subject printed is escaped.
pub(crate) fn of_run(entry: &Entry, trace: &Trace, run: &Run, columns: usize) -> String {
    let width = columns.saturating_sub(BESIDE).clamp(WIDTH_MIN, WIDTH_MAX);
    let heap = trace.geometry.bytes();
    let frames = frames(entry, trace, run);
    let scales = scales(&frames, heap, width);
    let mut shown = frames.iter().zip(&scales).peekable();
    let mut axis: Option<&Scale> = None;
    listing::with(trace, run, &mut |text, op| {
        while let Some((frame, scale)) = shown.next_if(|(frame, _)| frame.op == op) {
            if axis.is_none() {
                comment(text, LEGEND);
            }
            if axis.replace(scale) != Some(scale) {
                comment(text, &scale.axis());
            }
            write_frame(text, frame, scale);
        }
    })
}

fn write_frame(text: &mut String, frame: &Frame, scale: &Scale) {
    let row = frame.view.row(scale);
    match &frame.parted {
        None => {
            comment(text, &row);
            listing::write_table(text, &printable(&frame.table));
        }
        Some((model, difference)) => {
            comment(text, &format!("{} {MODEL}", model.row(scale)));
            comment(text, &format!("{row} {SUBJECT}"));
            comment(text, "the table, - as the model has it, + as observed:");
            // The sign of a changed line takes the place of a blank of the comment's.
            let lines = difference.lines();
            text.extend(lines.iter().map(|line| format!("# {line}\n")));
        }
    }
}

fn comment(text: &mut String, line: &str) {
    *text += COMMENT;
    *text += line;
    text.push('\n');
}

/// A frame for each table of the run; of a subject that prints none, for each op.
fn frames(entry: &Entry, trace: &Trace, run: &Run) -> Vec<Frame> {
    let (declaration, geometry) = (&entry.declaration, trace.geometry);
    let heap = geometry.bytes();
    let follower = |policy| Follower::new(policy, geometry);
    let mut follower = declaration.policy.map(follower);
    let mut contract = Contract::new(geometry);
    let mut tables = run.tables.iter().peekable();
    let mut frames: Vec<Frame> = Vec::new();
    let mut before: Vec<Chunk> = Vec::new();
    for (index, (op, observation)) in trace.ops.iter().zip(&run.observations).enumerate() {
        let outcome = observation.outcome;
        let freed = freed(&contract, op, outcome, &before);
        contract.apply(op, outcome);
        let stepped = follower.as_mut();
        let placed = stepped.and_then(|follower| follower.step(op, Some(outcome)));
        let printed = tables.next_if(|(at, _)| *at == index);
        let (table, chunks) = match (declaration.table, printed) {
            (TableForm::Nothing, _) => ("", blocks(&contract)),
            (_, None) => continue,
            (form, Some((_, table))) => (table.as_str(), table::chunks(form, table, heap)),
        };
        let view = View {
            chunks,
            live: contract.live().map(|b| (b.handle, b.offset)).collect(),
            placed: match outcome {
                Outcome::Placed(at) => u64::try_from(at).ok(),
                _ => None,
            },
            freed,
        };
        before.clone_from(&view.chunks);
        let parted = follower.as_ref().and_then(|follower| {
            let chunks = follower.chunks();
            let expected = table::with_chunks(declaration.table, table, chunks.chunks());
            let difference = Difference::of(expected, table.to_owned())?;
            let model = View {
                chunks: chunks.chunks().collect(),
                live: follower.live().collect(),
                placed: placed.map(|(_, at)| at),
                freed: Vec::new(),
            };
            Some((model, difference))
        });
        if parted.is_some() {
            // From here on the two are at different heaps.
            follower = None;
        }
        frames.push(Frame {
            op: index,
            table: table.to_owned(),
            view,
            parted,
        });
    }
    frames
}

/// The blocks that clients hold, in the place of a subject's chunks.
fn blocks(contract: &Contract) -> Vec<Chunk> {
    let live = contract.live().filter(|block| block.size > 0);
    let mut chunks: Vec<_> = live
        .map(|block| Chunk {
            offset: block.offset,
            size: block.size,
            taken: true,
        })
        .collect();
    chunks.sort_unstable_by_key(|chunk| chunk.offset);
    chunks
}

/// The chunks, as they were `before`, of the blocks that an op takes from its client.
fn freed(contract: &Contract, op: &Op, outcome: Outcome, before: &[Chunk]) -> Vec<Range<u64>> {
    let given_up: Vec<_> = match (op, outcome) {
        (Op::Free { handle }, Outcome::Done) | (Op::Realloc { handle, .. }, Outcome::Placed(_)) => {
            contract.block(*handle).into_iter().collect()
        }
        (Op::FreeAll, Outcome::Done) => contract.live().collect(),
        _ => Vec::new(),
    };
    let chunk_of = |at: u64| {
        let holds = |chunk: &&Chunk| at >= chunk.offset && at - chunk.offset < chunk.size;
        before.iter().find(holds)
    };
    let chunks = given_up.iter().filter_map(|block| chunk_of(block.offset));
    chunks
        .map(|chunk| chunk.offset..chunk.offset + chunk.size)
        .collect()
}

/// Into how many stretches these cuts divide a heap.
fn stretches(cuts: &BTreeSet<u64>, heap: u64) -> usize {
    1 + cuts.iter().filter(|cut| (1..heap).contains(*cut)).count()
}

/// A scale for each frame: the same for as many frames in a row as lose nothing by that.
fn scales(frames: &[Frame], heap: u64, width: usize) -> Vec<Scale> {
    let mut scales = Vec::with_capacity(frames.len());
    // Of the frames since the latest change: where they are cut, and how many stretches each can
    // bear.
    let (mut cuts, mut most, mut since) = (BTreeSet::new(), usize::MAX, 0);
    for (index, frame) in frames.iter().enumerate() {
        let models = frame.parted.iter().flat_map(|(model, _)| model.cuts());
        let own: BTreeSet<_> = frame.view.cuts().chain(models).collect();
        let both: BTreeSet<_> = cuts.union(&own).copied().collect();
        let [needed, shared] = [&own, &both].map(|cuts| stretches(cuts, heap));
        let bears = Scale::stretches_max(width, needed);
        if shared <= bears.min(most) || since == index {
            (cuts, most) = (both, bears.min(most));
        } else {
            scales.resize(index, Scale::new(heap, &cuts, width));
            (cuts, most, since) = (own, bears, index);
        }
    }
    scales.resize(frames.len(), Scale::new(heap, &cuts, width));
    scales
}
