//! Records a running program's own allocator calls as a trace: the rig replays and minimises it.
//!
//! ```text
//! program --GlobalAlloc--> Recorder --GlobalAlloc--> the program's allocator
//!                             |  Blocks: address -> handle, a table of fixed size
//!                             `- Sink: Lines (text, to a console or a file), Ring (the last ops)
//! ```
//!
//! It is for kernels, so it allocates nothing, needs nothing of the rest of this crate's machinery
//! and never panics. What it cannot record it says in a comment, and then records no more: a trace
//! is never wrong, it is at most short. `docs/recording.md` argues each choice.
//!
//! An op is recorded *before* the call is made, and both under one lock: the order of ops is the
//! order of calls, and the op that crashes is the last of the trace. An alloc's number is known
//! before its address. A request that was refused is followed by a `free` of it: in a replay that
//! frees what another allocator may have granted, and is no call where it was refused as well.
//!
//! ```
//! use std::alloc::System;
//! use std::fmt::Write;
//!
//! use harness::geometry::Geometry;
//! use harness::recorder::{Lines, Recorder, Ring};
//!
//! const HEAP: Geometry = Geometry::from_pages(64).unwrap();
//!
//! // The last 4,096 ops, of a program with at most 7,168 blocks at a time.
//! #[global_allocator]
//! static ALLOCATOR: Recorder<System, Ring<4096>, 8192> =
//!     Recorder::new(System, HEAP, Ring::new());
//!
//! // A place for the text that does not allocate while the recorder is locked.
//! struct Page([u8; 4096], usize);
//!
//! impl Write for Page {
//!     fn write_str(&mut self, text: &str) -> std::fmt::Result {
//!         let free = self.0.get_mut(self.1..self.1 + text.len()).ok_or(std::fmt::Error)?;
//!         free.copy_from_slice(text.as_bytes());
//!         self.1 += text.len();
//!         Ok(())
//!     }
//! }
//!
//! ALLOCATOR.start();
//! let mut list = vec![1_u64, 2, 3];
//! list.push(4);
//! drop(list);
//! ALLOCATOR.stop();
//!
//! let mut page = Lines::new(Page([0; 4096], 0));
//! ALLOCATOR.with_sink(|ring| ring.print(&mut page)).unwrap();
//! let Page(bytes, length) = page.into_inner();
//! let text = std::str::from_utf8(&bytes[..length]).unwrap();
//! assert_eq!(
//!     text,
//!     "# kmem-rig trace v1\nheap 64 pages\na0 = alloc 24 align 8\nrealloc a0 48\n\
//!      free a0\n# the recording was stopped\n"
//! );
//! ```

#![allow(unsafe_code, reason = "it stands between a program and its allocator")]

mod blocks;
mod exclusive;
mod lines;
mod ring;
#[cfg(test)]
mod tests;

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::fmt;
use core::sync::atomic::AtomicBool;
use core::sync::atomic::Ordering::Relaxed;

use crate::trace::geometry::Geometry;
use crate::trace::op::{Align, Handle, Op};
use blocks::Blocks;

pub use exclusive::{Exclusive, Spin};
pub use lines::Lines;
pub use ring::Ring;

/// Where a recording goes. It is called under the recorder's lock, so it must not allocate from the
/// allocator that is recorded. After an error the recording ends.
pub trait Sink {
    /// A recording begins, over a heap of this geometry.
    ///
    /// # Errors
    /// If that could not be taken.
    fn begin(&mut self, heap: Geometry) -> fmt::Result;

    /// The next op. The n-th alloc makes the handle `a<n>`.
    ///
    /// # Errors
    /// If it could not be taken.
    fn op(&mut self, op: &Op) -> fmt::Result;

