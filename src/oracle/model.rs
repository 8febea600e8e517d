//! The reference models: obviously right, and without a line in common with any subject.
//!
//! ```text
//! contract   which blocks are live: all that any allocator's client may rely on
//!   by_address                 those blocks by handle and by address
//! grants     what the empty heap granted, and so must again: where the overhead is unknown
//! cycles     what an empty heap grants from cycle to cycle, where caches are kept
//! gaps       where a request must fit between live blocks, for a known overhead
//! exact      where a declared policy places blocks, and the chunk list it leaves
//!   chunk_list                 its chunks, by address
//!   fit                        which of them a request takes, and how much of it
//!   pages                      which pages a heap that grows takes and gives back
//!   follower                   the same over a whole trace, by its own word
//! area       which bytes of a region are handed out at all
//! ```
//!
//! They hold offsets, never memory, and judge nothing: [`crate::oracle::judge`] compares what they
//! say with what was observed. The one thing they share with the harness besides its data types is
//! [`harness::table::ChunkHash`], the name that both sides give to a chunk list.

/// Implements `Clone` such that `clone_from` keeps the memory that the fields have.
macro_rules! clone_in_place {
    ($type:ty { $($field:ident),+ $(,)? } $(where $($of:ident: $bound:path),+)?) => {
        impl $(<$($of: $bound),+>)? Clone for $type {
            fn clone(&self) -> Self {
                Self { $($field: self.$field.clone()),+ }
            }

            fn clone_from(&mut self, other: &Self) {
                $(self.$field.clone_from(&other.$field);)+
            }
        }
    };
}
pub(crate) use clone_in_place;

pub mod area;
pub mod by_address;
pub mod chunk_list;
pub mod contract;
pub mod cycles;
pub mod exact;
mod fit;
pub mod follower;
pub mod gaps;
pub mod grants;
#[cfg(test)]
pub mod naive;
pub mod pages;
