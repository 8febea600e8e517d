//! A trace kept in git with the verdict expected of each subject.

pub mod confirm;
mod expectation;
pub mod finds;
#[cfg(feature = "cli")]
pub mod replay;
#[cfg(feature = "cli")]
pub mod triage;

use std::fs;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result, anyhow};
use harness::entry::Entry;
use harness::op::OpKind;
use harness::text::{Document, Line};
use harness::trace::Trace;

use crate::execute::capacity::Measured;
use crate::execute::executor::Executor;
use crate::execute::host::Host;
use crate::execute::side::Side;
use crate::oracle::judge::{Finding, Verdict};
use crate::oracle::rules::{Rule, Rules};
use crate::run::fault::SourceLine;
use crate::subject::registry;
use crate::trace::input::{self, Input, Reading};
use crate::trace::long::LongTrace;
pub use expectation::Expectation;

/// What a trace's text tells of a find: the subject, the rule, and the kind of the op that breaks
/// it. What else tells one panic or fault from another, its place in the code, a run of the trace
/// shows ([`Regression::source`]).
pub type Key = (String, Rule, OpKind);

/// A trace and what its header lines say.
#[derive(Clone, Debug)]
pub struct Regression {
    /// The file's name without folder and extension.
    pub name: String,
    /// What its header says that it shows; empty if nothing.
    pub title: String,
    /// How it was found; empty if that is not said.
    pub found: String,
    /// When it was found, as year-month-day; empty if that is not said.
    pub date: String,
    /// The heap and the ops.
    pub trace: Trace,
    /// The rules it is judged by: all unless the header narrows them.
    pub rules: Rules,
    /// A line for each subject of which something is expected, or one for each side.
    pub expectations: Vec<Expectation>,
}

impl Regression {
    /// Reads a trace with its header lines; a fuzzer's bytes have none and expect nothing.
    ///
    /// # Errors
    /// When the file is no trace or a header line means nothing.
    pub fn load(path: &Path) -> Result<Self> {
        Self::load_as(path, Reading::Detected)
    }

    /// As [`Self::load`], of a file that is read as `reading` says.
    ///
    /// # Errors
    /// As there.
    pub fn load_as(path: &Path, reading: Reading) -> Result<Self> {
        Self::named(path, &input::read(path, reading)?)
    }

    /// As [`Self::load_as`], of a trace of any length: a long one is beside the regression, which
    /// has its header lines and no ops.
    ///
    /// # Errors
    /// As there.
    pub fn open(path: &Path, reading: Reading) -> Result<(Self, Option<LongTrace>)> {
        Ok(match input::open(path, reading)? {
            Input::Whole(document) => (Self::named(path, &document)?, None),
            Input::Long(head, trace) => (Self::named(path, &head)?, Some(trace)),
        })
    }

    fn named(path: &Path, document: &Document) -> Result<Self> {
        let name = path
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        Self::of(name, document).map_err(|error| anyhow!("{}:{error}", path.display()))
    }

    /// Reads a trace from its text.
    ///
    /// # Errors
    /// When the text is no trace or a header line means nothing.
    pub fn parse(name: &str, text: &str) -> Result<Self> {
        let document = Document::parse(text).map_err(|error| anyhow!("{name}:{error}"))?;
        Self::of(name.to_owned(), &document).map_err(|error| anyhow!("{name}:{error}"))
    }

    fn of(name: String, document: &Document) -> Result<Self, String> {
        let trace = document.trace();
        let mut regression = Self {
            name,
            title: String::new(),
            found: String::new(),
            date: String::new(),
            trace,
            rules: Rules::ALL,
            expectations: Vec::new(),
        };
        for (line, column, key, value) in document.headers() {
            let wrong = |expected| format!("{line}:{column}: expected {expected}, found `{value}`");
            match key {
                "title" => regression.title = value.to_owned(),
                "found" => regression.found = value.to_owned(),
                "date" => regression.date = value.to_owned(),
                "rules" => regression.rules = value.parse().map_err(wrong)?,
                "expect" => regression.expectations.push(value.parse().map_err(wrong)?),
                _ => {}
            }
        }
        Ok(regression)
    }

    /// The file: its header lines, the heap and the ops.
    #[must_use]
    pub fn document(&self) -> Document {
        let mut document = Document::of(&self.trace);
        document.lines.splice(0..0, self.headers());
        document
    }

    /// A listing of its trace, with the header lines behind the first.
    #[must_use]
    pub fn headed(&self, listing: &str) -> String {
        let lines = self.headers();
        let (_, rest) = listing.split_once('\n').unwrap_or_default();
        Document { lines }.to_string() + rest
    }

