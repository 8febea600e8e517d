//! The subjects of this process by name: those that the binary brought along, then ours.
//!
//! A binary names its own once, before anything runs ([`install`]); from then on every command
//! knows them by name.

use std::sync::OnceLock;

use anyhow::{Result, anyhow, ensure};
use harness::entry::Entry;

use crate::suggest::did_you_mean;

static OWN: OnceLock<&'static [Entry]> = OnceLock::new();

/// Adds a binary's own subjects to those of this process. The same list may be added once more.
///
/// # Errors
/// When a name is taken, or another list was added before.
pub fn install(own: &'static [Entry]) -> Result<()> {
    for (index, entry) in own.iter().enumerate() {
        let name = entry.name();
        ensure!(
            own[..index]
                .iter()
                .chain(&subjects::ALL)
                .all(|other| other.name() != name),
            "two subjects are called `{name}`: give yours another name in its declaration"
        );
    }
    let names = |entries: &'static [Entry]| entries.iter().map(Entry::name);
    let installed = *OWN.get_or_init(|| own);
    ensure!(
        names(installed).eq(names(own)),
        "this process has other subjects of its own already, `{}`: bring all of them along in one \
         list",
        names(installed).collect::<Vec<_>>().join("`, `")
    );
    Ok(())
}

/// The binary's own subjects.
#[must_use]
pub fn own() -> &'static [Entry] {
    OWN.get().copied().unwrap_or_default()
}

/// Every subject, mutants included.
pub fn all() -> impl Iterator<Item = &'static Entry> {
    own().iter().chain(&subjects::ALL)
}

/// The subjects that are not mutants: what is tested when nobody says what.
pub fn sound() -> impl Iterator<Item = &'static Entry> {
    all().filter(|entry| !entry.declaration.planted)
}

/// The subject of a command that is not told which: the binary's first, else `kmem`.
#[must_use]
pub fn default() -> &'static Entry {
    let kmem = || subjects::by_name("kmem").expect("it is always there");
    own().first().unwrap_or_else(kmem)
}

/// The subject of a name.
///
/// # Errors
/// When there is none; names those there are, or the feature that it comes with.
pub fn by_name(name: &str) -> Result<&'static Entry> {
    all().find(|entry| entry.name() == name).ok_or_else(|| {
        if let Some(feature) = subjects::feature_of(name) {
            return anyhow!(
                "`{name}` is not built into this program: build it with `--features {feature}`, a \
                 feature of kmem-rig"
            );
        }
        let meant = did_you_mean(name, all().map(Entry::name));
        let names: Vec<_> = sound().map(Entry::name).collect();
        anyhow!(
            "no subject is called `{name}`{meant}; there are: {}",
            names.join(", ")
        )
    })
}
