//! The process that gdb debugs on the host: it runs a trace itself, without a worker, and calls a
//! function of a name that is easily found before the op in question.

#![allow(unsafe_code, reason = "it is what a debugger stops in")]

use std::hint::black_box;
use std::ops::ControlFlow;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::{Context, Result};
use harness::execute::{Sink, execute};
use harness::ground::Ground;
use harness::heap::Workspace;
use harness::observation::Observation;
use harness::transcript::{Recorder, Transcript};

use super::Session;
use crate::execute::host::ensure_accepts;
use crate::execute::host::region::HostRegion;
use crate::execute::host::shared::Shared;
use crate::run::RunOptions;

/// Where the debugger finds what it shows: ops begun, bytes of text, text, heap.
#[unsafe(no_mangle)]
static KMEM_RIG_DEBUG: [AtomicU64; 4] = [const { AtomicU64::new(0) }; 4];

/// Called once, right before the op to stop at is called.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn kmem_rig_before_op() {}

/// Records, and calls [`kmem_rig_before_op`] once.
struct Stopping<'a> {
    recorder: Recorder<'a>,
    at: usize,
}

impl Sink for Stopping<'_> {
    fn begin(&mut self, op: usize) {
        self.recorder.begin(op);
        if op == self.at {
            // Of an empty function the compiler would leave the call out.
            black_box(kmem_rig_before_op as extern "C" fn())();
        }
    }

    fn table(&mut self, text: &str) {
        self.recorder.table(text);
    }

    fn observe(&mut self, observation: &Observation) -> ControlFlow<()> {
        self.recorder.observe(observation)
    }
}

/// Runs the session's trace here, whatever becomes of this process.
///
/// # Errors
/// When the kernel grants no memory, or the subject takes no such heap.
pub fn run(session: &Session<'_>, fresh_capacity: u64) -> Result<()> {
    let Session { entry, .. } = session;
    let (trace, at) = session.extended();
    ensure_accepts(entry, trace.geometry)?;
    let mapped = HostRegion::new(trace.geometry).context("mapping a heap")?;
    let transcript = Shared::<Transcript>::new().context("mapping a transcript")?;
    let start = (&raw const *transcript).addr();
    let places = Transcript::<{ harness::trace::OPS_MAX }>::PLACES.map(|offset| start + offset);
    let heap = mapped.region().start.addr();
    for (place, address) in KMEM_RIG_DEBUG.iter().zip(places.into_iter().chain([heap])) {
        place.store(address as u64, Relaxed);
    }
    let mut recorder = Stopping {
        recorder: Recorder::new(&transcript),
        at,
    };
    let options = RunOptions {
        tables: true,
        fresh_capacity,
        ..RunOptions::STRICT
    };
    // SAFETY: the region is mapped as `Region` says as long as `mapped` lives, and is nobody
    // else's.
    let mut ground = unsafe { Ground::new(mapped.region()) };
    let mut workspace = Workspace::boxed();
    // SAFETY: `ensure_accepts` has checked the geometry.
    unsafe {
        execute(
            entry,
            options.plan(&trace.ops),
            &mut ground,
            &mut workspace,
            &mut recorder,
        )
    };
    Ok(())
}
