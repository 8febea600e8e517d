//! What judging costs: the same ops, judged and unjudged, in turn, on one thread of this process.

use std::hint::black_box;
use std::sync::atomic::AtomicU32;

use anyhow::{Result, bail};
use harness::bare::Block;
use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::op::{Handle, Op};
use harness::trace::{OPS_MAX, Trace};
use kmem_rig::cost::figure::{Figure, Goal};
use kmem_rig::in_process::InProcess;
use kmem_rig::report;
use kmem_rig::rules::Rules;
use kmem_rig::run::RunOptions;

use crate::clock::thread_time;
use crate::rounds;
use kmem_rig::host::Host;

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

/// Ops of all traces of one measurement: some milliseconds.
const OPS: usize = 64_000;
/// Rounds that are thrown away, and rounds that count.
const ROUNDS_WARM: usize = 2;
const ROUNDS: usize = 15;

/// Measures judged runs of a subject against unjudged ones: fast, then strict.
///
/// # Errors
/// When a rule is broken, or the kernel grants no memory.
pub fn measure(
    entry: &'static Entry,
    mix: Mix,
    length: usize,
    geometry: Geometry,
) -> Result<[Measured; 2]> {
    let traces = traces(mix, OPS / length, length, geometry);
    let mut runner = Runner::new(entry)?;
    let mut rates = [(); 3].map(|()| Vec::new());
    let ways = [RunOptions::FAST, RunOptions::STRICT].map(Way::Judged);
    for round in 0..ROUNDS_WARM + ROUNDS {
        for (way, rates) in [Way::Unjudged, ways[0], ways[1]]
            .into_iter()
            .zip(&mut rates)
        {
            let rate = runner.ops_per_second(&traces, way)?;
            rates.extend((round >= ROUNDS_WARM).then_some(rate));
        }
    }
    let [unjudged, fast, strict] = rates;
    Ok([fast, strict].map(|judged| Measured {
        judged,
        unjudged: unjudged.clone(),
    }))
}

/// Ops a second, round by round.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Judged.
    pub judged: Vec<f64>,
    /// The same ops unjudged.
    pub unjudged: Vec<f64>,
}

/// The rows of the bench, with their goals.
///
/// # Errors
/// When a rule is broken, or the kernel grants no memory.
pub fn figures(kmem: &'static Entry, talc: Option<&'static Entry>) -> Result<Vec<Figure>> {
    let heap = Geometry::published();
    let mut figures = Vec::new();
    for (mix, length, goals) in [
        (Mix::Small, 64, Some((3.5, 7.0))),
        (Mix::Mixed, 64, Some((3.5, 10.0))),
        (Mix::Small, 16, None),
        (Mix::Small, 256, None),
        (Mix::Mixed, 16, None),
        (Mix::Mixed, 256, None),
    ] {
        let measured = measure(kmem, mix, length, heap)?;
        for (index, (measured, strength)) in measured.iter().zip(["fast", "strict"]).enumerate() {
            let figure = measured.figure(&format!(
                "{}, {} sizes, {length}-op traces, {heap}, unjudged : judged {strength}",
                kmem.name(),
                mix.name(),
            ));
            let goal = goals.map(|goals| [goals.0, goals.1][index]);
            figures.push(match goal {
                Some(goal) => figure.held_to(Goal::AtMost(goal)),
                None => figure,
            });
        }
    }
    if let Some(talc) = talc
        && let Some(heap) = Geometry::from_pages(TALC_PAGES)
    {
        let [fast, _] = measure(talc, Mix::Small, 64, heap)?;
        let figure = fast.figure(&format!(
            "{}, small sizes, 64-op traces, {heap}, all live contents every 16 ops, \
             unjudged : judged fast",
            talc.name()
        ));
        figures.push(figure.held_to(Goal::AtMost(4.0)));
    }
    Ok(figures)
}

/// Some four times what its blocks take up at once: of an allocator that does not say where it
/// writes, the whole heap is filled again for each trace.
const TALC_PAGES: u64 = 4;

impl Mix {
    const fn name(self) -> &'static str {
        match self {
            Self::Small => "small",
            Self::Mixed => "mixed",
        }
    }
}

impl Measured {
    fn figure(&self, name: &str) -> Figure {
        rounds::figure(name, "ops/s", &self.judged, (&self.unjudged, &self.judged))
    }
}

/// Runs traces of one subject in this process.
struct Runner {
    entry: &'static Entry,
    /// Apart, since a run of calls alone leaves its heap as it is.
    unjudged: InProcess,
    judged: InProcess,
    host: Host,
    blocks: Vec<Block>,
    progress: AtomicU32,
}

impl Runner {
    fn new(entry: &'static Entry) -> Result<Self> {
        Ok(Self {
            entry,
            unjudged: InProcess::default(),
            judged: InProcess::default(),
            host: Host::new()?,
            blocks: vec![Block::NONE; OPS_MAX],
            progress: AtomicU32::new(0),
        })
    }

    fn ops_per_second(&mut self, traces: &[Trace], way: Way) -> Result<f64> {
        let ops: usize = traces.iter().map(|trace| trace.ops.len()).sum();
        let start = thread_time();
        for trace in traces {
            match way {
                Way::Unjudged => {
                    let (heaps, blocks) = (&mut self.unjudged, &mut self.blocks);
                    heaps.run_bare(self.entry, black_box(trace), blocks)?;
                }
                Way::Judged(options) => {
                    let options = self.host.informed(self.entry, trace, options)?;
                    let found = self.judged.judge_as_it_runs(
                        self.entry,
                        black_box(trace),
                        Rules::ALL,
                        options,
                        &self.progress,
                    )?;
                    if let Some(finding) = found {
                        bail!(report::finding(&self.entry.declaration, trace, &finding));
                    }
                }
            }
        }
        Ok(ops as f64 / (thread_time() - start).as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use kmem_rig::registry;

    use super::*;

    #[test]
    fn the_same_ops_are_run_judged_and_unjudged() {
        let heap = Geometry::published();
        let kmem = registry::by_name("kmem").unwrap();
        let mut runner = Runner::new(kmem).unwrap();
        for mix in [Mix::Small, Mix::Mixed] {
            let traces = traces(mix, 20, 64, heap);
            assert!(traces.iter().all(|trace| trace.ops.len() == 64));
            traces.iter().for_each(Trace::check_invariants);
            for way in [
                Way::Unjudged,
                Way::Judged(RunOptions::FAST),
                Way::Judged(RunOptions::STRICT),
            ] {
                assert!(runner.ops_per_second(&traces, way).unwrap() > 0.0);
            }
            assert!(runner.judged.ops_judged() > 2 * 20 * 32);
        }
    }
}
