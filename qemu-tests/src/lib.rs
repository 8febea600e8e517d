//! What the tests here share: a booted guest, and the regressions.

pub mod many_harts;

use kmem_rig::guest::{Configuration, Guest, Mode, find_image};
use kmem_rig::regression::Regression;

/// Supervisor mode, on QEMU's own choice of processor.
#[must_use]
pub fn supervisor() -> Configuration {
    Configuration {
        mode: Mode::Supervisor,
        cpu: None,
    }
}

/// A booted guest, in machine mode.
///
/// # Panics
/// When there is none to boot; the message says what to run.
#[must_use]
pub fn boot() -> Guest {
    boot_as(&Configuration::default())
}

/// A booted guest of this configuration.
///
/// # Panics
/// When there is none to boot; the message says what to run.
#[must_use]
pub fn boot_as(configuration: &Configuration) -> Guest {
    let started = find_image(None).and_then(|image| Guest::start_as(&image, configuration));
    started.unwrap_or_else(|error| panic!("{error:#}"))
}

/// Every committed regression, by name.
///
/// # Panics
/// When one cannot be read, or there is none.
#[must_use]
pub fn regressions() -> Vec<Regression> {
    testkit::regressions(Regression::load)
}
