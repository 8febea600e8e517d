//! Whether an adapter does what it declares, as far as a few calls on fresh heaps tell.
//!
//! An adapter that is wrong looks like an allocator that is: one that grants nothing agrees with
//! every model, and one that hands its allocator another region breaks a rule at each op. So those
//! of a binary's own subjects that a command uses are tried before it runs them. An error is what
//! cannot be the allocator's doing; what may be is for the judge, and the trace that shows it for a
//! hunt.

use std::collections::BTreeSet;

use anyhow::{Result, bail, ensure};
use harness::declaration::TableForm;
use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::observation::Outcome;
use harness::op::{Handle, Op};
use harness::subject::NO_ALLOC_NATIVE;
use harness::trace::Trace;

use crate::execute::capacity::Measured;
use crate::execute::executor::Executor;
use crate::execute::host::Host;
use crate::run::{RunEnd, RunOptions};
use crate::subject::registry;
use crate::wording;

/// What every allocator grants on a fresh heap, in bytes.
const SIZE: u64 = 8;

/// Tries those of these subjects that the binary brought along; the traces that their allocators do
/// not survive.
///
/// # Errors
/// As for [`check`], of all whose adapter is wrong.
pub fn check_own(used: impl IntoIterator<Item = &'static Entry>) -> Result<Vec<Trace>> {
    let names: BTreeSet<_> = used.into_iter().map(Entry::name).collect();
    let own = registry::own().iter();
    let used: Vec<_> = own.filter(|entry| names.contains(entry.name())).collect();
    if used.is_empty() {
        return Ok(Vec::new());
    }
    check_all(used, &mut Host::new()?)
}

/// Tries subjects one after the other; the traces that their allocators do not survive.
///
/// # Errors
/// As for [`check`], of all whose adapter is wrong.
pub fn check_all<'a>(
    entries: impl IntoIterator<Item = &'a Entry>,
    executor: &mut Measured<dyn Executor>,
) -> Result<Vec<Trace>> {
    let (mut failed, mut wrong) = (Vec::new(), Vec::new());
    for entry in entries {
        match check(entry, executor) {
            Ok(traces) => failed.extend(traces),
            Err(error) => wrong.push(format!("{error:#}")),
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(failed)
}

/// Tries a subject on the smallest heap that it declares, which may hold its lists and no more, and
/// on one of the usual size. Returns the traces that the allocator does not survive, or in which it
/// does not take its block back.
///
/// # Errors
/// When its adapter or its declaration is wrong; the message names the subject, and says what
/// was done, what came of it, and what to look at.
pub fn check(entry: &Entry, executor: &mut Measured<dyn Executor>) -> Result<Vec<Trace>> {
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
    let mut failed = Vec::from_iter(check_on(entry, smallest, executor)?);
    if usual != smallest {
        failed.extend(check_on(entry, usual, executor)?);
    }
    Ok(failed)
}

fn check_on(
    entry: &Entry,
    geometry: Geometry,
    executor: &mut Measured<dyn Executor>,
) -> Result<Option<Trace>> {
    let name = entry.name();
    let amiss = |what: &str, hint: &str| {
        bail!("the adapter of `{name}`, given a fresh heap of {geometry}, {what}: {hint}")
    };
    let alloc = Op::Alloc {
        size: SIZE,
        align: None,
        zeroed: false,
    };
    let free = Op::Free { handle: Handle(0) };
    let trace = Trace {
        geometry,
        ops: vec![alloc, free],
    };
    let run = executor.run(entry, &trace, RunOptions::STRICT)?;
    let answers: Vec<_> = run.observations.iter().map(|o| o.outcome).collect();
    match answers.first() {
        Some(Outcome::Null) if geometry >= Geometry::published() => {
            return amiss(
                &format!("grants no block of {SIZE} bytes"),
                "does it hand the region to the allocator? If that is too small, declare \
                 `region_at_least`",
            );
        }
        Some(&Outcome::Placed(offset)) if !is_near(geometry, offset) => {
            return amiss(
                &format!("grants a first block that lies outside, {offset} bytes from its start"),
                "does it hand the region to the allocator?",
            );
        }
        _ => {}
    }
    if let RunEnd::Panicked(panic) = &run.end
        && (panic.message).starts_with(&format!("{name} {NO_ALLOC_NATIVE}"))
    {
        return amiss("contradicts its declaration", &wording::panic(panic));
    }
    let listed = run.observations.iter().all(|o| o.walk.is_some());
    if entry.declaration.table != TableForm::Nothing && !listed {
        return amiss(
            "lists no chunks",
            "a `table` is declared, so implement `walk` and `print_table`",
        );
    }
    let survived = run.end == RunEnd::Completed && answers.get(1) != Some(&Outcome::Refused);
    Ok((!survived).then_some(trace))
}

/// Whether a block at this offset lies in the heap or in the guards about it, where no other memory
/// is: an allocator may miss its region, but not by more.
fn is_near(geometry: Geometry, offset: i64) -> bool {
    let guard = geometry.region_align() as i64;
    (-guard..geometry.bytes() as i64 + guard).contains(&offset)
}
