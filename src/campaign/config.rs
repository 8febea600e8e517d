//! What a campaign is told, in a file of TOML.
//!
//! ```toml
//! folder = "target/campaign"          # all that the campaign writes
//! budget = "8h"                       # for all targets together
//! known = "qemu-tests/regressions"    # finds that are passed over
//!
//! [[target]]
//! name = "kmem_2019"                  # built by `cargo +nightly fuzz build -O kmem_2019`
//! share = 2                           # twice as long as a target that says nothing
//! seeds = ["fuzz/seeds/kmem_2019"]
//! dictionary = "fuzz/kmem.dict"
//! ```
//!
//! Paths are seen from the file's folder. An error names the line and column that it is about.

use std::fs;
use std::num::{NonZeroU16, NonZeroU64, NonZeroUsize};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, ensure};
use harness::entry::Entry;
use serde::Deserialize;
use toml::Spanned;

use crate::campaign::duration;
use crate::subject::registry;

/// How long a target has all cores before the next one's turn, unless told.
const TURN_DEFAULT: Duration = Duration::from_secs(600);
/// The least room on the disk with which fuzzing goes on, unless told.
const MIN_FREE_MIB_DEFAULT: u64 = 64;
/// Where cargo-fuzz builds, seen from the package above `fuzz`: in a folder named after the
/// machine.
const BUILT: &str = "fuzz/target";

/// A campaign's settings, checked.
#[derive(Debug)]
pub struct Config {
    /// The folder that everything is written to.
    pub folder: PathBuf,
    /// How long all targets together are fuzzed, whoever is interrupted in between.
    pub budget: Duration,
    /// How long a target has all cores at most before the next one's turn.
    pub turn: Duration,
    /// Processes that fuzz at the same time.
    pub jobs: usize,
    /// The regressions whose finds are passed over.
    pub known: Option<PathBuf>,
    /// The least room on the disk with which fuzzing goes on, in MiB.
    pub min_free_mib: u64,
    /// What is fuzzed, in turn.
    pub targets: Vec<Target>,
}

