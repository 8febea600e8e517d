//! The reference models: obviously right, and without a line in common with any subject.
//!
//! ```text
//! contract   which blocks are live: all that any allocator's client may rely on
//! grants     what the empty heap granted, and so must again: where the overhead is unknown
//! cycles     what an empty heap grants from cycle to cycle, where caches are kept
//! gaps       where a request must fit between live blocks, for a known overhead
//! exact      where a declared policy places blocks, and the chunk list it leaves
//!   first_fit, lowest_run      the two policies, each over one `chunk_list`
//!   follower                   either over a whole trace, by its own word
//! pages      which pages a heap that grows takes and gives back
//! gap_list   both policies again, fast: what a search screens by, tested against `exact`
//! area       which bytes of a region are handed out at all
//! ```
//!
//! They hold offsets, never memory, and judge nothing: [`crate::judge`] compares what they say with
//! what was observed. The one thing they share with the harness besides its data types is
//! [`harness::table::ChunkHash`], the name that both sides give to a chunk list.

pub mod area;
pub mod chunk_list;
pub mod contract;
pub mod cycles;
pub mod exact;
pub mod first_fit;
pub mod follower;
pub mod gap_list;
pub mod gaps;
pub mod grants;
pub mod lowest_run;
pub mod pages;
