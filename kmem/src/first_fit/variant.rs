//! What a heap does besides, or has to expect: chosen by a type, so that the plain heap compiles to
//! exactly what it would be alone.

use core::fmt::Debug;

/// A kind of [`FirstFit`](super::FirstFit).
pub trait Variant: Debug {
    /// Whether each header is sealed, so that an overwritten one is noticed.
    const SEALS: bool;
    /// Whether free bytes are poisoned, so that a write to them is noticed.
    const POISONS: bool;
    /// Whether there may be pages of others among the heap's own.
    const GROWS: bool;
}

/// A heap of one region that seals, or poisons, or does both or neither.
#[derive(Debug)]
pub enum Hardening<const SEALS: bool, const POISONS: bool> {}

impl<const SEALS: bool, const POISONS: bool> Variant for Hardening<SEALS, POISONS> {
    const SEALS: bool = SEALS;
    const POISONS: bool = POISONS;
    const GROWS: bool = false;
}

/// What a heap that grows is made of: see [`GrowingKmem`](crate::GrowingKmem).
#[derive(Debug)]
pub enum Extensible {}

impl Variant for Extensible {
    const SEALS: bool = false;
    const POISONS: bool = false;
    const GROWS: bool = true;
}