    fn headers(&self) -> Vec<Line> {
        let rules = match self.rules {
            Rules::ALL => String::new(),
            rules => rules.to_string(),
        };
        let of_find = [
            ("title", &self.title),
            ("found", &self.found),
            ("date", &self.date),
            ("rules", &rules),
        ];
        let of_find = of_find.into_iter().filter(|(_, text)| !text.is_empty());
        let mut lines: Vec<_> = of_find.map(|(key, text)| Line::header(key, text)).collect();
        let expected = self.expectations.iter();
        lines.extend(expected.map(|expected| Line::header("expect", &expected.to_string())));
        lines
    }

    /// The same of a smaller trace, in which `entry` breaks the rule of `finding` under `rules`.
    /// Where it expects anything, it then expects that, and of other subjects what still holds, be
    /// it at another op.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    pub fn made_small(
        self,
        trace: Trace,
        entry: &Entry,
        finding: Finding,
        rules: Rules,
        host: &mut Host,
    ) -> Result<Self> {
        let shown = Expectation::of(entry.name(), &Verdict::from(Some(finding)));
        let mut expectations = Vec::new();
        for expected in self.expectations {
            if expected.subject == shown.subject {
                let shown = shown.clone().on(expected.on.map(|_| Side::Host));
                if !expectations.contains(&shown) {
                    expectations.push(shown);
                }
                continue;
            }
            // What the guest alone does to the smaller trace is not known here.
            if expected.on == Some(Side::Qemu) {
                continue;
            }
            let other = registry::by_name(&expected.subject).ok();
            let accepts = |other: &&Entry| other.declaration.accepts(trace.geometry);
            if let Some(other) = other.filter(accepts) {
                let (_, verdict) = host.verdict(other, &trace, rules)?;
                expectations.extend(expected.moved_to(&verdict));
            }
        }
        Ok(Self {
            trace,
            rules,
            expectations,
            ..self
        })
    }

    /// What it expects of a subject on a side: what it says of that side alone, or else of both.
    #[must_use]
    pub fn expected(&self, subject: &str, on: Side) -> Option<&Expectation> {
        let of = |side| {
            let mut expected = self.expectations.iter();
            expected.find(move |one| one.subject == subject && one.on == side)
        };
        of(Some(on)).or_else(|| of(None))
    }

    /// Where in the code a panic or a fault of its trace is, when that is run; `None` if that is
    /// not known, or another rule is broken.
    ///
    /// # Errors
    /// When the rig itself cannot do its work.
    pub fn source(
        &self,
        entry: &Entry,
        rule: Rule,
        executor: &mut Measured<dyn Executor>,
    ) -> Result<Option<SourceLine>> {
        let has_place = matches!(rule, Rule::Panic | Rule::Fault);
        if !has_place || !entry.declaration.accepts(self.trace.geometry) {
            return Ok(None);
        }
        let (_, verdict) = executor.verdict(entry, &self.trace, self.rules)?;
        let found = verdict.finding().filter(|found| found.rule() == rule);
        Ok(found.and_then(|found| found.violation.source().cloned()))
    }

    /// The finds that it stands for.
    pub fn keys(&self) -> impl Iterator<Item = Key> {
        self.expectations.iter().filter_map(|expectation| {
            let kind = self.trace.ops.get(expectation.op?)?.kind();
            Some((expectation.subject.clone(), expectation.rule?, kind))
        })
    }
}

/// How a file is called that is not written to its end yet.
pub const TEMPORARY_PREFIX: &str = ".kmem-rig-";

/// Writes a file whole or not at all: beside its place first, then renamed over it. Once this
/// returns, neither a crash of the machine nor one of the rig can take it away.
///
/// # Errors
/// When the folder or the file cannot be written; nothing half-written is left behind then.
pub fn write_whole(path: &Path, contents: &[u8]) -> Result<()> {
    let write = || -> std::io::Result<()> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new()
            .prefix(TEMPORARY_PREFIX)
            .tempfile_in(folder)?;
        file.write_all(contents)?;
        // A temporary file is private; what people keep in git is not.
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        file.as_file().set_permissions(mode)?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        // The name is the folder's, and lasts once the folder does.
        fs::File::open(folder)?.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_their_place() {
        let error = |header: &str| {
            let text = format!("# kmem-rig trace v1\n{header}\nheap 1 pages\n");
            Regression::parse("x.trace", &text).unwrap_err().to_string()
        };
        assert_eq!(
            error("expect kmem on guest agree"),
            "x.trace:2:8: expected `SUBJECT [on host|qemu] VERDICT [RULE] [at OP]` with a side of \
             `host`, `qemu`, found `kmem on guest agree`"
        );
        assert!(error("expect kmem diverge nonsense").contains("2:8: expected a rule (`imp"));
        assert!(error("rules contract,all").contains("2:7: expected rule sets"));
    }

    #[test]
    fn a_file_is_written_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/x.trace");
        write_whole(&path, b"first").unwrap();
        write_whole(&path, b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
        let error = write_whole(Path::new("/dev/full/x.trace"), b"").unwrap_err();
        assert_eq!(error.to_string(), "cannot write /dev/full/x.trace");
    }
}
