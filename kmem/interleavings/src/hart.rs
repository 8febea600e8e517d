//! A hart of the model: a thread with a mask and an interrupt line.
//!
//! An interrupt comes between two instructions. Here it comes at *points*: before a hart masks, at
//! once when it lets interrupts in again, while it waits, and in the middle of its work on the
//! heap. Loom chooses when the line is raised, so each point is tried.

#![allow(unsafe_code, reason = "it masks modelled interrupts")]

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::thread::panicking;

use kmem::Hart;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

/// Looks at a lock within a handler after which nobody else can be in its way: every other hart has
/// run as far as it can between two of them.
const HANDLER_WAITS_MAX: u32 = 20;

/// What a device raises, and its hart takes back.
pub type Line = Arc<AtomicBool>;

type Handler = Box<dyn Fn()>;

#[derive(Default)]
struct State {
    masked: Cell<bool>,
    /// Set iff the hart runs its handler.
    handling: Cell<bool>,
    handler_waits: Cell<u32>,
    /// What interrupts this hart; set while it runs.
    interrupt: RefCell<Option<(Line, Handler)>>,
    interrupts: Cell<u32>,
    waits: Cell<u32>,
}

loom::thread_local! {
    static STATE: State = State::default();
}

/// What happened to a hart.
#[derive(Clone, Copy, Debug, Default)]
pub struct Happened {
    /// Interrupts taken.
    pub interrupts: u32,
    /// Looks at a lock that another hart held.
    pub waits: u32,
}

/// Runs `work` as a hart that `handler` interrupts whenever the line is up and interrupts are let
/// in.
pub fn run(interrupt: Option<(Line, Handler)>, work: impl FnOnce()) -> Happened {
    STATE.with(|state| state.interrupt.replace(interrupt));
    work();
    point();
    STATE.with(|state| {
        assert!(
            !state.masked.get(),
            "a hart ends with its interrupts masked"
        );
        state.interrupt.replace(None);
        Happened {
            interrupts: state.interrupts.get(),
            waits: state.waits.get(),
        }
    })
}

/// A moment at which an interrupt may come.
pub fn point() {
    STATE.with(|state| {
        if state.masked.get() || state.handling.get() {
            return;
        }
        let interrupt = state.interrupt.borrow();
        let Some((line, handler)) = interrupt.as_ref() else {
            return;
        };
        if !line.load(Ordering::Relaxed) {
            return;
        }
        line.store(false, Ordering::Relaxed);
        state.handling.set(true);
        state.handler_waits.set(0);
        state.interrupts.set(state.interrupts.get() + 1);
        handler();
        state.handling.set(false);
    });
}

/// The hart that runs the caller.
pub struct Interrupted;

// SAFETY: `point`, where alone handlers run, returns at once while the mask is set.
unsafe impl Hart for Interrupted {
    fn mask() -> bool {
        point();
        STATE.with(|state| !state.masked.replace(true))
    }

    unsafe fn unmask() {
        // Nothing interrupts a run that is being taken apart.
        if panicking() {
            return;
        }
        STATE.with(|state| state.masked.set(false));
        point();
    }

    fn wait() {
        STATE.with(|state| {
            state.waits.set(state.waits.get() + 1);
            if state.handling.get() {
                let waits = state.handler_waits.get() + 1;
                state.handler_waits.set(waits);
                assert!(
                    waits < HANDLER_WAITS_MAX,
                    "a handler waits for the hart that it interrupted"
                );
            }
        });
        point();
        thread::yield_now();
    }
}
