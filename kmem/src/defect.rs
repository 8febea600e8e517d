//! Planted defects: the mutants that the rig's own oracles are tested on.
//!
//! Each constant is one small fault in [`FirstFit`](crate::FirstFit), in
//! [`Growing`](crate::Growing) over it, or, where its name starts with `PAGE`, in
//! [`PageRuns`](crate::PageRuns), chosen at compile time by their const parameter, so that
//! [`Kmem`](crate::Kmem) and [`Pages`](crate::Pages) compile to exactly the clean code.
//! They are the slips that people make: a comparison one off, a size with or without its header, a
//! case of two forgotten.
//!
//! Left out on purpose are faults that neither a client nor the table can tell from the clean code:
//!
//! - zeroing the size asked for instead of that rounded up to 8: the rest is not the client's;
//! - a move that copies the slack behind the contents as well: the new block holds as much;
//! - a shrink to the very same chunk that lays the remainder's header anew: it writes what is there;
//! - clearing the payload or the old header of a chunk that is merged away: nobody reads those;
//! - a request for 0 pages that gets one, or a page taken whose run is marked in another order.

/// No defect: the allocators a kernel should use.
pub const NONE: u8 = 0;

/// No defect either: the heap that seals its headers, [`SealedKmem`](crate::SealedKmem). Variants of the same
/// code are chosen as mutants are, so that the plain one compiles to exactly what it would be alone.
pub const SEALED: u8 = 253;
/// No defect either: the heap that poisons what is free, [`PoisonedKmem`](crate::PoisonedKmem).
pub const POISONED: u8 = 254;
/// No defect either: the heap that does both, [`HardenedKmem`](crate::HardenedKmem).
pub const HARDENED: u8 = 255;

/// The variant that seals, or poisons, or does both or neither.
pub const fn hardening(seals: bool, poisons: bool) -> u8 {
    match (seals, poisons) {
        (false, false) => NONE,
        (true, false) => SEALED,
        (false, true) => POISONED,
        (true, true) => HARDENED,
    }
}

/// No defect either: what a heap that grows is made of, [`GrowingKmem`](crate::GrowingKmem). What only such a
/// heap needs is chosen as mutants are, so that the plain one compiles to exactly what it would be alone.
pub const GROWING: u8 = 252;

/// Whether a heap of this kind may have pages of others among its own.
pub const fn may_grow(id: u8) -> bool {
    let mut index = 0;
    while index < GROWTH_MUTANTS.len() {
        if GROWTH_MUTANTS[index].0 == id {
            return true;
        }
        index += 1;
    }
    id == GROWING
}

