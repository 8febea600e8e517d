//! The allocators this project brings along, each an adapter of a few lines, and the registry
//! through which host and guest reach them by name.

mod kernel_heap;
mod page_allocator;

pub use kernel_heap::{FirstFitHeap, PublishedHeap};
pub use page_allocator::{CompletePages, PublishedPages};

use crate::branch::{self, Branches};
use crate::declaration::Declaration;
use crate::execute::{self, Completion, Plan, Sink};
use crate::heap::Workspace;
use crate::op::Op;
use crate::subject::{Region, Subject};

/// A subject with its type forgotten: what it declares, and its own copy of `execute`.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What the subject's users are told.
    pub declaration: Declaration,
    /// [`execute::execute`] of this subject.
    pub execute: unsafe fn(Plan<'_>, Region, &mut Workspace, &mut dyn Sink) -> Completion,
    /// [`branch::branch`] of this subject; set iff its table is its state.
    pub branch: Option<Branch>,
}

/// The type of [`branch::branch`].
pub type Branch = unsafe fn(&[Op], u64, Region, &mut Workspace, &mut [u8], &mut dyn Branches);

impl Entry {
    /// The entry of a subject.
    #[must_use]
    pub const fn of<S: Subject>() -> Self {
        Self {
            declaration: S::DECLARATION,
            execute: execute::execute::<S>,
            branch: if S::TABLE_IS_STATE {
                Some(branch::branch::<S>)
            } else {
                None
            },
        }
    }

    /// The subject's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.declaration.name
    }
}

/// Both generations of both allocators.
pub const SUBJECTS: [Entry; 4] = [
    Entry::of::<PublishedHeap>(),
    Entry::of::<FirstFitHeap<{ kmem::defect::NONE }>>(),
    Entry::of::<PublishedPages>(),
    Entry::of::<CompletePages>(),
];

/// `kmem` with one planted defect each: what the oracles are tested on.
pub const CANARIES: [Entry; 10] = [
    Entry::of::<FirstFitHeap<{ kmem::defect::OFF_BY_8_SPLIT }>>(),
    Entry::of::<FirstFitHeap<{ kmem::defect::MISSING_MERGE }>>(),
    Entry::of::<FirstFitHeap<{ kmem::defect::ALIGNMENT_IGNORED }>>(),
    Entry::of::<FirstFitHeap<{ kmem::defect::NOT_ZEROED }>>(),
    Entry::of::<FirstFitHeap<{ kmem::defect::REALLOC_COPIES_TOO_LITTLE }>>(),
    Entry::of::<FirstFitHeap<{ kmem::defect::WRONG_REMAINDER_TEST }>>(),
    Entry::of::<FirstFitHeap<{ kmem::defect::HEADER_OVERWRITTEN }>>(),
    Entry::of::<FirstFitHeap<{ kmem::defect::PANIC }>>(),
    Entry::of::<FirstFitHeap<{ kmem::defect::ENDLESS_LOOP }>>(),
    Entry::of::<FirstFitHeap<{ kmem::defect::STORE_OUTSIDE }>>(),
];
const _: () = assert!(CANARIES.len() == kmem::defect::ALL.len());

/// Every subject there is, canaries last.
pub static ALL: [Entry; SUBJECTS.len() + CANARIES.len()] = {
    let mut all = [SUBJECTS[0]; SUBJECTS.len() + CANARIES.len()];
    let mut index = 0;
    while index < all.len() {
        all[index] = match index.checked_sub(SUBJECTS.len()) {
            Some(canary) => CANARIES[canary],
            None => SUBJECTS[index],
        };
        index += 1;
    }
    all
};

/// Every subject there is, canaries last.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    ALL.iter()
}

/// The subject of a name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Entry> {
    all().find(|entry| entry.name() == name)
}
