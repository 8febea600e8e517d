//! Finds kept: each written as a regression, with the verdict of every subject of the family.
//!
//! A folder holds one regression for a [`Key`], since the file is named after it. A find that the
//! folder shows already, under whatever name, is not written again: people edit what they commit.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use harness::entry::Entry;
use harness::trace::Trace;

use crate::host::Host;
use crate::input;
use crate::judge::Finding;
use crate::registry;
use crate::regression::{Expectation, Key, Regression, write_whole};
use crate::rules::Rules;

/// What became of a find.
#[derive(Clone, Debug)]
pub enum Kept {
    /// It was written to this file.
    Written(PathBuf),
    /// This regression shows it already.
    Known(PathBuf),
}

impl Kept {
    /// The file, if it was written.
    #[must_use]
    pub fn written_to(&self) -> Option<String> {
        match self {
            Self::Written(path) => Some(path.display().to_string()),
            Self::Known(_) => None,
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(path) => write!(f, "written to {}", path.display()),
            Self::Known(path) => write!(f, "not written: {} shows it", path.display()),
        }
    }
}

/// Where finds are written, and which are known.
pub struct Finds<'a> {
    out: &'a Path,
    /// The file of each find that a regression shows.
    known: BTreeMap<Key, PathBuf>,
    found: &'a str,
}

impl<'a> Finds<'a> {
    /// Finds go to the folder `out`; those of the regressions in `known` are known, none if there
    /// is no such folder. `found` says how they came about, for the header.
    ///
    /// # Errors
    /// When a file in `known` is no trace.
    pub fn new(out: &'a Path, known: &Path, found: &'a str) -> Result<Self> {
        Ok(Self {
            out,
            known: known_in(known)?,
            found,
        })
    }

    /// Those of the regressions in `known` are known as well.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn and_known_in(mut self, known: &Path) -> Result<Self> {
        self.known.extend(known_in(known)?);
        Ok(self)
    }

    /// The regression that shows the same find, if there is one.
    #[must_use]
    pub fn known(&self, entry: &Entry, finding: &Finding) -> Option<&Path> {
        let key = (entry.name().to_owned(), finding.rule(), finding.kind);
        self.known.get(&key).map(PathBuf::as_path)
    }

    /// The one that shows it in the folder where finds are written.
    #[must_use]
    pub fn committed(&self, entry: &Entry, finding: &Finding) -> Option<&Path> {
        self.known(entry, finding)
            .filter(|path| path.parent() == Some(self.out))
    }

    /// Writes a find, unless a regression shows it; a `note` goes into its title.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub fn keep(
        &self,
        entry: &'static Entry,
        trace: &Trace,
        finding: &Finding,
        rules: Rules,
        host: &mut Host,
        note: Option<&str>,
    ) -> Result<Kept> {
        Ok(match self.known(entry, finding) {
            Some(path) => Kept::Known(path.to_owned()),
            None => Kept::Written(self.write(entry, trace, finding, rules, host, note)?),
        })
    }

    /// Writes a find as a regression, with a `note` in its title; returns its file, which is a new
    /// one.
    ///
    /// # Errors
    /// When it cannot be written, or the rig itself cannot do its work.
    pub fn write(
        &self,
        entry: &'static Entry,
        trace: &Trace,
        finding: &Finding,
        rules: Rules,
        host: &mut Host,
        note: Option<&str>,
    ) -> Result<PathBuf> {
        let (subject, rule, kind) = (entry.name(), finding.rule(), finding.kind.name());
        let note = note.map(|note| format!(" ({note})")).unwrap_or_default();
        let mut expectations = Vec::new();
        let family = |other: &&Entry| other.declaration.family == entry.declaration.family;
        let others = registry::sound().filter(|other| other.name() != subject && family(other));
        for other in std::iter::once(entry).chain(others) {
            let (_, verdict) = host.verdict(other, trace, rules)?;
            expectations.push(Expectation::of(other.name(), &verdict));
        }
        let path = self.unused(&format!("{subject}-{rule}-{kind}").replace('_', "-"));
        let regression = Regression {
            name: String::new(),
            title: format!("{subject} breaks {rule} at {kind}{note}"),
            found: self.found.to_owned(),
            date: today(),
            trace: trace.clone(),
            rules,
            expectations,
        };
        write_whole(&path, regression.document().to_string().as_bytes())?;
        Ok(path)
    }
}

impl Finds<'_> {
    /// A file that is not there yet: `NAME.trace`, else `NAME-2.trace` and so on.
    fn unused(&self, name: &str) -> PathBuf {
        let mut path = self.out.join(format!("{name}.trace"));
        for number in 2_u64.. {
            if !path.exists() {
                break;
            }
            path = self.out.join(format!("{name}-{number}.trace"));
        }
        path
    }
}

/// The finds that the regressions of a folder show, each with its file.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn known_in(folder: &Path) -> Result<BTreeMap<Key, PathBuf>> {
    let mut known = BTreeMap::new();
    if folder.is_dir() {
        for path in input::files(&[folder.to_owned()])? {
            for key in Regression::load(&path)?.keys() {
                known.insert(key, path.clone());
            }
        }
    }
    Ok(known)
}

/// Today's date as a header says it: year-month-day.
fn today() -> String {
    time::OffsetDateTime::now_utc().date().to_string()
}
