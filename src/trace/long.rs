//! Traces that are longer than [`OPS_MAX`]: recordings of running programs, mostly.
//!
//! Their ops are never held together: they are read from their file as often as they are run. What
//! is kept is what one look at them told ([`Survey`]).
//!
//! [`OPS_MAX`]: harness::trace::OPS_MAX

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use harness::geometry::Geometry;
use harness::op::{Handle, Op};
use harness::stream::BLOCKS_MAX;
use harness::text::Item;

use crate::trace::input::lines::{Form, Lines};

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