    /// Something that a reader should know, as a comment.
    ///
    /// # Errors
    /// If it could not be taken.
    fn remark(&mut self, text: &'static str) -> fmt::Result;
}

/// Why a recording ended, or what it lacks: comments of the trace.
pub mod remarks {
    /// [`super::Recorder::stop`] was called.
    pub const STOPPED: &str = "the recording was stopped";
    /// More blocks are live than the recorder has room to name.
    pub const BLOCKS_FULL: &str = "the recording ends: more blocks than the recorder can name";
    /// There are no numbers left for handles.
    pub const NUMBERS_USED_UP: &str = "the recording ends: no number is left for a block";
    /// A block was freed that this recording has not seen.
    pub const UNKNOWN_FREE: &str =
        "a free of a block that was allocated before the recording, or not at all";
    /// A block grew or shrank that this recording has not seen.
    pub const UNKNOWN_REALLOC: &str =
        "a realloc of a block that was allocated before the recording, as an alloc:";
}

/// A [`GlobalAlloc`] around another that records what is asked of it.
///
/// `BLOCKS` is the size of its table, 16 bytes each, of which seven in eight can be blocks that are
/// live at a time.
pub struct Recorder<A, S, const BLOCKS: usize, L = Spin> {
    inner: A,
    heap: Geometry,
    /// Changed under the lock alone; read without it, so that a recorder at rest costs nothing.
    recording: AtomicBool,
    lock: L,
    state: UnsafeCell<State<S, BLOCKS>>,
}

// SAFETY: `state` is reached under the lock alone, which lets one work run at a time; that work may
// move the sink to another thread, so it must be `Send`. The rest is shared as its types allow.
unsafe impl<A: Sync, S: Send, const BLOCKS: usize, L: Exclusive + Sync> Sync
    for Recorder<A, S, BLOCKS, L>
{
}

impl<A, S: Sink, const BLOCKS: usize> Recorder<A, S, BLOCKS> {
    /// A recorder around `inner`, at rest, locked by [`Spin`]. `heap` is the trace's: that of
    /// `inner` where it has one, else large enough for all that is recorded.
    pub const fn new(inner: A, heap: Geometry, sink: S) -> Self {
        Self::with_lock(inner, heap, sink, Spin::new())
    }
}

impl<A, S: Sink, const BLOCKS: usize, L: Exclusive> Recorder<A, S, BLOCKS, L> {
    /// As [`Self::new`], with a lock of the kernel's own.
    pub const fn with_lock(inner: A, heap: Geometry, sink: S, lock: L) -> Self {
        Self {
            inner,
            heap,
            recording: AtomicBool::new(false),
            lock,
            state: UnsafeCell::new(State {
                sink,
                blocks: Blocks::new(),
                issued: 0,
                recording: false,
            }),
        }
    }

    /// Begins a recording. Blocks that are live already are not of it.
    pub fn start(&self) {
        self.change(|state| state.start(self.heap));
    }

    /// Ends the recording, if there is one.
    pub fn stop(&self) {
        self.change(|state| {
            if state.recording {
                state.end(remarks::STOPPED);
            }
        });
    }

    /// Whether a recording is under way: not before [`Self::start`], nor once it has ended.
    pub fn is_recording(&self) -> bool {
        self.recording.load(Relaxed)
    }

    /// Gives `work` the sink. The recorder is locked meanwhile: during a recording `work` must not
    /// allocate, or it would wait for itself.
    pub fn with_sink<R>(&self, work: impl FnOnce(&mut S) -> R) -> R {
        self.change(|state| work(&mut state.sink))
    }

    /// The sink, past the lock: for a panic handler, since what panics may be the allocator itself,
    /// and the lock is then taken for good. It may be used once nothing else runs that could
    /// allocate.
    pub const fn sink_ptr(&self) -> *mut S {
        let state = self.state.get();
        // SAFETY: the cell is there, and no reference to it or to its field is made.
        unsafe { &raw mut (*state).sink }
    }

