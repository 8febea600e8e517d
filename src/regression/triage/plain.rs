//! A trace with its calls as plain as they can be.

use harness::op::{Handle, Op};
use harness::trace::Trace;

/// The same calls as plain ones: nothing zeroed, and blocks freed one by one.
pub(super) fn plain(trace: &Trace) -> Trace {
    let mut plain = Trace::new(trace.geometry);
    let mut live = Vec::new();
    let mut issued = 0;
    for op in &trace.ops {
        match *op {
            Op::Alloc { size, align, .. } => {
                live.push(Handle(issued));
                issued += 1;
                let zeroed = false;
                plain.ops.push(Op::Alloc {
                    size,
                    align,
                    zeroed,
                });
            }
            Op::Free { handle } => {
                live.retain(|&other| other != handle);
                plain.ops.push(*op);
            }
            Op::FreeAll => {
                plain
                    .ops
                    .extend(live.drain(..).map(|handle| Op::Free { handle }));
            }
            other => plain.ops.push(other),
        }
    }
    plain
}
