//! What the allocators promise, through their public interface.
//!
//! `arena` gives memory with guards, `fixture` a heap over it in terms of offsets, `xorshift`
//! random numbers; the others each show one side: `policy` and `random` the correct generation,
//! `published` the bugs of 2019, `side` what is kept beside the heap, `growing` heaps that grow,
//! `endless` those of either kind that never return, `words` what is said of refusals and tables,
//! `shared` one heap of several threads, `refusals`, `pages` and `global` what their names say.

#![allow(unsafe_code, reason = "tests call allocators and touch their memory")]

mod arena;
#[cfg(not(miri))] // Miri starts no processes.
mod endless;
mod fixture;
mod global;
mod growing;
mod hardened;
mod pages;
mod policy;
mod published;
mod random;
mod refusals;
mod shared;
mod side;
mod words;
mod xorshift;
