//! What judging costs: the same ops, judged and unjudged, by turns.

use std::hint::black_box;

use anyhow::{Context, Result, ensure};
use harness::bare::{self, Blocks};
use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::op::{Handle, Op};
use harness::trace::Trace;
use std::sync::atomic::AtomicU32;

use super::clock::thread_time;
use crate::host::region::HostRegion;
use crate::in_process::InProcess;
use crate::rules::Rules;
use crate::run::RunOptions;

/// Which sizes a trace asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mix {
    /// From 0 to 255 bytes.
    Small,
    /// A power of two's worth up to 16 KiB: some 2 KiB on average.
    Mixed,
}

/// Traces of `length` ops each: allocs, frees and reallocs, half of the blocks live on average.
#[must_use]
pub fn traces(mix: Mix, count: usize, length: usize, geometry: Geometry) -> Vec<Trace> {
    let mut random = fastrand::Rng::with_seed(1);
    (0..count)
        .map(|_| trace(mix, length, geometry, &mut random))
        .collect()
}

fn trace(mix: Mix, length: usize, geometry: Geometry, random: &mut fastrand::Rng) -> Trace {
    let mut trace = Trace::new(geometry);
    let (mut live, mut issued) = (Vec::new(), 0);
    while trace.ops.len() < length {
        let op = match random.u8(0..16) {
            0..7 if !live.is_empty() => {
                let handle: u32 = live.swap_remove(random.usize(..live.len()));
                Op::Free {
                    handle: Handle(handle),
                }
            }
            7..9 if !live.is_empty() => Op::Realloc {
                handle: Handle(live[random.usize(..live.len())]),
                size: size(mix, random).max(1),
            },
            kind => {
                live.push(issued);
                issued += 1;
                Op::Alloc {
                    size: size(mix, random),
                    align: None,
                    zeroed: kind == 15,
                }
            }
        };
        trace.ops.push(op);
    }
    trace
}

fn size(mix: Mix, random: &mut fastrand::Rng) -> u64 {
    match mix {
        Mix::Small => random.u64(0..256),
        Mix::Mixed => {
            let exponent = random.u32(3..=14);
            random.u64(0..1 << exponent)
        }
    }
}

/// One way to run traces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// The calls alone.
    Unjudged,
    /// Observed and judged.
    Judged(RunOptions),
}

/// Runs traces of one subject in this process.
pub struct Runner {
    entry: &'static Entry,
    heaps: InProcess,
    region: HostRegion,
    blocks: Box<Blocks>,
    progress: AtomicU32,
}

impl Runner {
    /// # Errors
    /// When the kernel grants no memory.
    pub fn new(entry: &'static Entry, geometry: Geometry) -> Result<Self> {
        Ok(Self {
            entry,
            heaps: InProcess::default(),
            region: HostRegion::new(geometry).context("mapping a heap")?,
            blocks: Box::default(),
            progress: AtomicU32::new(0),
        })
    }

    /// Nanoseconds an op, over all traces.
    ///
    /// # Errors
    /// When a rule is broken.
    pub fn nanoseconds(&mut self, traces: &[Trace], way: Way) -> Result<f64> {
        let ops: usize = traces.iter().map(|trace| trace.ops.len()).sum();
        let start = thread_time();
        for trace in traces {
            match way {
                Way::Unjudged => {
                    // SAFETY: the region is this value's own and has the traces' geometry.
                    unsafe {
                        bare::run(
                            self.entry,
                            black_box(&trace.ops),
                            self.region.region(),
                            &mut self.blocks,
                        );
                    }
                }
                Way::Judged(options) => {
                    let found = self.heaps.judge_as_it_runs(
                        self.entry,
                        black_box(trace),
                        Rules::ALL,
                        options,
                        &self.progress,
                    )?;
                    ensure!(found.is_none(), "a rule was broken: {found:?}\n{trace}");
                }
            }
        }
        Ok((thread_time() - start).as_nanos() as f64 / ops as f64)
    }
}
