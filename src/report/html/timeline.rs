//! The heap over time: a lane for the model and one for each side, ops from left to right,
//! addresses from bottom to top, a rectangle for every block.

use std::ops::Range;

use harness::declaration::Declaration;
use harness::op::Handle;
use harness::trace::Trace;
use serde::Serialize;

use super::scale::Scale;
use super::spans::{self, Span};
use crate::regression::replay::{Judged, Side};
use crate::wording;

/// Room for the addresses at the left, in pixels, as all below.
const LEFT: f64 = 84.0;
/// What the ops share as long as each gets its least; it is wide enough for the lanes' headings.
const OPS: f64 = 1040.0;
/// The least and the most width of an op's column.
const COLUMN: (f64, f64) = (26.0, 160.0);
/// A lane's height without its heading.
const LANE: f64 = 168.0;
/// Its heading's.
const HEADING: f64 = 30.0;
/// The numbers of the ops, above all lanes.
const NUMBERS: f64 = 24.0;
/// Below this height a block can hardly be seen, or hit.
const BLOCK_MIN: f64 = 3.0;
/// How far addresses must be apart to be read.
const ADDRESS: f64 = 13.0;
/// The least height of a block that its label fits into, and the width of a character of it.
const LABEL: (f64, f64) = (10.0, 6.2);

/// Everything that is drawn, in pixels.
#[derive(Serialize)]
pub(super) struct Timeline {
    width: f64,
    height: f64,
    left: f64,
    /// Where the lanes begin.
    top: f64,
    column: f64,
    /// The op in the first column.
    first: usize,
    columns: Vec<Column>,
    lanes: Vec<Lane>,
    /// Whether distances between addresses are true.
    linear: bool,
}

#[derive(Serialize)]
struct Column {
    op: usize,
    x: f64,
    broken: bool,
}

#[derive(Serialize)]
struct Lane {
    /// `model`, `host` or `qemu`.
    name: &'static str,
    /// What it shows.
    shows: &'static str,
    y: f64,
    height: f64,
    ticks: Vec<Tick>,
    blocks: Vec<Drawn>,
}

#[derive(Serialize)]
struct Tick {
    y: f64,
    text: String,
}

#[derive(Serialize)]
struct Drawn {
    x: f64,
    y: f64,
    width: f64,
    height: f64,
    /// What fits inside.
    label: String,
    /// All that is known of it.
    told: String,
    /// Placed by the broken op.
    broken: bool,
}

impl Timeline {
    /// Draws the ops of `shown`, of which `broken` is the one that broke a rule.
    pub(super) fn new(
        declaration: &Declaration,
        trace: &Trace,
        judged: &[Judged],
        broken: usize,
        shown: Range<usize>,
    ) -> Self {
        let column = px(OPS / shown.len() as f64).clamp(COLUMN.0, COLUMN.1);
        let bytes = trace.geometry.bytes();
        let lanes = blocks(declaration, trace, judged, broken);
        let scale = Scale::new(places(&lanes, bytes, &shown));
        let x = |op: usize| LEFT + column * (op - shown.start) as f64;
        let lanes: Vec<_> = lanes
            .into_iter()
            .enumerate()
            .map(|(index, lane)| {
                let y = NUMBERS + HEADING + (LANE + HEADING) * index as f64;
                let up = |place: i64| y + LANE * (1.0 - scale.height(place));
                let visible = lane.spans.iter().filter(|span| span.is_within(&shown));
                let drawn = visible.map(|span| {
                    let from = x(span.ops.start.max(shown.start));
                    let width = x(span.ops.end.min(shown.end)) - from;
                    let drawn = span.drawn(bytes);
                    let low = up(drawn.start);
                    let height = (low - up(drawn.end)).max(BLOCK_MIN);
                    Drawn {
                        x: px(from + 1.0),
                        y: px(low - height),
                        width: px(width - 2.0),
                        height: px(height),
                        label: label(span, width, height),
                        told: told(span, declaration.unit),
                        broken: span.ops.start == broken,
                    }
                });
                let ticks = scale
                    .ticks(ADDRESS / LANE)
                    .into_iter()
                    .map(|(place, _)| Tick {
                        y: px(up(place)),
                        text: wording::offset(declaration.unit, place),
                    });
                Lane {
                    name: lane.name,
                    shows: lane.shows,
                    y,
                    height: LANE,
                    blocks: drawn.collect(),
                    ticks: ticks.collect(),
                }
            })
            .collect();
        Self {
            width: x(shown.end).max(LEFT + OPS) + 12.0,
            height: NUMBERS + (LANE + HEADING) * lanes.len() as f64 + 10.0,
            left: LEFT,
            top: NUMBERS,
            column,
            first: shown.start,
            columns: shown
                .clone()
                .map(|op| Column {
                    op,
                    x: x(op),
                    broken: op == broken,
                })
                .collect(),
            lanes,
            linear: scale.linear,
        }
    }
}

/// To a tenth of a pixel: nobody sees more, and digits cost room.
fn px(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}

/// As much as there is room for: handle and size, the handle, or nothing.
fn label(span: &Span, width: f64, height: f64) -> String {
    let Handle(handle) = span.handle;
    let texts = [format!("a{handle} {} B", span.size), format!("a{handle}")];
    let fits = |text: &String| height >= LABEL.0 && LABEL.1 * text.len() as f64 + 6.0 <= width;
    texts.into_iter().find(fits).unwrap_or_default()
}

fn told(span: &Span, unit: u64) -> String {
    let block = wording::sized_block(unit, span.handle, span.offset, span.size);
    let to = span.offset.checked_add_unsigned(span.size);
    let to = to.map(|to| format!(", up to {}", wording::offset(unit, to)));
    format!(
        "{block}{}, from op {}",
        to.unwrap_or_default(),
        span.ops.start
    )
}

/// Where blocks begin and end, and the heap.
fn places(lanes: &[Blocks], heap: u64, shown: &Range<usize>) -> Vec<i64> {
    let spans = lanes.iter().flat_map(|lane| &lane.spans);
    let visible = spans.filter(|span| span.is_within(shown));
    visible
        .map(|span| span.drawn(heap))
        .flat_map(|drawn| [drawn.start, drawn.end])
        .chain([0, heap.cast_signed()])
        .collect()
}

/// What one lane shows.
struct Blocks {
    name: &'static str,
    shows: &'static str,
    spans: Vec<Span>,
}

fn blocks(
    declaration: &Declaration,
    trace: &Trace,
    judged: &[Judged],
    broken: usize,
) -> Vec<Blocks> {
    let model = judged.first().map(|first| {
        let observed = &first.run.observations;
        match declaration.policy {
            Some(policy) => Blocks {
                name: "model",
                shows: "where the declared policy places blocks, up to the broken op",
                spans: spans::by_policy(policy, trace, observed, broken),
            },
            None => Blocks {
                name: "model",
                shows: "no policy declared: what the client holds, as observed before the broken op",
                spans: spans::observed(trace, &observed[..broken.min(observed.len())]),
            },
        }
    });
    let sides = judged.iter().map(|judged| Blocks {
        name: judged.on.name(),
        shows: match judged.on {
            Side::Host => "where blocks were placed on this machine",
            Side::Qemu => "where blocks were placed in the riscv64 guest",
        },
        spans: spans::observed(trace, &judged.run.observations),
    });
    model.into_iter().chain(sides).collect()
}
