//! What the allocators promise, through their public interface.
//!
//! `arena` gives memory with guards, `fixture` a heap over it in terms of offsets; the others each
//! show one side: `policy` and `random` the correct generation, `published` the defects of 2019,
//! `defects` the planted ones, `refusals`, `pages` and `global` what their names say.

mod arena;
mod fixture;
mod policy;
mod random;
mod refusals;