    /// Runs `work` on the state, under the lock.
    fn change<R>(&self, work: impl FnOnce(&mut State<S, BLOCKS>) -> R) -> R {
        self.lock.run(|| {
            // SAFETY: the lock runs nothing else meanwhile, and this is the only place that refers
            // to the state, so there is no other reference.
            let state = unsafe { &mut *self.state.get() };
            let result = work(state);
            self.recording.store(state.recording, Relaxed);
            result
        })
    }
}

impl<A: GlobalAlloc, S: Sink, const BLOCKS: usize, L: Exclusive> Recorder<A, S, BLOCKS, L> {
    /// Makes a request by `call`, and records it.
    fn request(&self, layout: Layout, zeroed: bool, call: impl FnOnce() -> *mut u8) -> *mut u8 {
        if !self.is_recording() {
            return call();
        }
        self.change(|state| {
            let handle = state.alloc(layout, zeroed);
            let address = call();
            state.granted(handle, address);
            address
        })
    }
}

// SAFETY: every call is passed to `inner` as it came, and its answer back.
unsafe impl<A: GlobalAlloc, S: Sink, const BLOCKS: usize, L: Exclusive> GlobalAlloc
    for Recorder<A, S, BLOCKS, L>
{
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        self.request(layout, false, || unsafe { self.inner.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        self.request(layout, true, || unsafe { self.inner.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        // SAFETY: exactly the caller's promise.
        let call = || unsafe { self.inner.realloc(block, layout, new_size) };
        if !self.is_recording() {
            return call();
        }
        self.change(|state| {
            let handle = state.realloc(block.addr(), layout, new_size);
            let address = call();
            state.moved(handle, block.addr(), address);
            address
        })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: exactly the caller's promise.
        let call = || unsafe { self.inner.dealloc(block, layout) };
        if !self.is_recording() {
            return call();
        }
        self.change(|state| {
            state.free(block.addr());
            call();
        });
    }
}

/// What the lock guards.
struct State<S, const BLOCKS: usize> {
    sink: S,
    blocks: Blocks<BLOCKS>,
    /// Allocs recorded so far.
    issued: u32,
    recording: bool,
}

/// What a realloc was recorded as.
enum Moving {
    /// A realloc of this block.
    Known(Handle),
    /// An alloc, of a block that is new to the recording; `None` if it was not recorded.
    New(Option<Handle>),
}

impl<S: Sink, const BLOCKS: usize> State<S, BLOCKS> {
    fn start(&mut self, heap: Geometry) {
        self.blocks.clear();
        self.issued = 0;
        self.recording = self.sink.begin(heap).is_ok();
    }

    fn end(&mut self, why: &'static str) {
        self.recording = false;
        // A sink that takes no more cannot be told so.
        let _ = self.sink.remark(why);
    }

    fn record(&mut self, op: &Op) {
        self.recording = self.recording && self.sink.op(op).is_ok();
    }

    fn remark(&mut self, text: &'static str) {
        self.recording = self.recording && self.sink.remark(text).is_ok();
    }

    /// Records a request; the handle of its block, unless it was not recorded.
    fn alloc(&mut self, layout: Layout, zeroed: bool) -> Option<Handle> {
        let handle = Handle(self.issued);
        match self.issued.checked_add(1) {
            _ if !self.recording => return None,
            None => self.end(remarks::NUMBERS_USED_UP),
            Some(issued) => {
                self.record(&Op::Alloc {
                    size: layout.size() as u64,
                    align: Align::from_bytes(layout.align() as u64),
                    zeroed,
                });
                self.issued = issued;
            }
        }
        self.recording.then_some(handle)
    }

    /// Takes note of the answer to a request that was recorded.
    fn granted(&mut self, handle: Option<Handle>, address: *mut u8) {
        let Some(handle) = handle else {
            return;
        };
        if address.is_null() {
            self.record(&Op::Free { handle });
        } else if !self.blocks.insert(address.addr(), handle) {
            self.end(remarks::BLOCKS_FULL);
        }
    }

    fn realloc(&mut self, block: usize, layout: Layout, new_size: usize) -> Moving {
        if let Some(handle) = self.blocks.get(block) {
            self.record(&Op::Realloc {
                handle,
                size: new_size as u64,
            });
            return Moving::Known(handle);
        }
        self.remark(remarks::UNKNOWN_REALLOC);
        // An invalid new layout breaks the caller's promise; the old one does no harm.
        let new = Layout::from_size_align(new_size, layout.align()).unwrap_or(layout);
        Moving::New(self.alloc(new, false))
    }

    fn moved(&mut self, moving: Moving, from: usize, to: *mut u8) {
        match moving {
            Moving::New(handle) => self.granted(handle, to),
            // The block stays as it was.
            Moving::Known(_) if to.is_null() => {}
            Moving::Known(handle) => {
                self.blocks.remove(from);
                self.granted(Some(handle), to);
            }
        }
    }

    fn free(&mut self, block: usize) {
        match self.blocks.remove(block) {
            Some(handle) => self.record(&Op::Free { handle }),
            None => self.remark(remarks::UNKNOWN_FREE),
        }
    }
}
