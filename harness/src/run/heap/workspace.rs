//! The memory a run needs besides its heap.

use crate::subject::table::Text;
use crate::trace::OPS_MAX;
use crate::trace::op::Align;

/// The most client writes of one trace that verification can tell from corruption.
pub(super) const WRITES_MAX: usize = 64;

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

    /// An unused workspace, made where it stays: two of them are more than a thread's stack holds.
    #[cfg(feature = "alloc")]
    #[must_use]
    pub fn boxed() -> alloc::boxed::Box<Self> {
        let mut workspace = alloc::boxed::Box::<Self>::new_uninit();
        // SAFETY: all zero is a value, which `new` has too: null, 0 and `Align::MIN`.
        unsafe {
            workspace.as_mut_ptr().write_bytes(0, 1);
            workspace.assume_init()
        }
    }
}

/// The slots that are live, lowest first.
pub(super) struct LiveSlots<'a> {
    words: &'a [u64],
    /// The word of `bits` plus one.
    next: usize,
    /// Those of this word that are still to come.
    bits: u64,
    except: Option<usize>,
}

impl<'a> LiveSlots<'a> {
    /// Of the first `issued` slots those from `first` on, but for one.
    #[inline]
    pub(super) fn new(
        workspace: &'a Workspace,
        issued: usize,
        first: usize,
        except: Option<usize>,
    ) -> Self {
        let words = &workspace.live[..issued.div_ceil(64)];
        let mut slots = Self {
            words,
            next: first / 64,
            bits: 0,
            except,
        };
        slots.open_word();
        slots.bits &= !0 << (first % 64);
        slots
    }

    /// Goes on to the next word; whether there is one.
    #[inline]
    fn open_word(&mut self) -> bool {
        let Some(&word) = self.words.get(self.next) else {
            return false;
        };
        self.bits = match self.except {
            Some(slot) if slot / 64 == self.next => word & !(1 << (slot % 64)),
            _ => word,
        };
        self.next += 1;
        true
    }
}

impl Iterator for LiveSlots<'_> {
    type Item = usize;

    #[inline]
    fn next(&mut self) -> Option<usize> {
        while self.bits == 0 {
            if !self.open_word() {
                return None;
            }
        }
        let bit = self.bits.trailing_zeros() as usize;
        self.bits &= self.bits - 1;
        Some((self.next - 1) * 64 + bit)
    }
}

impl Default for Workspace {
    fn default() -> Self {
        Self::new()
    }
}
