//! Finds out whether an input crashes its subject, in a worker that takes input after input.
//!
//! Forking a process under AddressSanitizer takes tens of milliseconds, so one worker serves until
//! an input ends it. Inputs and answers go through shared memory; both sides wait by looking again,
//! at first at once and then after short sleeps.

use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};
use std::time::Duration;

use anyhow::{Context, Result};
use harness::bytes;
use harness::entry::Entry;
use harness::op::OpKind;
use harness::trace::{OPS_MAX, Trace};
use harness::transcript::{End, Transcript};

use super::OP_LIMIT;
use crate::host::shared::{Shareable, Shared};
use crate::host::watch::Watch;
use crate::host::worker::Worker;
use crate::in_process::InProcess;
use crate::rules::{Rule, Rules};
use crate::run::RunOptions;

/// The longest byte form of a trace.
const INPUT_BYTES: usize = bytes::HEADER_BYTES + OPS_MAX * harness::record::OP_BYTES;
/// How often a side looks again at once before it sleeps.
const LOOKS: u32 = 2000;
/// How long it then sleeps between two looks.
const NAP: Duration = Duration::from_micros(50);

/// What the two processes share.
#[repr(C)]
struct Exchange {
    /// Counts inputs.
    request: AtomicU32,
    /// The last input that was done with.
    reply: AtomicU32,
    /// Bytes of `input` in use.
    length: AtomicU32,
    /// What the fresh heap grants.
    fresh_capacity: AtomicU64,
    /// Moves with every op.
    op: AtomicU32,
    /// What `op` was when the input under way began.
    op_at_start: AtomicU32,
    input: [AtomicU8; INPUT_BYTES],
    /// How the worker ended.
    transcript: Transcript,
}

// SAFETY: atomics throughout, of which zero is a value.
unsafe impl Shareable for Exchange {}

/// A worker for one subject.
pub(super) struct CrashProbe {
    entry: &'static Entry,
    exchange: Shared<Exchange>,
    worker: Option<Worker>,
}

impl CrashProbe {
    /// A probe whose worker is forked with the first input.
    ///
    /// # Errors
    /// When the kernel grants no shared memory.
    pub(super) fn new(entry: &'static Entry) -> Result<Self> {
        let exchange = Shared::new().context("mapping shared memory for a worker")?;
        Ok(Self {
            entry,
            exchange,
            worker: None,
        })
    }

    /// The machine rule that an input breaks before any other, and the kind of op that does.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    pub(super) fn crash(
        &mut self,
        trace: &Trace,
        fresh_capacity: u64,
    ) -> Result<Option<(Rule, OpKind)>> {
        let Self {
            entry,
            exchange,
            worker,
        } = self;
        let exchange: &Exchange = exchange;
        let worker = match worker {
            Some(worker) => worker,
            None => {
                exchange.transcript.clear();
                exchange
                    .reply
                    .store(exchange.request.load(Relaxed), Relaxed);
                let watch = Watch {
                    transcript: &exchange.transcript,
                    progress: &exchange.op,
                    op_limit: OP_LIMIT,
                    heap_start: 0,
                };
                let started = Worker::start(&watch, || serve(entry, exchange));
                worker.insert(started.context("forking a worker")?)
            }
        };
        let encoded = bytes::encode(trace);
        for (slot, byte) in exchange.input.iter().zip(&encoded) {
            slot.store(*byte, Relaxed);
        }
        exchange.length.store(encoded.len() as u32, Relaxed);
        exchange.fresh_capacity.store(fresh_capacity, Relaxed);
        let number = exchange.request.load(Relaxed).wrapping_add(1);
        exchange.request.store(number, Release);
        let mut ended = false;
        wait_until(|| {
            ended = worker.has_ended().unwrap_or(true);
            ended || exchange.reply.load(Acquire) == number
        });
        if !ended {
            return Ok(None);
        }
        self.worker = None;
        Ok(self.exchange.crash(trace))
    }
}

impl Exchange {
    fn crash(&self, trace: &Trace) -> Option<(Rule, OpKind)> {
        let rule = match self.transcript.end() {
            End::Hung => Rule::Hang,
            End::Panicked => Rule::Panic,
            _ => Rule::Fault,
        };
        let begun = self
            .op
            .load(Relaxed)
            .wrapping_sub(self.op_at_start.load(Relaxed));
        let op = trace.ops.get((begun as usize).checked_sub(1)?)?;
        Some((rule, op.kind()))
    }
}

/// The worker's life.
fn serve(entry: &Entry, exchange: &Exchange) {
    let mut heaps = InProcess::default();
    loop {
        let done = exchange.reply.load(Relaxed);
        wait_until(|| {
            // Waiting is progress: an idle worker must not look like one that hangs.
            exchange.op.fetch_add(1, Relaxed);
            exchange.request.load(Acquire) != done
        });
        let length = (exchange.length.load(Relaxed) as usize).min(INPUT_BYTES);
        let input: Vec<u8> = exchange.input[..length]
            .iter()
            .map(|b| b.load(Relaxed))
            .collect();
        exchange
            .op_at_start
            .store(exchange.op.load(Relaxed), Relaxed);
        let trace = bytes::decode(&input);
        // A find that is no crash is judged again where it counts; so is a rig that cannot work.
        let options = RunOptions {
            fresh_capacity: exchange.fresh_capacity.load(Relaxed),
            ..RunOptions::FAST
        };
        let _ = heaps.judge_as_it_runs(entry, &trace, Rules::ALL, options, &exchange.op);
        exchange
            .reply
            .store(exchange.request.load(Relaxed), Release);
    }
}

fn wait_until(mut holds: impl FnMut() -> bool) {
    let mut looks = 0;
    while !holds() {
        looks += 1;
        match looks < LOOKS {
            true => std::hint::spin_loop(),
            false => std::thread::sleep(NAP),
        }
    }
}
