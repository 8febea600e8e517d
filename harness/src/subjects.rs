//! The allocators this project brings along, each an adapter of a few lines, and the registry
//! through which host and guest reach them by name.

mod kernel_heap;
mod page_allocator;

pub use kernel_heap::{FirstFitHeap, PublishedHeap};
pub use page_allocator::{CompletePages, PublishedPages};

use kmem::defect;

use crate::declaration::Declaration;
use crate::execute::{self, Completion, Plan, Sink};
use crate::heap::Workspace;
use crate::subject::{Region, Subject};

/// A subject with its type forgotten: what it declares, and its own copy of `execute`.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// What the subject's users are told.
    pub declaration: Declaration,
    /// [`execute::execute`] of this subject.
    pub execute: unsafe fn(Plan<'_>, Region, &mut Workspace, &mut dyn Sink) -> Completion,
    /// [`execute::fresh_capacity`] of this subject.
    pub fresh_capacity: unsafe fn(Region, &mut Workspace) -> u64,
}

impl Entry {
    /// The entry of a subject.
    #[must_use]
    pub const fn of<S: Subject>() -> Self {
        Self {
            declaration: S::DECLARATION,
            execute: execute::execute::<S>,
            fresh_capacity: execute::fresh_capacity::<S>,
        }
    }

    /// The subject's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.declaration.name
    }
}

/// Something that stands between the harness and every subject, such as the guest's switch of
/// privilege. It declares what its subject declares.
pub trait Layer {
    /// The subject as the harness sees it then.
    type Around<S: Subject>: Subject;
}

/// Nothing between.
pub struct Bare;

impl Layer for Bare {
    type Around<S: Subject> = S;
}

/// Both generations of both allocators.
pub const SUBJECTS: [Entry; 4] = subjects_within::<Bare>();

/// [`SUBJECTS`], each within a layer.
#[must_use]
pub const fn subjects_within<L: Layer>() -> [Entry; 4] {
    [
        Entry::of::<L::Around<PublishedHeap>>(),
        Entry::of::<L::Around<FirstFitHeap<{ defect::NONE }>>>(),
        Entry::of::<L::Around<PublishedPages>>(),
        Entry::of::<L::Around<CompletePages>>(),
    ]
}

/// `kmem` with one planted defect each: what the oracles are tested on.
pub const CANARIES: [Entry; 10] = canaries_within::<Bare>();

/// [`CANARIES`], each within a layer.
#[must_use]
pub const fn canaries_within<L: Layer>() -> [Entry; 10] {
    [
        Entry::of::<L::Around<FirstFitHeap<{ defect::OFF_BY_8_SPLIT }>>>(),
        Entry::of::<L::Around<FirstFitHeap<{ defect::MISSING_MERGE }>>>(),
        Entry::of::<L::Around<FirstFitHeap<{ defect::ALIGNMENT_IGNORED }>>>(),
        Entry::of::<L::Around<FirstFitHeap<{ defect::NOT_ZEROED }>>>(),
        Entry::of::<L::Around<FirstFitHeap<{ defect::REALLOC_COPIES_TOO_LITTLE }>>>(),
        Entry::of::<L::Around<FirstFitHeap<{ defect::WRONG_REMAINDER_TEST }>>>(),
        Entry::of::<L::Around<FirstFitHeap<{ defect::HEADER_OVERWRITTEN }>>>(),
        Entry::of::<L::Around<FirstFitHeap<{ defect::PANIC }>>>(),
        Entry::of::<L::Around<FirstFitHeap<{ defect::ENDLESS_LOOP }>>>(),
        Entry::of::<L::Around<FirstFitHeap<{ defect::STORE_OUTSIDE }>>>(),
    ]
}
const _: () = assert!(CANARIES.len() == defect::ALL.len());

/// Every subject there is, canaries last.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    SUBJECTS.iter().chain(&CANARIES)
}

/// The subject of a name.
#[must_use]
pub fn by_name(name: &str) -> Option<&'static Entry> {
    all().find(|entry| entry.name() == name)
}
