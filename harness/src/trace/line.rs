//! The lines of a trace's text, written without memory: what a kernel prints and a person reads.

use core::fmt;

use crate::trace::op::{Handle, Op};

/// The first line of every trace.
pub const FIRST_LINE: &str = "# kmem-rig trace v1";
/// What it starts with in any version.
pub const FIRST_LINE_START: &str = "# kmem-rig trace";

/// How a trace's line starts on a console that others write to as well.
pub const MARK: &str = "trace| ";
/// How it ends there: a line that lost its end is told from one that has it.
pub const END_MARK: &str = " |";

/// Writes one op; `issued` counts the handles of the trace so far.
///
/// # Errors
/// Only the writer's.
pub fn write_op(out: &mut dyn fmt::Write, op: &Op, issued: &mut u32) -> fmt::Result {
    match *op {
        Op::Alloc {
            size,
            align,
            zeroed,
        } => {
            let call = if zeroed { "alloc_zeroed" } else { "alloc" };
            write!(out, "{} = {call} {size}", Handle(*issued))?;
            *issued += 1;
            align.map_or(Ok(()), |align| write!(out, " align {}", align.bytes()))
        }
        Op::Realloc { handle, size } => write!(out, "realloc {handle} {size}"),
        Op::Free { handle } => write!(out, "free {handle}"),
        Op::FreeAll => out.write_str("free all"),
        Op::Table => out.write_str("table"),
        Op::Capacity => out.write_str("capacity"),
        Op::FreeInterior { handle, offset } => write!(out, "free {handle} + {offset}"),
        Op::FreeWild { offset } => write!(out, "free heap + {offset:#x}"),
        Op::FreeNull => out.write_str("free null"),
        Op::Write {
            handle,
            offset,
            length,
        } => write!(out, "write {handle} + {offset} {length}"),
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a{}", self.0)
    }
}
