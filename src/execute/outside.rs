//! A block outside the heap that a run ended in.
//!
//! A block is judged by where it lies. Where zeroes or a resize are asked for, the subject or its
//! adapter writes into the block before anyone sees where that is, and the run may fault there.
//! Asked for as many bytes and nothing else, the subject tells where it would have put them.

use anyhow::Result;
use harness::observation::Outcome;
use harness::op::Op;
use harness::trace::Trace;

use crate::run::{Run, RunEnd};

/// A run, with the block that its last op was granted if that leaves the heap. To find out, the
/// same ops are run `again`, with a plain request in the place of the last.
pub(crate) fn with_block(
    run: Run,
    trace: &Trace,
    again: impl FnOnce(&Trace) -> Result<Run>,
) -> Result<Run> {
    let (at, geometry) = (run.observations.len(), trace.geometry);
    let plain = trace.ops.get(at).and_then(|op| plain_request(trace, op));
    let Some(plain) = plain.filter(|_| matches!(run.end, RunEnd::Faulted(_))) else {
        return Ok(run);
    };
    let mut ops = trace.ops[..at].to_vec();
    ops.push(plain);
    let asked = again(&Trace { geometry, ops })?;
    let is_same = asked.observations.get(..at) == Some(&run.observations);
    let granted = asked.observations.get(at).map(|seen| seen.outcome);
    match granted {
        Some(Outcome::Placed(_)) if is_same && asked.end == RunEnd::Lost => Ok(Run {
            tables: run.tables,
            ..asked
        }),
        _ => Ok(run),
    }
}

/// The request for as many bytes that writes none; of one for more than the heap has, nothing is
/// judged but whether it is granted.
fn plain_request(trace: &Trace, op: &Op) -> Option<Op> {
    let (size, align) = match *op {
        Op::Alloc {
            size,
            align,
            zeroed: true,
        } => (size, align),
        Op::Realloc { handle, size } => match trace.ops[trace.maker(handle)?] {
            Op::Alloc { align, .. } => (size, align),
            _ => return None,
        },
        _ => return None,
    };
    let zeroed = false;
    (size <= trace.geometry.bytes()).then_some(Op::Alloc {
        size,
        align,
        zeroed,
    })
}
