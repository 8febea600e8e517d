//! The allocators under test: by name, checked before use, and in a workspace of their own.
//!
//! | to | read |
//! |---|---|
//! | find a subject by its name | [`registry`] |
//! | check that an adapter does what it declares | [`adapter`] |
//! | write a workspace for another allocator | `new` |

pub mod adapter;
#[cfg(feature = "cli")]
pub mod new;
pub mod registry;
