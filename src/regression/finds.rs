//! Finds kept: each written as a regression, with the verdict of every subject of the family.
//!
//! A file is named after its find's [`Key`]. A find that the folder shows already, under whatever
//! name, is not written again: people edit what they commit. Panics and faults of one key are told
//! apart by their place in the code, which the folder's regressions are run for. A find that does
//! not repeat itself is written without an expectation, and is known to nobody.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Result;
use harness::entry::Entry;
use harness::trace::Trace;

use crate::execute::capacity::Measured;
use crate::execute::executor::Executor;
use crate::execute::side::{Side, Sides};
use crate::oracle::judge::Finding;
use crate::oracle::rules::Rules;
use crate::regression::confirm::{self, Replayed};
use crate::regression::{Key, Regression, write_whole};
use crate::run::fault::SourceLine;
use crate::subject::registry;
use crate::trace::input;

/// What became of a find.
#[derive(Clone, Debug)]
pub enum Kept {
    /// It was written to this file, after these replays.
    Written(PathBuf, Replayed),
    /// This regression shows it already.
    Known(PathBuf),
}

impl Kept {
    /// The file, if it was written.
    #[must_use]
    pub fn written_to(&self) -> Option<String> {
        match self {
            Self::Written(path, _) => Some(path.display().to_string()),
            Self::Known(_) => None,
        }
    }

    /// The replays before it was written.
    #[must_use]
    pub const fn replayed(&self) -> Option<&Replayed> {
        match self {
            Self::Written(_, replayed) => Some(replayed),
            Self::Known(_) => None,
        }
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written(path, replayed) => {
                write!(f, "written to {}", path.display())?;
                let note = replayed.note();
                note.map_or(Ok(()), |note| write!(f, " ({note})"))
            }
            Self::Known(path) => write!(f, "not written: {} shows it", path.display()),
        }
    }
}

/// A find that is to be kept.
#[derive(Clone, Copy)]
pub struct Sought<'a> {
    /// The subject.
    pub entry: &'static Entry,
    /// The trace that shows it.
    pub trace: &'a Trace,
    /// What it shows.
    pub finding: &'a Finding,
    /// The rules it is judged by.
    pub rules: Rules,
    /// Whether the search for a smaller trace came to its end.
    pub minimal: bool,
    /// When the time for replays is over.
    pub replay_until: Option<Instant>,
    /// Where it was found.
    pub side: Side,
}

impl Sought<'_> {
    /// Replays it on each side that is there.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    pub fn replay(&self, sides: &mut Sides<'_>) -> Result<Replayed> {
        self.replay_on(self.entry, sides)
    }

    fn replay_on(&self, entry: &Entry, sides: &mut Sides<'_>) -> Result<Replayed> {
        let rule = self.finding.rule();
        confirm::replay(
            entry,
            self.trace,
            self.rules,
            rule,
            sides,
            self.replay_until,
        )
    }
}

