//! `kmem` and `page` with one planted defect each: what the oracles are tested on.

use harness::entry::Entry;
use kmem::defect;

use crate::ours::{CompletePages, FirstFitHeap, GrowingHeap};

/// One defect for each thing an oracle must see.
pub const CANARIES: [Entry; 10] = [
    Entry::of::<FirstFitHeap<{ defect::OFF_BY_8_SPLIT }>>(),
    Entry::of::<FirstFitHeap<{ defect::MISSING_MERGE }>>(),
    Entry::of::<FirstFitHeap<{ defect::ALIGNMENT_IGNORED }>>(),
    Entry::of::<FirstFitHeap<{ defect::NOT_ZEROED }>>(),
    Entry::of::<FirstFitHeap<{ defect::REALLOC_COPIES_TOO_LITTLE }>>(),
    Entry::of::<FirstFitHeap<{ defect::WRONG_REMAINDER_TEST }>>(),
    Entry::of::<FirstFitHeap<{ defect::HEADER_OVERWRITTEN }>>(),
    Entry::of::<FirstFitHeap<{ defect::PANIC }>>(),
    Entry::of::<FirstFitHeap<{ defect::ENDLESS_LOOP }>>(),
    Entry::of::<FirstFitHeap<{ defect::STORE_OUTSIDE }>>(),
];
const _: () = assert!(CANARIES.len() == defect::ALL.len());

/// The entries of a subject with one of these defects each.
macro_rules! mutants {
    ($subject:ident: $($defect:ident)+) => {
        [$(Entry::of::<$subject<{ defect::$defect }>>()),+]
    };
}

/// Further mutants of `kmem`, a planted defect each.
pub const HEAP_MUTANTS: [Entry; defect::HEAP_MUTANTS.len()] = mutants! { FirstFitHeap:
    EXACT_FIT_REFUSED FIT_8_TOO_SMALL LAST_FIT BEST_FIT HEAD_SKIPPED TAKEN_REUSED
    FRONT_GAP_NOT_COUNTED ALIGNED_TRIES_ONE_CHUNK OVERFLOW_UNCHECKED NO_LEAST_PAYLOAD
    PAYLOAD_ROUNDED_DOWN PAYLOAD_ROUNDED_TO_16 HEADER_NOT_COUNTED HEADER_ALIGNED
    ALIGN_AT_MOST_64 FRONT_GAP_OF_8 FRONT_GAP_OF_16_REFUSED ALIGNED_PLACE_REFUSED
    FRONT_GAP_TAKEN FRONT_GAP_NOT_WRITTEN FRONT_GAP_TO_PREDECESSOR REMAINDER_OF_8_SPLIT
    REMAINDER_OF_24_ABSORBED NEVER_SPLIT REMAINDER_8_TOO_LONG REMAINDER_8_TOO_SHORT
    REMAINDER_TAKEN REMAINDER_NOT_WRITTEN ABSORBED_NOT_COUNTED TAKEN_BIT_NOT_SET
    TAKEN_BIT_NOT_CLEARED SUCCESSOR_NOT_MERGED ONE_NEIGHBOUR_MERGED TAKEN_SUCCESSOR_MERGED
    TAKEN_PREDECESSOR_MERGED MERGE_LOSES_PREDECESSOR MERGE_ADDS_A_HEADER
    DOUBLE_FREE_ACCEPTED INTERIOR_FREE_ACCEPTED DOUBLE_FREE_MARKS FREE_NULL_REFUSED
    ZEROES_8_TOO_LITTLE ZEROES_WHOLE_WORDS_ONLY ZEROES_A_PAGE_AT_MOST ALIGNED_NOT_ZEROED
    SHRINK_KEEPS_ALL SHRINK_TAIL_NOT_MERGED SHRINK_BY_8_SPLIT GROW_MOVES GROW_EXACT_MOVES
    GROW_8_TOO_FAR GROW_INTO_TAKEN GROW_TAKES_ALL MOVE_COPIES_NOTHING
    MOVE_COPIES_WHOLE_WORDS MOVE_COPIES_NEW_SIZE MOVE_LEAKS MOVE_FREES_FIRST
    FAILED_MOVE_FREES MOVE_IGNORES_ALIGNMENT
};

