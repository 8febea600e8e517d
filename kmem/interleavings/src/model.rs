//! Harts and devices put together.

use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

use kmem::{Hart, SharedHeap};
use lock_api::RawMutex;
use loom::sync::atomic::AtomicBool;
use loom::thread;

use crate::client::{Call, Client, Owned};
use crate::hart::{self, Line};
use crate::heap::Tracked;

/// What one hart does.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// Its calls.
    pub calls: &'static [Call],
    /// What its interrupt handler calls, if a device interrupts it, once.
    pub handler: Option<&'static [Call]>,
}

/// What all runs of a model came to see, added up.
#[derive(Debug, Default)]
pub struct Reached {
    /// Runs, each in another order.
    pub runs: AtomicU64,
    /// Looks at the lock while another hart held it.
    pub waits: AtomicU64,
    /// Interrupts taken.
    pub interrupts: AtomicU64,
    /// Requests that found no room.
    pub refused: AtomicU64,
    /// Blocks that were resized where they were.
    pub in_place: AtomicU64,
}

/// Runs the scripts, a hart each, in every order with at most so many preemptions.
///
/// # Panics
/// At the first order in which something is amiss.
pub fn check<H, L>(scripts: &'static [Script], preemptions_max: usize) -> Arc<Reached>
where
    H: Hart + 'static,
    L: RawMutex + Send + Sync + 'static,
{
    let reached = Arc::new(Reached::default());
    let seen = Arc::clone(&reached);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions_max);
    builder.max_branches = 10_000;
    builder.check(move || run::<H, L>(scripts, &seen));
    reached
}

fn run<H, L>(scripts: &'static [Script], reached: &Arc<Reached>)
where
    H: Hart + 'static,
    L: RawMutex + Send + Sync + 'static,
{
    let heap = Arc::new(SharedHeap::<Tracked, H, L>::new());
    // The first use of the lock, before the harts part.
    heap.init(Tracked::new());
    let owned: Owned = Arc::new(Mutex::new(Vec::new()));
    let mut threads = Vec::new();
    // Everybody's last one runs here: the fewer threads, the fewer orders.
    let (last, others) = scripts.split_last().expect("a model has a hart");
    for (script, mark) in others.iter().zip((2..).step_by(2)) {
        let (script, heap, owned, reached) =
            (*script, heap.clone(), owned.clone(), reached.clone());
        let line = script.handler.map(|_| Line::new(AtomicBool::new(false)));
        let device = line.clone();
        threads.push(thread::spawn(move || {
            run_hart(script, line, mark, &heap, &owned, &reached)
        }));
        threads.extend(device.map(raise));
    }
    assert!(last.handler.is_none(), "the last hart has no device");
    run_hart(*last, None, 1, &heap, &owned, reached);
    for thread in threads {
        thread.join().expect("loom ends a run that panics");
    }
    heap.with(|heap| {
        heap.assert_fresh();
        reached.refused.fetch_add(heap.refused.into(), Relaxed);
        reached.in_place.fetch_add(heap.in_place.into(), Relaxed);
    });
    assert!(owned.lock().expect("nobody panics with it").is_empty());
    reached.runs.fetch_add(1, Relaxed);
}

/// A device that interrupts its hart once, whenever loom likes.
fn raise(line: Line) -> thread::JoinHandle<()> {
    thread::spawn(move || line.store(true, Relaxed))
}

fn run_hart<H, L>(
    script: Script,
    line: Option<Line>,
    mark: u8,
    heap: &Arc<SharedHeap<Tracked, H, L>>,
    owned: &Owned,
    reached: &Arc<Reached>,
) where
    H: Hart + 'static,
    L: RawMutex + Send + Sync + 'static,
{
    let interrupt = line.zip(script.handler).map(|(line, calls)| {
        let (heap, owned) = (heap.clone(), owned.clone());
        let handler = move || Client::new(&*heap, owned.clone(), mark + 1).run(calls);
        (line, Box::new(handler) as Box<dyn Fn()>)
    });
    let client = Client::new(&**heap, owned.clone(), mark);
    let happened = hart::run(interrupt, || client.run(script.calls));
    reached.waits.fetch_add(happened.waits.into(), Relaxed);
    reached
        .interrupts
        .fetch_add(happened.interrupts.into(), Relaxed);
}