/// Defines the constants, and the list of them with their names.
macro_rules! defects {
    ($(#[$about:meta])* $list:ident:
     $($(#[$fault:meta])+ $defect:ident = $id:literal, $name:literal;)+) => {
        $($(#[$fault])+ pub const $defect: u8 = $id;)+
        $(#[$about])* pub const $list: &[(u8, &str)] = &[$(($defect, $name)),+];
    };
}

defects! {
    /// The canaries, with their names, in the order of their ids: each shows within six operations
    /// on a heap of 64 pages.
    ALL:
    /// A split lays the remainder 8 bytes too low, into the block just handed out.
    OFF_BY_8_SPLIT = 1, "off-by-8-split";
    /// A freed block is not merged with a free predecessor.
    MISSING_MERGE = 2, "missing-merge";
    /// Every request is placed as if its alignment were 8.
    ALIGNMENT_IGNORED = 3, "alignment-ignored";
    /// Zeroed requests get the bytes their chunk last held.
    NOT_ZEROED = 4, "not-zeroed";
    /// A `realloc` that moves leaves the last 8 bytes of the contents behind.
    REALLOC_COPIES_TOO_LITTLE = 5, "realloc-copies-too-little";
    /// A remainder of exactly 16 bytes is absorbed instead of split off.
    WRONG_REMAINDER_TEST = 6, "wrong-remainder-test";
    /// Zeroing runs 8 bytes past the payload, onto the next chunk's header.
    HEADER_OVERWRITTEN = 7, "header-overwritten";
    /// Panics at an exact fit while another block is live.
    PANIC = 8, "panic";
    /// Spins for ever when a block between two free chunks is freed.
    ENDLESS_LOOP = 9, "endless-loop";
    /// Freeing a block that ends at the heap's end stores 8 bytes just past that end.
    STORE_OUTSIDE = 10, "store-outside";
}

defects! {
    /// Further mutants of the kernel heap, with their names, in the order of their ids.
    HEAP_MUTANTS:
    /// A free chunk of exactly the size needed is passed over.
    EXACT_FIT_REFUSED = 11, "exact-fit-refused";
    /// A free chunk 8 bytes too small is taken to fit.
    FIT_8_TOO_SMALL = 12, "fit-8-too-small";
    /// The highest chunk that fits is taken.
    LAST_FIT = 13, "last-fit";
    /// The smallest chunk that fits is taken.
    BEST_FIT = 14, "best-fit";
    /// The search starts behind the first chunk.
    HEAD_SKIPPED = 15, "head-skipped";
    /// The search does not look at the taken bit.
    TAKEN_REUSED = 16, "taken-reused";
    /// A chunk fits if it holds the block without its front gap.
    FRONT_GAP_NOT_COUNTED = 17, "front-gap-not-counted";
    /// An aligned request fails if the first large enough chunk has no aligned place for it.
    ALIGNED_TRIES_ONE_CHUNK = 18, "aligned-tries-one-chunk";
    /// The sum of size and header wraps.
    OVERFLOW_UNCHECKED = 19, "overflow-unchecked";
    /// A request of 0 bytes gets a chunk of 8.
    NO_LEAST_PAYLOAD = 20, "no-least-payload";
    /// The payload is rounded down to 8.
    PAYLOAD_ROUNDED_DOWN = 21, "payload-rounded-down";
    /// The payload is rounded up to 16.
    PAYLOAD_ROUNDED_TO_16 = 22, "payload-rounded-to-16";
    /// The chunk is as long as its payload.
    HEADER_NOT_COUNTED = 23, "header-not-counted";
    /// The header is aligned, not the payload.
    HEADER_ALIGNED = 24, "header-aligned";
    /// Alignments over 64 are taken for 64.
    ALIGN_AT_MOST_64 = 25, "align-at-most-64";
    /// A front gap of 8 bytes is allowed.
    FRONT_GAP_OF_8 = 26, "front-gap-of-8";
    /// A front gap of 16 bytes is refused.
    FRONT_GAP_OF_16_REFUSED = 27, "front-gap-of-16-refused";
    /// A chunk whose payload is aligned already gets a front gap all the same.
    ALIGNED_PLACE_REFUSED = 28, "aligned-place-refused";
    /// The front gap is marked taken.
    FRONT_GAP_TAKEN = 29, "front-gap-taken";
    /// The header before the front gap keeps the size of the whole chunk.
    FRONT_GAP_NOT_WRITTEN = 30, "front-gap-not-written";
    /// The front gap is added to the chunk below.
    FRONT_GAP_TO_PREDECESSOR = 31, "front-gap-to-predecessor";
    /// A remainder of 8 bytes becomes a chunk.
    REMAINDER_OF_8_SPLIT = 32, "remainder-of-8-split";
    /// A remainder of up to 24 bytes is absorbed.
    REMAINDER_OF_24_ABSORBED = 33, "remainder-of-24-absorbed";
    /// A free chunk is always taken whole.
    NEVER_SPLIT = 34, "never-split";
    /// The remainder's header is not taken off its size.
    REMAINDER_8_TOO_LONG = 35, "remainder-8-too-long";
    /// The remainder's header is taken off its size twice.
    REMAINDER_8_TOO_SHORT = 36, "remainder-8-too-short";
    /// The remainder is marked taken.
    REMAINDER_TAKEN = 37, "remainder-taken";
    /// The remainder gets no header.
    REMAINDER_NOT_WRITTEN = 38, "remainder-not-written";
    /// An absorbed remainder is not added to the chunk's size.
    ABSORBED_NOT_COUNTED = 39, "absorbed-not-counted";
    /// A block handed out stays marked free.
    TAKEN_BIT_NOT_SET = 40, "taken-bit-not-set";
    /// A freed block stays marked taken.
    TAKEN_BIT_NOT_CLEARED = 41, "taken-bit-not-cleared";
    /// A freed block is not merged with a free successor.
    SUCCESSOR_NOT_MERGED = 42, "successor-not-merged";
    /// A freed block between two free chunks is merged with the lower only.
    ONE_NEIGHBOUR_MERGED = 43, "one-neighbour-merged";
    /// A freed block is merged with whatever chunk follows.
    TAKEN_SUCCESSOR_MERGED = 44, "taken-successor-merged";
    /// A freed block is merged with whatever chunk precedes.
    TAKEN_PREDECESSOR_MERGED = 45, "taken-predecessor-merged";
    /// A merged chunk's size lacks its first part's.
    MERGE_LOSES_PREDECESSOR = 46, "merge-loses-predecessor";
    /// A merge with the successor counts a header twice.
    MERGE_ADDS_A_HEADER = 47, "merge-adds-a-header";
    /// A double free is not refused; nothing else comes of it.
    DOUBLE_FREE_ACCEPTED = 48, "double-free-accepted";
    /// Freeing where no block starts is not refused; nothing else comes of it.
    INTERIOR_FREE_ACCEPTED = 49, "interior-free-accepted";
    /// A refused double free marks the chunk taken.
    DOUBLE_FREE_MARKS = 50, "double-free-marks";
    /// Freeing null is refused.
    FREE_NULL_REFUSED = 51, "free-null-refused";
    /// The last 8 bytes of a zeroed block keep what they held.
    ZEROES_8_TOO_LITTLE = 52, "zeroes-8-too-little";
    /// The bytes behind a zeroed block's last whole word keep what they held.
    ZEROES_WHOLE_WORDS_ONLY = 53, "zeroes-whole-words-only";
    /// Only the first page of a zeroed block is zeroed.
    ZEROES_A_PAGE_AT_MOST = 54, "zeroes-a-page-at-most";
    /// Zeroed requests with an alignment over 8 are not zeroed.
    ALIGNED_NOT_ZEROED = 55, "aligned-not-zeroed";
    /// A block that shrinks keeps its chunk.
    SHRINK_KEEPS_ALL = 56, "shrink-keeps-all";
    /// What a shrink frees is not merged with a free successor.
    SHRINK_TAIL_NOT_MERGED = 57, "shrink-tail-not-merged";
    /// A shrink gives a free successor even 8 bytes.
    SHRINK_BY_8_SPLIT = 58, "shrink-by-8-split";
    /// A block that grows is always moved.
    GROW_MOVES = 59, "grow-moves";
    /// A block that would need the whole of its free successor is moved.
    GROW_EXACT_MOVES = 60, "grow-exact-moves";
    /// A block grows in place although 8 bytes are missing.
    GROW_8_TOO_FAR = 61, "grow-8-too-far";
    /// A block grows into whatever chunk follows.
    GROW_INTO_TAKEN = 62, "grow-into-taken";
    /// A block that grows takes the whole of its free successor.
    GROW_TAKES_ALL = 63, "grow-takes-all";
    /// A move leaves the contents behind.
    MOVE_COPIES_NOTHING = 64, "move-copies-nothing";
    /// A move leaves the bytes behind the last whole word behind.
    MOVE_COPIES_WHOLE_WORDS = 65, "move-copies-whole-words";
    /// A move reads as many bytes as the new block has, beyond the old one.
    MOVE_COPIES_NEW_SIZE = 66, "move-copies-new-size";
    /// A move does not free the old block.
    MOVE_LEAKS = 67, "move-leaks";
    /// A move frees the old block before it looks for the new one.
    MOVE_FREES_FIRST = 68, "move-frees-first";
    /// A move that finds no place frees the old block.
    FAILED_MOVE_FREES = 69, "failed-move-frees";
    /// A moved block is aligned to 8.
    MOVE_IGNORES_ALIGNMENT = 70, "move-ignores-alignment";
}

defects! {
    /// Mutants of the page allocator, with their names, in the order of their ids.
    PAGE_MUTANTS:
    /// As many pages are managed as the region has with its descriptors.
    PAGE_DESCRIPTORS_NOT_COUNTED = 71, "page-descriptors-not-counted";
    /// The last page that fits is not managed.
    PAGE_COUNT_ONE_LESS = 72, "page-count-one-less";
    /// The first page lies right behind the descriptors.
    PAGE_FIRST_UNALIGNED = 73, "page-first-unaligned";
    /// The search starts at page 1.
    PAGE_0_SKIPPED = 74, "page-0-skipped";
    /// The search ends before the last page.
    PAGE_LAST_RUN_NOT_TRIED = 75, "page-last-run-not-tried";
    /// A run is looked for that is one page longer than asked.
    PAGE_RUN_ONE_LONGER = 76, "page-run-one-longer";
    /// A taken page in between does not end a run.
    PAGE_RUN_NOT_RESET = 77, "page-run-not-reset";
    /// The last page of a run may be taken.
    PAGE_RUN_END_NOT_TESTED = 78, "page-run-end-not-tested";
    /// The highest run is handed out.
    PAGE_HIGHEST_RUN = 79, "page-highest-run";
    /// The address handed out is of the second page of the run.
    PAGE_ADDRESS_ONE_HIGH = 80, "page-address-one-high";
    /// The last page of a run is not marked last.
    PAGE_LAST_MARK_MISSING = 81, "page-last-mark-missing";
    /// The last mark is on the page before the last.
    PAGE_LAST_MARK_EARLY = 82, "page-last-mark-early";
    /// The last page of a longer run stays free.
    PAGE_RUN_MARKED_SHORT = 83, "page-run-marked-short";
    /// The page behind a run is marked with it.
    PAGE_RUN_MARKED_LONG = 84, "page-run-marked-long";
    /// The last page of a longer run stays taken when the run is freed.
    PAGE_FREES_ONE_TOO_FEW = 85, "page-frees-one-too-few";
    /// The page behind a run is freed with it.
    PAGE_FREES_ONE_TOO_MANY = 86, "page-frees-one-too-many";
    /// Only the first page of a run is freed.
    PAGE_FREES_FIRST_ONLY = 87, "page-frees-first-only";
    /// Freeing an inner page frees the run from there.
    PAGE_INTERIOR_FREED = 88, "page-interior-freed";
    /// A freed page keeps its last mark.
    PAGE_LAST_MARK_KEPT = 89, "page-last-mark-kept";
    /// The last page of a zeroed run keeps what it held.
    PAGE_ZEROES_ONE_LESS = 90, "page-zeroes-one-less";
    /// The page behind a zeroed run is zeroed with it.
    PAGE_ZEROES_ONE_MORE = 91, "page-zeroes-one-more";
    /// As many bytes are zeroed as there are pages.
    PAGE_ZEROES_COUNT = 92, "page-zeroes-count";
}

defects! {
    /// Mutants of the kernel heap's side memory, with their names, in the order of their ids.
    SIDE_MUTANTS:
    /// A block that is merged into the hole before it stays marked as a taken chunk's start.
    TAKEN_MARK_KEPT = 93, "taken-mark-kept";
    /// A hole that is merged into the block before it stays marked as a hole's start.
    HOLE_MARK_KEPT = 94, "hole-mark-kept";
    /// A hole across the end of its span is not noted where it ends.
    CROSSING_NOT_NOTED = 95, "crossing-not-noted";
    /// A hole is noted in the span of the word behind it, not in that of its last word.
    CROSSING_AT_END = 96, "crossing-at-end";
    /// What a crossing names is taken for the hole before a block, whatever it is.
    CROSSING_NOT_CHECKED = 97, "crossing-not-checked";
    /// A hole across the end of its stretch counts in the stretch in which it ends.
    LARGEST_WHERE_IT_ENDS = 98, "largest-where-it-ends";
    /// A stretch whose largest hole is gone counts as one without holes.
    OTHER_HOLES_FORGOTTEN = 99, "other-holes-forgotten";
    /// A larger hole is noted for its stretch, and not above.
    NODES_NOT_RAISED = 100, "nodes-not-raised";
    /// Where one of eight stretches, or nodes, has shrunk, the others count as no larger.
    SIBLINGS_FORGOTTEN = 101, "siblings-forgotten";
    /// A search that goes on behind a stretch ends with its group of eight.
    SEARCH_ENDS_WITH_GROUP = 102, "search-ends-with-group";
    /// A hole that is gone still counts above its stretch.
    NODES_NOT_LOWERED = 103, "nodes-not-lowered";
}

defects! {
    /// Mutants that only cost time, since a search goes on where it finds nothing: no client can tell
    /// them from the clean code, but [`FirstFit::audit`](crate::FirstFit::audit) can.
    SLOW_MUTANTS:
    /// A stretch's largest hole still counts when it is gone.
    LARGEST_NOT_LOWERED = 104, "largest-not-lowered";
}

defects! {
    /// Mutants of the heap that grows, with their names, in the order of their ids.
    GROWTH_MUTANTS:
    /// A request that no chunk holds is refused, as by a heap that cannot grow.
    GROWTH_REFUSED = 105, "growth-refused";
    /// One page too few is taken.
    GROWS_A_PAGE_LESS = 106, "grows-a-page-less";
    /// One page more than needed is taken.
    GROWS_A_PAGE_MORE = 107, "grows-a-page-more";
    /// The free chunk before the pages that are taken counts as if it were not there.
    TAIL_NOT_COUNTED = 108, "tail-not-counted";
    /// The front gap of an aligned request is forgotten when pages are counted.
    GROWTH_IGNORES_ALIGNMENT = 109, "growth-ignores-alignment";
    /// New pages are not merged with the free chunk before them.
    GROWTH_NOT_MERGED = 110, "growth-not-merged";
    /// The highest region that can grow does, not the lowest.
    HIGHEST_REGION_GROWS = 111, "highest-region-grows";
    /// A heap only grows in place.
    NO_NEW_REGION = 112, "no-new-region";
    /// Where the next pages are another's, they are taken all the same.
    TAKES_OTHERS_PAGES = 113, "takes-others-pages";
    /// The free chunk at the old end is lost when a region is added above.
    OLD_TOP_FORGOTTEN = 114, "old-top-forgotten";
    /// A block that ends its region cannot be found by its end.
    REGION_END_UNKNOWN = 115, "region-end-unknown";
    /// An empty region is kept.
    EMPTY_REGION_KEPT = 116, "empty-region-kept";
    /// A region that a move has emptied is kept.
    MOVED_FROM_REGION_KEPT = 117, "moved-from-region-kept";
    /// A region is given back as soon as its first chunk is free.
    GIVEN_BACK_IN_USE = 118, "given-back-in-use";
    /// A region that is no more stays taken at the page allocator.
    PAGES_NOT_RETURNED = 119, "pages-not-returned";
    /// Of a region that has grown in place, only the pages that it was made with are returned.
    LATER_PAGES_NOT_RETURNED = 120, "later-pages-not-returned";
    /// A block that cannot be resized for want of pages does not get any.
    REALLOC_DOES_NOT_GROW = 121, "realloc-does-not-grow";
    /// A block is not given the pages behind it, though it could stay where it is.
    REALLOC_NOT_EXTENDED = 122, "realloc-not-extended";
}

/// A defect's name; nothing for [`NONE`].
pub const fn name_of(id: u8) -> Option<&'static str> {
    let lists = [
        ALL,
        HEAP_MUTANTS,
        PAGE_MUTANTS,
        SIDE_MUTANTS,
        SLOW_MUTANTS,
        GROWTH_MUTANTS,
    ];
    let mut list = 0;
    while list < lists.len() {
        let mut index = 0;
        while index < lists[list].len() {
            if lists[list][index].0 == id {
                return Some(lists[list][index].1);
            }
            index += 1;
        }
        list += 1;
    }
    None
}
