//! The memory a run needs besides its heap.

use super::WRITES_MAX;
use crate::op::Align;
use crate::table::Text;
use crate::trace::OPS_MAX;

/// A block a trace has asked for. Dead slots keep their address for the misuse lane.
#[derive(Clone, Copy)]
pub(super) struct Slot {
    pub address: *mut u8,
    pub size: u64,
    pub align: Align,
}

/// The memory a run needs besides its heap; made once and used for run after run.
pub struct Workspace {
    pub(super) slots: [Slot; OPS_MAX],
    /// A bit a slot: set iff it is live. Words behind the last issued slot mean nothing.
    pub(super) live: [u64; OPS_MAX / 64],
    /// Client writes, as offsets from the region's start: they are not corruption.
    pub(super) writes: [(u64, u64); WRITES_MAX],
    pub(super) printed: Text,
    pub(super) rewritten: Text,
}

impl Workspace {
    /// An unused workspace. It is all zero, so that one in a program's data takes up no image.
    #[must_use]
    pub const fn new() -> Self {
        let slot = Slot {
            address: core::ptr::null_mut(),
            size: 0,
            align: Align::MIN,
        };
        Self {
            slots: [slot; OPS_MAX],
            live: [0; OPS_MAX / 64],
            writes: [(0, 0); WRITES_MAX],
            printed: Text::new(),
            rewritten: Text::new(),
        }
    }
}

impl Default for Workspace {
    fn default() -> Self {
        Self::new()
    }
}