/// Mutants of `page`, a planted defect each.
pub const PAGE_MUTANTS: [Entry; defect::PAGE_MUTANTS.len()] = mutants! { CompletePages:
    PAGE_DESCRIPTORS_NOT_COUNTED PAGE_COUNT_ONE_LESS PAGE_FIRST_UNALIGNED PAGE_0_SKIPPED
    PAGE_LAST_RUN_NOT_TRIED PAGE_RUN_ONE_LONGER PAGE_RUN_NOT_RESET PAGE_RUN_END_NOT_TESTED
    PAGE_HIGHEST_RUN PAGE_ADDRESS_ONE_HIGH PAGE_LAST_MARK_MISSING PAGE_LAST_MARK_EARLY
    PAGE_RUN_MARKED_SHORT PAGE_RUN_MARKED_LONG PAGE_FREES_ONE_TOO_FEW
    PAGE_FREES_ONE_TOO_MANY PAGE_FREES_FIRST_ONLY PAGE_INTERIOR_FREED PAGE_LAST_MARK_KEPT
    PAGE_ZEROES_ONE_LESS PAGE_ZEROES_ONE_MORE PAGE_ZEROES_COUNT
};

/// Mutants of `kmem`'s side memory, a planted defect each.
pub const SIDE_MUTANTS: [Entry; defect::SIDE_MUTANTS.len()] = mutants! { FirstFitHeap:
    TAKEN_MARK_KEPT HOLE_MARK_KEPT CROSSING_NOT_NOTED CROSSING_AT_END CROSSING_NOT_CHECKED
    LARGEST_WHERE_IT_ENDS OTHER_HOLES_FORGOTTEN NODES_NOT_RAISED SIBLINGS_FORGOTTEN
    SEARCH_ENDS_WITH_GROUP NODES_NOT_LOWERED
};

/// Mutants that are no worse than slow: only an audit tells them.
pub const SLOW_MUTANTS: [Entry; defect::SLOW_MUTANTS.len()] = mutants! { FirstFitHeap:
    LARGEST_NOT_LOWERED
};

/// The entries of the heap that grows, with one of these defects each.
macro_rules! growth_mutants {
    ($($defect:ident)+) => {
        [$(Entry::of::<FirstFitHeap<{ defect::$defect }>>()
            .growing::<GrowingHeap<{ defect::$defect }>>()),+]
    };
}

/// Mutants of how `kmem` grows, a planted defect each. On a heap that does not, they have none.
pub const GROWTH_MUTANTS: [Entry; defect::GROWTH_MUTANTS.len()] = growth_mutants! {
    GROWTH_REFUSED GROWS_A_PAGE_LESS GROWS_A_PAGE_MORE TAIL_NOT_COUNTED
    GROWTH_IGNORES_ALIGNMENT GROWTH_NOT_MERGED HIGHEST_REGION_GROWS NO_NEW_REGION
    TAKES_OTHERS_PAGES OLD_TOP_FORGOTTEN REGION_END_UNKNOWN EMPTY_REGION_KEPT
    MOVED_FROM_REGION_KEPT GIVEN_BACK_IN_USE PAGES_NOT_RETURNED LATER_PAGES_NOT_RETURNED
    REALLOC_DOES_NOT_GROW REALLOC_NOT_EXTENDED
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ALL, DEFECTS};

    #[test]
    fn every_defect_has_its_entry_and_no_name_comes_twice() {
        let planted = ALL.iter().filter(|entry| entry.declaration.planted);
        let names = DEFECTS.iter().copied().flatten().map(|(_, name)| *name);
        assert!(planted.map(Entry::name).eq(names));
        for (index, entry) in ALL.iter().enumerate() {
            assert!(
                ALL[..index]
                    .iter()
                    .all(|other| other.name() != entry.name())
            );
            assert!(entry.name().len() < harness::declaration::NAME_BYTES);
        }
    }
}