/// Where finds are written, and which are known.
pub struct Finds<'a> {
    out: &'a Path,
    known: Known,
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

    /// Those of the regressions in `known` are known as well, and named before others that show the
    /// same.
    ///
    /// # Errors
    /// As for [`Self::new`].
    pub fn and_known_in(mut self, known: &Path) -> Result<Self> {
        for (key, paths) in known_in(known)? {
            self.known.entry(key).or_default().splice(0..0, paths);
        }
        Ok(self)
    }

    /// The regression that shows the same find, if there is one. Places in the code are compared as
    /// they are on this side, where the find was met: a compiler may tell others for the other
    /// machine.
    ///
    /// # Errors
    /// When a regression cannot be read, or the rig itself cannot do its work.
    pub fn known(
        &self,
        entry: &Entry,
        finding: &Finding,
        executor: &mut Measured<dyn Executor>,
    ) -> Result<Option<&Path>> {
        let key = (entry.name().to_owned(), finding.rule(), finding.kind);
        shown(
            &self.known,
            entry,
            &key,
            finding.violation.source(),
            executor,
        )
    }

    /// Whether a regression is in the folder where finds are written.
    #[must_use]
    pub fn holds(&self, path: &Path) -> bool {
        path.parent() == Some(self.out)
    }

    /// Replays a find and writes it, unless a regression shows it.
    ///
    /// # Errors
    /// As for [`Self::write`].
    pub fn keep(&self, find: &Sought<'_>, sides: &mut Sides<'_>) -> Result<Kept> {
        let executor = sides.executor(find.side)?;
        if let Some(path) = self.known(find.entry, find.finding, executor)? {
            return Ok(Kept::Known(path.to_owned()));
        }
        let replayed = find.replay(sides)?;
        let path = self.write(find, &replayed, sides)?;
        Ok(Kept::Written(path, replayed))
    }

    /// Writes a find as a regression that expects what its replays did, and what those of the other
    /// subjects of the family do; nothing, unless it was seen each time on one side at least.
    /// Returns its file: a new one, or one that holds the same trace and expects nothing either.
    ///
    /// # Errors
    /// When it cannot be written, or the rig itself cannot do its work.
    pub fn write(
        &self,
        find: &Sought<'_>,
        replayed: &Replayed,
        sides: &mut Sides<'_>,
    ) -> Result<PathBuf> {
        let &Sought {
            entry,
            trace,
            finding,
            rules,
            minimal,
            ..
        } = find;
        let (subject, rule, kind) = (entry.name(), finding.rule(), finding.kind.name());
        let mut expectations = Vec::new();
        if replayed.are_a_find() {
            expectations = replayed.expectations(subject);
            let others = registry::sound().filter(|other| {
                other.name() != subject
                    && other.declaration.family == entry.declaration.family
                    && other.declaration.accepts(trace.geometry)
            });
            for other in others {
                let replayed = find.replay_on(other, sides)?;
                expectations.extend(replayed.expectations(other.name()));
            }
        }
        let name = format!("{subject}-{rule}-{kind}").replace('_', "-");
        let mut path = self.out.join(format!("{name}.trace"));
        for number in 2_u64.. {
            if !path.exists() {
                break;
            }
            let is_same =
                |there: &Regression| there.trace == *trace && there.expectations == expectations;
            if expectations.is_empty() && Regression::load(&path).is_ok_and(|one| is_same(&one)) {
                return Ok(path);
            }
            path = self.out.join(format!("{name}-{number}.trace"));
        }
        let not_minimal = (!minimal).then(|| "not minimal".to_owned());
        let notes: Vec<_> = replayed.note().into_iter().chain(not_minimal).collect();
        let notes = match &notes[..] {
            [] => String::new(),
            notes => format!(" ({})", notes.join(", ")),
        };
        let regression = Regression {
            name: String::new(),
            title: format!("{subject} breaks {rule} at {kind}{notes}"),
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

/// The regressions that show finds, by what their text tells of those.
pub(crate) type Known = BTreeMap<Key, Vec<PathBuf>>;

/// The finds that the regressions of a folder show.
///
/// # Errors
/// When one cannot be read.
pub(crate) fn known_in(folder: &Path) -> Result<Known> {
    let mut known = Known::new();
    if folder.is_dir() {
        for path in input::files(&[folder.to_owned()])? {
            for key in Regression::load(&path)?.keys() {
                let paths = known.entry(key).or_default();
                // A regression may have a line for each side.
                if paths.last() != Some(&path) {
                    paths.push(path.clone());
                }
            }
        }
    }
    Ok(known)
}

/// The first of these regressions that shows a find of such a key at this place. If either place is
/// not known, the key alone decides.
///
/// # Errors
/// When one cannot be read, or the rig itself cannot do its work.
pub(crate) fn shown<'a>(
    known: &'a Known,
    entry: &Entry,
    key: &Key,
    source: Option<&SourceLine>,
    executor: &mut Measured<dyn Executor>,
) -> Result<Option<&'a Path>> {
    for path in known.get(key).into_iter().flatten() {
        let Some(source) = source else {
            return Ok(Some(path));
        };
        let there = Regression::load(path)?.source(entry, key.1, executor)?;
        if there.is_none_or(|there| there == *source) {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// Today's date as a header says it: year-month-day.
fn today() -> String {
    time::OffsetDateTime::now_utc().date().to_string()
}
