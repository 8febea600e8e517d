//! Whether an adapter does what it declares, as far as a few calls on fresh heaps tell.
//!
//! An adapter that is wrong looks like an allocator that is: one that grants nothing agrees with every
//! model, and one that hands its allocator another region breaks a rule at each op. So a binary's
//! own subjects are tried before a command runs them, and what is amiss is said of the adapter.

use anyhow::{Result, bail};
use harness::declaration::TableForm;
use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::observation::Outcome;
use harness::op::{Handle, Op};
use harness::trace::Trace;

use crate::executor::Executor;
use crate::run::{Run, RunEnd, RunOptions};
use crate::wording;

/// What every allocator grants on a fresh heap, in bytes.
const SIZE: u64 = 8;

/// Tries a subject on the smallest heap that it declares, which may hold its lists and no more, and
/// on one of the usual size.
///
/// # Errors
/// When its adapter or its declaration is wrong; the message names the subject, and says what
/// was done, what came of it, and what to look at.
pub fn check(entry: &Entry, executor: &mut dyn Executor) -> Result<()> {
    let needs = entry.declaration.region;
    let least = needs.bytes_min.max(Geometry::BYTES_MIN);
    let of = |bytes: u64| Geometry::from_bytes(bytes.next_multiple_of(needs.bytes_multiple));
    let usual = least.max(Geometry::published().bytes());
    let (Some(smallest), Some(usual)) = (of(least), of(usual)) else {
        let (least, multiple) = (needs.bytes_min, needs.bytes_multiple);
        bail!(
            "the adapter of `{}` declares that it needs {least} bytes, a multiple of {multiple}: \
             the largest heap there is has {}",
            entry.name(),
            Geometry::BYTES_MAX
        );
    };
    check_on(entry, smallest, true, executor)?;
    // What does not survive a larger heap than it says it needs is the allocator: for a hunt to find.
    check_on(entry, usual, usual == smallest, executor)
}

/// `adapters_fault`: whether the adapter is to blame for a call that the subject does not survive.
fn check_on(
    entry: &Entry,
    geometry: Geometry,
    adapters_fault: bool,
    executor: &mut dyn Executor,
) -> Result<()> {
    let name = entry.name();
    let amiss = |what: &str, hint: &str| {
        bail!("the adapter of `{name}`, given a fresh heap of {geometry}, {what}: {hint}")
    };
    let mut run = |ops| {
        let trace = Trace { geometry, ops };
        executor.run(entry, &trace, RunOptions::STRICT)
    };

    let made = run(vec![])?;
    if let Some(end) = bad_end(entry, &made) {
        if !adapters_fault {
            return Ok(());
        }
        return amiss(
            &format!("fails in its constructor with a {end}"),
            "if it needs more memory or zeroed memory, declare `region_at_least` or `region_zeroed`",
        );
    }
    let alloc = Op::Alloc {
        size: SIZE,
        align: None,
        zeroed: false,
    };
    let first = run(vec![alloc, Op::Free { handle: Handle(0) }])?;
    let answers: Vec<_> = first.observations.iter().map(|o| o.outcome).collect();
    match answers.first() {
        Some(Outcome::Null) if geometry >= Geometry::published() => {
            return amiss(
                &format!("grants no block of {SIZE} bytes"),
                "does it hand the region to the allocator? If that is too small, declare \
                 `region_at_least`",
            );
        }
        Some(&Outcome::Placed(offset)) if !inside(geometry, offset) => {
            return amiss(
                &format!("grants a first block that lies outside, {offset} bytes from its start"),
                "does it hand the region to the allocator?",
            );
        }
        _ => {}
    }
    if let Some(end) = bad_end(entry, &first) {
        if !adapters_fault {
            return Ok(());
        }
        let call = ["alloc", "free"][answers.len().min(1)];
        return amiss(
            &format!("ends its first {call} with a {end}"),
            "does its allocator work at all when it is used so?",
        );
    }
    if answers.get(1) == Some(&Outcome::Refused) {
        return amiss(
            "refuses to free its first block",
            "does `free` pass the pointer on as `alloc` returned it?",
        );
    }
    let listed = first.observations.iter().all(|o| o.walk.is_some());
    if entry.declaration.table != TableForm::Nothing && !listed {
        return amiss(
            "lists no chunks",
            "a `table` is declared, so implement `walk` and `print_table`",
        );
    }
    Ok(())
}

/// Whether a block of [`SIZE`] bytes at this offset lies in the heap.
fn inside(geometry: Geometry, offset: i64) -> bool {
    u64::try_from(offset).is_ok_and(|start| start <= geometry.bytes() - SIZE)
}

/// How a run ended, in words, where the subject did not survive it.
fn bad_end(entry: &Entry, run: &Run) -> Option<String> {
    let why = match &run.end {
        RunEnd::Completed | RunEnd::Lost => return None,
        RunEnd::Hung => String::new(),
        end => format!(" ({})", wording::end(entry.declaration.unit, end)),
    };
    Some(format!("{}{why}", wording::ended(&run.end)))
}
