//! The subjects of this process: ours, unless a binary brought its own list.
//!
//! A binary names its subjects once, before anything runs ([`install`]); from then on every
//! command knows them by name.

use std::sync::OnceLock;

use anyhow::{Result, anyhow};
use harness::entry::Entry;

static ENTRIES: OnceLock<&'static [Entry]> = OnceLock::new();

/// Makes `entries` the subjects of this process. The first call counts.
pub fn install(entries: &'static [Entry]) {
    // A process that was told twice keeps what it may have used already.
    let _ = ENTRIES.set(entries);
}

/// Every subject, those with a planted defect included.
#[must_use]
pub fn all() -> &'static [Entry] {
    ENTRIES.get().copied().unwrap_or(&subjects::ALL)
}

/// The subjects without a planted defect: what is tested when nobody says what.
pub fn sound() -> impl Iterator<Item = &'static Entry> {
    all().iter().filter(|entry| !entry.declaration.planted)
}

/// The subject of a name.
///
/// # Errors
/// When there is none; names those there are.
pub fn by_name(name: &str) -> Result<&'static Entry> {
    all()
        .iter()
        .find(|entry| entry.name() == name)
        .ok_or_else(|| {
            let names: Vec<_> = all().iter().map(Entry::name).collect();
            anyhow!(
                "no subject is called `{name}`; there are: {}",
                names.join(", ")
            )
        })
}