/// A fuzz target of a campaign.
#[derive(Debug)]
pub struct Target {
    /// Its name, which its folder has as well.
    pub name: String,
    /// The program: libFuzzer's.
    pub program: PathBuf,
    /// The subject that its inputs are traces for.
    pub entry: &'static Entry,
    /// Its part of the time, against those of the others.
    pub share: u16,
    /// Folders of inputs to start from.
    pub seeds: Vec<PathBuf>,
    /// libFuzzer's dictionary.
    pub dictionary: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    folder: PathBuf,
    budget: Time,
    turn: Option<Time>,
    jobs: Option<NonZeroU16>,
    known: Option<Spanned<PathBuf>>,
    min_free_mib: Option<NonZeroU64>,
    target: Vec<TargetTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TargetTable {
    name: Spanned<Name>,
    program: Option<Spanned<PathBuf>>,
    subject: Option<Subject>,
    share: Option<NonZeroU16>,
    #[serde(default)]
    seeds: Vec<Spanned<PathBuf>>,
    dictionary: Option<Spanned<PathBuf>>,
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Time(Duration);

impl TryFrom<String> for Time {
    type Error = anyhow::Error;

    fn try_from(text: String) -> Result<Self> {
        let time = duration::parse(&text)?;
        ensure!(time >= Duration::from_secs(1), "expected a second or more");
        Ok(Self(time))
    }
}

#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Subject(&'static Entry);

impl TryFrom<String> for Subject {
    type Error = anyhow::Error;

    fn try_from(name: String) -> Result<Self> {
        registry::by_name(&name).map(Self)
    }
}

/// A target's name: that of a folder, which libFuzzer puts into the commands of a shell.
#[derive(Deserialize)]
#[serde(try_from = "String")]
struct Name(String);

impl TryFrom<String> for Name {
    type Error = anyhow::Error;

    fn try_from(name: String) -> Result<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let starts = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        ensure!(
            starts && name.chars().all(plain) && !RESERVED.contains(&name.as_str()),
            "expected a name of letters, digits, `_` and `-`, other than `{}`",
            RESERVED.join("`, `")
        );
        Ok(Self(name))
    }
}

/// What else there is in a campaign's folder.
const RESERVED: [&str; 2] = ["finds", "lock"];

impl Config {
    /// Reads a campaign's settings.
    ///
    /// # Errors
    /// When the file cannot be read, says something that means nothing, or names something that
    /// is not there.
    pub fn load(path: &Path) -> Result<Self> {
        let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let at = |span: Option<Range<usize>>, message: &str| {
            let start = span.map_or(0, |span| span.start);
            let (line, column) = place(&text, start);
            anyhow!("{}:{line}:{column}: {message}", path.display())
        };
        let file: File = toml::from_str(&text).map_err(|e| at(e.span(), e.message()))?;
        file.check(path.parent().unwrap_or(Path::new("")))
            .map_err(|(span, error)| at(Some(span), &format!("{error:#}")))
    }
}

/// What is wrong, and where.
type Wrong = (Range<usize>, anyhow::Error);

impl File {
    fn check(self, above: &Path) -> Result<Config, Wrong> {
        let cores = || thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut targets: Vec<Target> = Vec::new();
        for table in self.target {
            let span = table.name.span();
            let target = table.check(above)?;
            if targets.iter().any(|other| other.name == target.name) {
                let name = target.name;
                return Err((span, anyhow!("two targets are called `{name}`")));
            }
            targets.push(target);
        }
        if targets.is_empty() {
            return Err((0..0, anyhow!("no [[target]], so there is nothing to fuzz")));
        }
        Ok(Config {
            folder: above.join(self.folder),
            budget: self.budget.0,
            turn: self.turn.map_or(TURN_DEFAULT, |turn| turn.0),
            jobs: self.jobs.map_or_else(cores, |jobs| jobs.get().into()),
            known: self.known.map(|path| there(above, path)).transpose()?,
            min_free_mib: self
                .min_free_mib
                .map_or(MIN_FREE_MIB_DEFAULT, NonZeroU64::get),
            targets,
        })
    }
}

impl TargetTable {
    fn check(self, above: &Path) -> Result<Target, Wrong> {
        let span = self.name.span();
        let Name(name) = self.name.into_inner();
        let entry = match self.subject {
            Some(Subject(entry)) => entry,
            None => registry::by_name(&name.replace('_', "-")).map_err(|_| {
                let error = anyhow!("no subject is called like `{name}`: say which with `subject`");
                (span.clone(), error)
            })?,
        };
        let program = match self.program {
            Some(path) => there(above, path)?,
            None => built(above, &name).map_err(|error| (span, error))?,
        };
        let seeds = self.seeds.into_iter().map(|path| there(above, path));
        Ok(Target {
            program,
            entry,
            share: self.share.map_or(1, NonZeroU16::get),
            seeds: seeds.collect::<Result<_, _>>()?,
            dictionary: self.dictionary.map(|path| there(above, path)).transpose()?,
            name,
        })
    }
}

/// The program of this name that cargo-fuzz left.
fn built(above: &Path, name: &str) -> Result<PathBuf> {
    let folder = above.join(BUILT);
    let machines = fs::read_dir(&folder).into_iter().flatten().flatten();
    let mut programs = machines.map(|machine| machine.path().join("release").join(name));
    let found = programs.find_map(|program| fs::canonicalize(program).ok());
    found.with_context(|| {
        let folder = folder.display();
        format!(
            "no `{name}` is built in {folder}: run `cargo +nightly fuzz build -O {name}`, \
             or say where it is with `program`"
        )
    })
}

/// The whole path of something that must be there: programs that run elsewhere are told it.
fn there(above: &Path, path: Spanned<PathBuf>) -> Result<PathBuf, Wrong> {
    let whole = above.join(path.get_ref());
    let found = fs::canonicalize(&whole);
    found.map_err(|error| (path.span(), anyhow!("{}: {error}", whole.display())))
}

/// The line and the column of a byte, counted from 1.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..at.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
    (line, column)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with a program beside it.
    fn load(text: &str) -> Result<Config> {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("p"), "").unwrap();
        let path = folder.path().join("campaign.toml");
        fs::write(&path, text).unwrap();
        let config = Config::load(&path);
        config.map_err(|error| {
            let folder = format!("{}/", folder.path().display());
            anyhow!("{}", error.to_string().replace(&folder, ""))
        })
    }

    const TOP: &str = "folder = \"f\"\nbudget = \"1h\"\n";

    #[test]
    fn what_is_not_said_has_a_default() {
        let text = format!("{TOP}[[target]]\nname = \"kmem_2019\"\nprogram = \"p\"\n");
        let config = load(&text).unwrap();
        assert_eq!(
            (config.budget, config.turn),
            (TURN_DEFAULT * 6, TURN_DEFAULT)
        );
        assert!(config.jobs > 0 && config.folder.ends_with("f") && config.known.is_none());
        let target = &config.targets[0];
        assert_eq!((target.entry.name(), target.share), ("kmem-2019", 1));
    }

    #[test]
    fn errors_name_file_line_and_column() {
        let error = |text: &str| load(&format!("{TOP}{text}")).unwrap_err().to_string();
        let target = |text: &str| error(&format!("[[target]]\nname = \"kmem\"\n{text}\n"));
        let unknown = error("shares = 1\n");
        assert!(
            unknown.starts_with("campaign.toml:3:1: unknown field `shares`"),
            "{unknown}"
        );
        assert_eq!(
            error("turn = \"5 miles\"\n"),
            "campaign.toml:3:8: expected a time such as 20s, 5m or 2h"
        );
        assert!(
            error("").ends_with("missing field `target`"),
            "{}",
            error("")
        );
        assert_eq!(
            target("seeds = [\"none\"]\nprogram = \"p\""),
            "campaign.toml:5:10: none: No such file or directory (os error 2)"
        );
        let missing = target("");
        assert!(
            missing.starts_with("campaign.toml:4:8: no `kmem` is built in "),
            "{missing}"
        );
        assert!(
            missing.contains("cargo +nightly fuzz build -O kmem`"),
            "{missing}"
        );
        assert!(target("subject = \"kmen\"").starts_with("campaign.toml:5:11: no subject is"));
        assert!(target("share = 0").starts_with("campaign.toml:5:9: "));
        assert!(
            target("program = \"p\"\n[[target]]\nname = \"kmem\"\nprogram = \"p\"")
                .ends_with(":7:8: two targets are called `kmem`")
        );
        for name in ["", "a b", "../a", "finds", "-x"] {
            let error = error(&format!("[[target]]\nname = \"{name}\"\n"));
            assert!(
                error.starts_with("campaign.toml:4:8: expected a name"),
                "{error}"
            );
        }
    }
}
