//! A campaign's folder: the one place that it writes to, and all that it knows when it starts
//! again.
//!
//! ```text
//! lock                   held by the campaign and by every process that it started
//! status.json            how far it is
//! finds/                 regressions, one a find
//! TARGET/corpus/         libFuzzer's
//! TARGET/artifacts/      what libFuzzer found and nobody has looked at yet
//! TARGET/triaged/        artifacts that were looked at, the first thousand of them
//! TARGET/temporary/      libFuzzer's, while it runs
//! TARGET/program         a link, as is `dictionary`
//! ```
//!
//! Invariant: an artifact leaves `artifacts` only when its find is on the disk to stay.

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};

use super::config::Target;
use crate::regression::TEMPORARY_PREFIX;

/// How long to wait for a campaign that was killed to be gone altogether.
const LOCK_WAIT: Duration = Duration::from_secs(5);
/// How old a file is when libFuzzer has surely written all of it: it writes one at once.
const SETTLED: Duration = Duration::from_secs(1);

/// A campaign's folder, while no other campaign has it.
pub struct Folder {
    path: PathBuf,
    lock: File,
}

/// What there is of each target.
#[derive(Clone, Copy)]
pub(super) enum Place {
    Artifacts,
    Corpus,
    Dictionary,
    Program,
    Temporary,
    Triaged,
}

impl Place {
    /// The path as seen from the campaign's folder: letters, digits, `_`, `-` and `/`.
    pub(super) fn of(self, target: &Target) -> String {
        let name = match self {
            Self::Artifacts => "artifacts",
            Self::Corpus => "corpus",
            Self::Dictionary => "dictionary",
            Self::Program => "program",
            Self::Temporary => "temporary",
            Self::Triaged => "triaged",
        };
        format!("{}/{name}", target.name)
    }
}

impl Folder {
    /// Takes the folder, and makes it if there is none.
    ///
    /// # Errors
    /// When another campaign has it, or it cannot be written to.
    pub fn open(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).with_context(|| path.display().to_string())?;
        // What is told to other programs, which run elsewhere.
        let path = fs::canonicalize(path)?;
        let lock = File::options()
            .create(true)
            .append(true)
            .open(path.join("lock"))
            .with_context(|| format!("cannot write to {}", path.display()))?;
        let deadline = Instant::now() + LOCK_WAIT;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < deadline => {
                    thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => bail!(
                    "{}: a campaign runs in this folder; end it, or name another `folder`",
                    path.display()
                ),
                Err(TryLockError::Error(error)) => return Err(error).context("cannot lock"),
            }
        }
        let folder = Self { path, lock };
        fs::create_dir_all(folder.finds())?;
        for inside in [folder.path.clone(), folder.finds()] {
            remove_half_written(&inside)?;
        }
        // A find's file lasts if the folder's name does.
        File::open(&folder.path)?.sync_all()?;
        Ok(folder)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where finds are kept.
    #[must_use]
    pub fn finds(&self) -> PathBuf {
        self.path.join("finds")
    }

    /// Where the status is told.
    #[must_use]
    pub fn status(&self) -> PathBuf {
        self.path.join("status.json")
    }

    /// The lock, for other processes to hold as well.
    pub(super) fn shared_lock(&self) -> Result<File> {
        self.lock.try_clone().context("cannot share the lock")
    }

    pub(super) fn of(&self, target: &Target, place: Place) -> PathBuf {
        self.path.join(place.of(target))
    }

    /// Makes all that a target needs, and copies its seeds into its corpus.
    ///
    /// # Errors
    /// When something cannot be written.
    pub fn prepare(&self, target: &Target) -> Result<()> {
        use Place::{Artifacts, Corpus, Temporary, Triaged};
        self.rescue(target)?;
        for place in [Artifacts, Corpus, Temporary, Triaged] {
            fs::create_dir_all(self.of(target, place))?;
        }
        link(&target.program, &self.of(target, Place::Program))?;
        if let Some(dictionary) = &target.dictionary {
            link(dictionary, &self.of(target, Place::Dictionary))?;
        }
        for seeds in &target.seeds {
            let listed = || seeds.display().to_string();
            for seed in fs::read_dir(seeds).with_context(listed)? {
                let seed = seed.with_context(listed)?;
                let copy = self.of(target, Corpus).join(seed.file_name());
                if seed.file_type()?.is_file() && !copy.exists() {
                    fs::copy(seed.path(), copy)?;
                }
            }
        }
        Ok(())
    }

    /// Moves what interrupted jobs have added to their own corpora to the target's, and removes
    /// what else they left. libFuzzer calls the folder of such a corpus `C` and a number.
    ///
    /// # Errors
    /// When something cannot be moved.
    pub fn rescue(&self, target: &Target) -> Result<()> {
        let temporary = self.of(target, Place::Temporary);
        let is_corpus = |path: &Path| {
            let name = path.file_name().unwrap_or_default();
            name.as_encoded_bytes().starts_with(b"C") && path.is_dir()
        };
        for fork in list(&temporary)? {
            let inside = if fork.is_dir() { list(&fork)? } else { vec![] };
            for corpus in inside.iter().filter(|path| is_corpus(path)) {
                for entry in list(corpus)? {
                    let name = entry.file_name().unwrap_or_default();
                    fs::rename(&entry, self.of(target, Place::Corpus).join(name))?;
                }
            }
        }
        match fs::remove_dir_all(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error)?,
            _ => Ok(()),
        }
    }

    /// The artifacts that nobody has looked at, oldest first; of a target that runs, those that it
    /// has surely written to their end.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub fn waiting(&self, target: &Target, runs: bool) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for path in list(&self.of(target, Place::Artifacts))? {
            let written = fs::metadata(&path)?.modified()?;
            // A file from the future is one of a clock that was set: it is there, so it counts.
            let age = SystemTime::now().duration_since(written).unwrap_or(SETTLED);
            if !runs || age >= SETTLED {
                found.push((written, path));
            }
        }
        found.sort();
        Ok(found.into_iter().map(|(_, path)| path).collect())
    }

    /// Puts artifacts away whose finds are kept, or removes them.
    ///
    /// # Errors
    /// When that cannot be done.
    pub fn put_away(&self, target: &Target, artifacts: &[PathBuf], keep: bool) -> Result<()> {
        let triaged = self.of(target, Place::Triaged);
        for artifact in artifacts {
            match artifact.file_name() {
                Some(name) if keep => {
                    fs::create_dir_all(&triaged)?;
                    fs::rename(artifact, triaged.join(name))?;
                }
                _ => fs::remove_file(artifact)?,
            }
        }
        Ok(())
    }
}

/// What is in a folder; nothing if there is none.
fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.with_context(|| folder.display().to_string())?,
    };
    let paths = entries.map(|entry| Ok(entry?.path()));
    paths.collect()
}

/// Removes what a rig that was killed had begun to write.
fn remove_half_written(folder: &Path) -> Result<()> {
    for path in list(folder)? {
        let name = path.file_name().unwrap_or_default().as_encoded_bytes();
        if name.starts_with(TEMPORARY_PREFIX.as_bytes()) {
            fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Makes a link, in place of one that there may be.
fn link(to: &Path, at: &Path) -> Result<()> {
    match fs::remove_file(at) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error)?,
        _ => Ok(symlink(to, at)?),
    }
}
