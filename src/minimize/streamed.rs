//! Traces that are longer than [`OPS_MAX`] ops, made short enough for everything else.
//!
//! They run on the host alone, in fast strength, as streams
//! ([`Host::stream`](crate::execute::host::Host::stream)).

use anyhow::{Context, Result, ensure};
use harness::entry::Entry;
use harness::trace::{OPS_MAX, Trace};

use super::narrow::narrow;
use super::{Shrinking, shrink_watched};
use crate::execute::host::Host;
use crate::oracle::judge::{Broken, Finding};
use crate::oracle::rules::Rules;
use crate::trace::long::LongTrace;

/// The most ops that are handed to the minimiser: it runs a trace thousands of times, strictly.
const MINIMIZED_OPS_MAX: usize = 1024;

/// The smallest trace found that breaks the rule which a long one breaks, and how; `None` if the
/// long one breaks none.
///
/// What is behind the broken op goes first, then most of the heap and whole blocks, in streamed
/// runs that look for the same rule. What is left is short enough to be looked at strictly, and
/// nearly always for the minimiser that all other traces have; else it is the answer. `watch` sees
/// how far it is.
///
/// # Errors
/// When the rig itself cannot do its work, or what a fast run found no strict one finds.
pub fn shrink(
    host: &mut Host,
    entry: &Entry,
    trace: &LongTrace,
    rules: Rules,
    watch: &mut dyn FnMut(Shrinking),
) -> Result<Option<(Trace, Finding)>> {
    let geometry = trace.geometry();
    let verdict = host.stream(entry, trace, rules)?;
    let Some(found) = verdict.finding() else {
        return Ok(None);
    };
    let rule = found.rule();
    let ops = trace.up_to(found.op)?;
    let mut shrinking = Shrinking {
        candidates: 0,
        ops: ops.len(),
    };
    host.confirm_hangs(false);
    let narrowed = narrow(geometry, ops, |geometry, candidate| {
        if !entry.declaration.accepts(geometry) {
            return anyhow::Ok(None);
        }
        let candidate = LongTrace::of_ops(geometry, candidate.to_vec());
        let verdict = host.stream(entry, &candidate, rules)?;
        let found = verdict.finding().filter(|found| found.rule() == rule);
        shrinking.candidates += 1;
        if let Some(found) = found {
            shrinking.ops = found.op + 1;
        }
        watch(shrinking);
        Ok(found.map(|found| found.op))
    });
    host.confirm_hangs(true);
    let (geometry, ops) = narrowed?;
    ensure!(
        ops.len() <= OPS_MAX,
        "{} ops are left that show `{rule}`: more than the {OPS_MAX} that can be made smaller",
        ops.len()
    );
    let short = Trace { geometry, ops };
    // Strictly, the op that does the damage is named, and that may break another rule.
    let (_, verdict) = host.verdict(entry, &short, rules)?;
    let found = verdict.finding();
    let found =
        found.with_context(|| format!("no strict run shows the `{rule}` that was found"))?;
    if short.ops.len() > MINIMIZED_OPS_MAX {
        let found = found.clone();
        return Ok(Some((short, found)));
    }
    let broken = Broken::from(found);
    shrink_watched(host, entry, &short, rules, &broken, watch)
}
