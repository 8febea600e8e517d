//! Finds out whether an input crashes its subject, in a worker that takes input after input.
//!
//! Forking a process under AddressSanitizer takes tens of milliseconds, so one worker serves until
//! an input ends it. Inputs and answers go through shared memory.

#![allow(unsafe_code, reason = "it is shared memory")]

use std::ops::ControlFlow;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64};

use anyhow::Result;
use harness::bytes;
use harness::entry::Entry;
use harness::trace::{OPS_MAX, Trace};

use super::OP_LIMIT;
use crate::execute::host::shared::Shareable;
use crate::execute::host::supervised::{Common, Pace, Supervised};
use crate::execute::in_process::InProcess;
use crate::oracle::judge::Broken;
use crate::oracle::rules::Rules;
use crate::run::RunOptions;

/// The longest byte form of a trace.
const INPUT_BYTES: usize = bytes::HEADER_BYTES + OPS_MAX * harness::record::OP_BYTES;

/// What the two processes tell each other.
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
    input: [AtomicU8; INPUT_BYTES],
}

// SAFETY: atomics throughout, of which zero is a value.
unsafe impl Shareable for Exchange {}

/// A worker for one subject.
pub(super) struct CrashProbe {
    entry: &'static Entry,
    worker: Supervised<Exchange>,
}

impl CrashProbe {
    /// A probe whose worker is forked with the first input.
    ///
    /// # Errors
    /// When the kernel grants no shared memory.
    pub(super) fn new(entry: &'static Entry) -> Result<Self> {
        let worker = Supervised::new()?;
        Ok(Self { entry, worker })
    }

    /// What an input breaks by its end before any other rule.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    pub(super) fn crash(&mut self, trace: &Trace, fresh_capacity: u64) -> Result<Option<Broken>> {
        let Self { entry, worker } = self;
        let number = worker.request.load(Relaxed).wrapping_add(1);
        if !worker.is_at_work() {
            worker.reply.store(number.wrapping_sub(1), Relaxed);
            worker.start(OP_LIMIT, 0, |exchange| serve(entry, exchange))?;
        }
        let encoded = bytes::encode(trace);
        for (slot, byte) in worker.input.iter().zip(&encoded) {
            slot.store(*byte, Relaxed);
        }
        worker.length.store(encoded.len() as u32, Relaxed);
        worker.fresh_capacity.store(fresh_capacity, Relaxed);
        worker.request.store(number, Release);
        let ended = worker.attend(Pace::SOON, |exchange| {
            match exchange.reply.load(Acquire) == number {
                true => ControlFlow::Break(()),
                false => ControlFlow::Continue(()),
            }
        })?;
        Ok(ended.then(|| worker.crash(trace)))
    }
}

/// The worker's life.
fn serve(entry: &Entry, exchange: &Common<Exchange>) {
    let mut heaps = InProcess::default();
    loop {
        let done = exchange.reply.load(Relaxed);
        let mut pace = Pace::SOON;
        while exchange.request.load(Acquire) == done {
            // Waiting is progress: an idle worker must not look like one that hangs.
            exchange.progress().fetch_add(1, Relaxed);
            pace.pause();
        }
        let length = (exchange.length.load(Relaxed) as usize).min(INPUT_BYTES);
        let input: Vec<u8> = exchange.input[..length]
            .iter()
            .map(|b| b.load(Relaxed))
            .collect();
        let trace = bytes::decode(&input);
        exchange.begin_case();
        // A find that is no crash is judged again where it counts; so is a rig that cannot work.
        let options = RunOptions::FAST.knowing(exchange.fresh_capacity.load(Relaxed));
        let _ = heaps.judge_as_it_runs(entry, &trace, Rules::ALL, options, exchange.progress());
        let answered = exchange.request.load(Relaxed);
        exchange.reply.store(answered, Release);
    }
}
