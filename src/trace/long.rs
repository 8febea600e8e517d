//! Traces that are longer than [`OPS_MAX`]: recordings of running programs, mostly.
//!
//! Their ops are never held together: they are read from their file as often as they are run. What is
//! kept is what one look at them told ([`Survey`]). They run on the host alone, in fast strength
//! ([`crate::execute::host::Host::stream`]); what they find is narrowed down until it is short
//! enough for everything else.
//!
//! [`OPS_MAX`]: harness::trace::OPS_MAX

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::op::{Handle, Op};
use harness::stream::BLOCKS_MAX;
use harness::text::Item;
use harness::trace::{OPS_MAX, Trace};

use crate::execute::host::Host;
use crate::minimize::narrow::narrow;
use crate::minimize::{self, Shrinking};
use crate::oracle::judge::Finding;
use crate::oracle::rules::Rules;
use crate::trace::input::lines::{Form, Lines};

/// The most ops that are handed to the minimiser: it runs a trace thousands of times, strictly.
const MINIMIZED_OPS_MAX: usize = 1024;

/// A trace that need not be in memory.
#[derive(Clone, Debug)]
pub struct LongTrace {
    source: Source,
    survey: Survey,
}

#[derive(Clone, Debug)]
enum Source {
    File(PathBuf, Form),
    /// Of a trace that is being narrowed down.
    Memory(Vec<Op>),
}

/// What one look at all ops tells.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The heap.
    pub geometry: Geometry,
    ops: usize,
    issued: u32,
    live: HashSet<u32>,
    live_max: usize,
    named_again: HashSet<u32>,
    asks_capacity: bool,
}

impl Default for Survey {
    fn default() -> Self {
        Self {
            geometry: Geometry::published(),
            ops: 0,
            issued: 0,
            live: HashSet::new(),
            live_max: 0,
            named_again: HashSet::new(),
            asks_capacity: false,
        }
    }
}

impl Survey {
    /// Looks at the next op.
    pub fn note(&mut self, op: &Op) {
        self.ops += 1;
        match *op {
            Op::Alloc { .. } => {
                self.live.insert(self.issued);
                self.live_max = self.live_max.max(self.live.len());
                self.issued += 1;
            }
            Op::FreeAll => self.live.clear(),
            Op::Capacity => self.asks_capacity = true,
            _ => {
                if let Some(Handle(handle)) = op.handle()
                    && !self.live.contains(&handle)
                {
                    self.named_again.insert(handle);
                }
            }
        }
        if let Op::Free { handle } = op {
            self.live.remove(&handle.0);
        }
    }

    /// Ops looked at.
    #[must_use]
    pub const fn ops(&self) -> usize {
        self.ops
    }
}

impl LongTrace {
    /// The trace of a file that was looked at.
    #[must_use]
    pub fn of_file(path: &Path, form: Form, survey: Survey) -> Self {
        Self {
            source: Source::File(path.to_owned(), form),
            survey,
        }
    }

    /// A trace in memory.
    #[must_use]
    pub fn of_ops(geometry: Geometry, ops: Vec<Op>) -> Self {
        let mut survey = Survey {
            geometry,
            ..Survey::default()
        };
        ops.iter().for_each(|op| survey.note(op));
        Self {
            source: Source::Memory(ops),
            survey,
        }
    }

    /// The heap.
    #[must_use]
    pub const fn geometry(&self) -> Geometry {
        self.survey.geometry
    }

    /// How many ops there are.
    #[must_use]
    pub const fn ops(&self) -> usize {
        self.survey.ops
    }

    /// Whether some op asks for the heap's capacity.
    #[must_use]
    pub const fn asks_capacity(&self) -> bool {
        self.survey.asks_capacity
    }

    /// Whether an op names this block once it was freed.
    #[must_use]
    pub fn names_again(&self, handle: Handle) -> bool {
        self.survey.named_again.contains(&handle.0)
    }

    /// Whether the rig can run it: its blocks must fit, not its ops.
    ///
    /// # Errors
    /// When they do not.
    pub fn ensure_fits(&self) -> Result<()> {
        let blocks = self.survey.live_max + self.survey.named_again.len();
        ensure!(
            blocks <= BLOCKS_MAX,
            "the trace holds up to {blocks} blocks at a time, more than the {BLOCKS_MAX} that can be \
             followed"
        );
        Ok(())
    }

    /// Gives `take` op after op, until it wants no more.
    ///
    /// # Errors
    /// When the file can no longer be read as it was.
    pub fn each_op(&self, take: &mut dyn FnMut(&mut dyn Iterator<Item = Op>)) -> Result<()> {
        match &self.source {
            Source::Memory(ops) => take(&mut ops.iter().copied()),
            Source::File(path, form) => {
                let mut failed = Ok(());
                let lines = Lines::open(path, *form, usize::MAX)?;
                let mut ops = lines
                    .map_while(|line| line.map_err(|error| failed = Err(error)).ok())
                    .filter_map(|line| match line.item {
                        Some(Item::Op(op)) => Some(op),
                        _ => None,
                    });
                take(&mut ops);
                return failed;
            }
        }
        Ok(())
    }

    /// Whether there still are as many ops as when they were looked at.
    ///
    /// # Errors
    /// When there are not.
    pub fn ensure_unchanged(&self) -> Result<()> {
        let mut ops = 0;
        self.each_op(&mut |all| ops = all.count())?;
        ensure!(ops == self.ops(), "the trace has changed meanwhile");
        Ok(())
    }

    /// The ops up to and with this one.
    ///
    /// # Errors
    /// As for [`Self::each_op`], and when there are not so many.
    pub fn up_to(&self, last: usize) -> Result<Vec<Op>> {
        let mut taken = Vec::new();
        self.each_op(&mut |ops| taken.extend(ops.take(last + 1)))?;
        ensure!(taken.len() == last + 1, "the trace has changed meanwhile");
        Ok(taken)
    }
}

/// The smallest trace found that breaks the rule which a long one breaks, and how; `None` if the long one
/// breaks none.
///
/// What is behind the broken op goes first, then most of the heap and whole blocks, in streamed runs that
/// look for the same rule. What is left is short enough to be looked at strictly, and nearly always for
/// the minimiser that all other traces have; else it is the answer. `watch` sees how far it is.
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
    let broken = (found.rule(), found.kind);
    minimize::shrink_watched(host, entry, &short, rules, broken, watch)
}
