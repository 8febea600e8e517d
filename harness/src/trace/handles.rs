//! Which handles are issued, and which of them live, at some place in a trace.

use alloc::vec::Vec;

use crate::trace::op::{Handle, Op};

/// Which handles a prefix of a trace has issued and, by the ops alone, left live.
#[derive(Default)]
pub struct Handles {
    issued: u32,
    live: Vec<Handle>,
}

impl Handles {
    /// Takes note of the next op.
    pub fn note(&mut self, op: &Op) {
        match *op {
            Op::Alloc { .. } => {
                self.live.push(Handle(self.issued));
                self.issued += 1;
            }
            Op::Free { handle } => self.live.retain(|&live| live != handle),
            Op::FreeAll => self.live.clear(),
            _ => {}
        }
    }

    /// The live handles, oldest first.
    #[must_use]
    pub fn live(&self) -> &[Handle] {
        &self.live
    }

    /// How many handles were issued.
    #[must_use]
    pub const fn issued(&self) -> u32 {
        self.issued
    }
}
