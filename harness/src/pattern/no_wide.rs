//! What stands for `wide` where there is no AVX-512 to be asked for.

use super::Pattern;

/// Of which there is none.
#[derive(Clone, Copy)]
pub(super) enum Wide {}

impl Wide {
    /// Never.
    #[inline]
    pub(super) const fn detect() -> Option<Self> {
        None
    }

    /// Is not called.
    ///
    /// # Safety
    /// None is needed.
    pub(super) unsafe fn all_hold(
        self,
        _: impl Iterator<Item = (Pattern, *const u8, u64)>,
    ) -> bool {
        match self {}
    }

    /// Is not called.
    ///
    /// # Safety
    /// None is needed.
    pub(super) unsafe fn fill(self, _: Pattern, _: *mut u8, _: u64) {
        match self {}
    }
}
