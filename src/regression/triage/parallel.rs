//! Work on all cores: each thread has a host of its own, and takes the next piece when it is done
//! with one.
//!
//! A host forks a worker for each run. What a child of a process with threads may do is little: it
//! runs a subject in memory that was mapped before, and leaves.

use std::num::NonZeroUsize;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{self, Sender};
use std::thread;

use anyhow::{Result, anyhow};

use crate::execute::host::Host;

/// What `work` makes of each item, in the items' order. `watch` sees how many are done, on this
/// thread.
///
/// # Errors
/// The first that `work` comes to, or when the rig itself cannot do its work.
pub(super) fn on_all_cores<I: Sync, O: Send>(
    items: &[I],
    work: impl Fn(&mut Host, &I) -> Result<O> + Sync,
    watch: &mut dyn FnMut(u64),
) -> Result<Vec<O>> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let run = |told: Sender<()>| -> Result<()> {
        let mut host = Host::new()?;
        loop {
            let index = next.fetch_add(1, Relaxed);
            let Some(item) = items.get(index) else {
                return Ok(());
            };
            let output = work(&mut host, item)?;
            done.lock()
                .map_err(|_| anyhow!("a thread panicked"))?
                .push((index, output));
            // Whoever listens is there until all threads have ended.
            let _ = told.send(());
        }
    };
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    thread::scope(|scope| {
        let (tell, told) = mpsc::channel();
        let threads: Vec<_> = (0..cores.min(items.len()))
            .map(|_| {
                let tell = tell.clone();
                scope.spawn(|| run(tell))
            })
            .collect();
        drop(tell);
        (1..).zip(told).for_each(|(done, ())| watch(done));
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread panicked"))?)
    })?;
    let mut done = done
        .into_inner()
        .map_err(|_| anyhow!("a thread panicked"))?;
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, output)| output).collect())
}
