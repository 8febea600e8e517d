//! Finds as one self-contained HTML page: `kmem-rig report`. Finds in words are [`crate::report`].
//!
//! ```text
//! trace, subject --replay::runs--> runs, verdicts --find--> Find -- timeline   blocks as
//! rectangles
//!                                                                `- tables     before and after
//! rows, finds --minijinja--> page.html + page.css + page.js, in one file
//! ```
//!
//! Everything is drawn here; the script only filters, sorts and steps. No text of others reaches
//! it, nor the style sheet: whatever a template prints is escaped, control characters first
//! ([`crate::wording::printable`]) and HTML then, in one place (`render`).

mod find;
mod scale;
mod spans;
mod tables;
mod timeline;

use std::path::Path;

use anyhow::{Context, Result};
use harness::entry::Entry;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, Value, escape_formatter};
use serde::Serialize;

use crate::regression::replay::{self, Job, Judged, Sides};
use crate::regression::{Expectation, Regression};
use crate::wording::printable::printable;
use find::Find;

/// The page under way.
#[derive(Default, Serialize)]
pub struct Page {
    rows: Vec<Row>,
    finds: Vec<Find>,
}

/// One trace on one subject: a line of the page's first table.
#[derive(Serialize)]
struct Row {
    trace: String,
    title: String,
    subject: &'static str,
    ops: usize,
    sides: Vec<SideVerdict>,
    /// The rule broken, where one is.
    rule: Option<&'static str>,
    /// As the kept trace expects on all sides; `None` where it expects nothing.
    as_expected: Option<bool>,
    /// What it expects, in the words of its header.
    expectation: Option<String>,
    /// The number of the find that shows it, counted from 1.
    find: Option<usize>,
}

#[derive(Serialize)]
struct SideVerdict {
    on: &'static str,
    verdict: &'static str,
    rule: Option<&'static str>,
    op: Option<usize>,
}

impl Page {
    /// Runs one trace as `replay` would, and takes what came of it into the page.
    ///
    /// # Errors
    /// When the file is no trace that fits into memory, or the rig itself cannot do its work.
    pub fn add(&mut self, path: &Path, job: &Job, sides: &mut Sides<'_>) -> Result<()> {
        let regression = Regression::load_as(path, job.reading)?;
        let rules = job.rules.unwrap_or(regression.rules);
        for entry in job.subjects_of(path, &regression)? {
            let judged = replay::runs(entry, &regression, !job.subjects.is_empty(), rules, sides)?;
            let mut row = row(&regression, entry, &judged);
            if row.rule.is_some() {
                let number = self.finds.len() + 1;
                row.find = Some(number);
                let find = Find::new(number, &regression, entry, &judged, sides)?;
                self.finds.push(find);
            }
            self.rows.push(row);
        }
        Ok(())
    }

    /// How many finds there are.
    #[must_use]
    pub const fn finds(&self) -> usize {
        self.finds.len()
    }

    /// Whether a run came out other than its trace expects; a find counts where nothing is
    /// expected.
    #[must_use]
    pub fn is_unexpected(&self) -> bool {
        self.rows
            .iter()
            .any(|row| !row.as_expected.unwrap_or(row.find.is_none()))
    }

    /// The page's text.
    ///
    /// # Errors
    /// When a template of ours is wrong.
    pub fn html(&self) -> Result<String> {
        render(self).context("the page's templates")
    }
}

fn row(regression: &Regression, entry: &Entry, judged: &[Judged]) -> Row {
    let is_met = judged.iter().filter_map(|judged| {
        let expected = regression.expected(entry.name(), judged.on)?;
        Some(expected.is_met_by(&judged.verdict))
    });
    let of_subject = |expected: &&Expectation| expected.subject == entry.name();
    let stated = regression.expectations.iter().filter(of_subject);
    let stated: Vec<_> = stated.map(ToString::to_string).collect();
    let sides: Vec<_> = judged
        .iter()
        .map(|judged| {
            let finding = judged.verdict.finding();
            SideVerdict {
                on: judged.on.name(),
                verdict: judged.verdict.name(),
                rule: finding.map(|finding| finding.rule().name()),
                op: finding.map(|finding| finding.op),
            }
        })
        .collect();
    Row {
        trace: regression.name.clone(),
        title: regression.title.clone(),
        subject: entry.declaration.name,
        ops: regression.trace.ops.len(),
        rule: sides.iter().find_map(|side| side.rule),
        as_expected: is_met.reduce(|one, other| one && other),
        expectation: (!stated.is_empty()).then(|| stated.join("; ")),
        sides,
        find: None,
    }
}

/// Fills the templates in. Every string but our own script and style sheet passes both escapes
/// here.
fn render(page: &Page) -> Result<String, minijinja::Error> {
    let mut templates = Environment::new();
    templates.set_syntax(
        SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()?,
    );
    templates.add_template("page.html", include_str!("html/page.html"))?;
    templates.add_template("find.html", include_str!("html/find.html"))?;
    templates.add_template("timeline.html", include_str!("html/timeline.html"))?;
    templates.set_formatter(|out, state, value| match value.as_str() {
        Some(text) if !value.is_safe() => {
            escape_formatter(out, state, &Value::from(printable(text).as_ref()))
        }
        _ => escape_formatter(out, state, value),
    });
    templates.get_template("page.html")?.render(Serde(Shown {
        page,
        version: env!("CARGO_PKG_VERSION"),
        style: include_str!("html/page.css"),
        script: include_str!("html/page.js"),
    }))
}

/// What the templates know by name.
#[derive(Serialize)]
struct Shown<'a> {
    page: &'a Page,
    version: &'static str,
    style: &'static str,
    script: &'static str,
}

#[cfg(test)]
#[allow(unsafe_code, reason = "a subject of its own is an allocator")]
mod tests {
    use std::alloc::Layout;
    use std::ptr::null_mut;

    use super::*;
    use crate::execute::host::Host;
    use crate::trace::input::Reading;
    use harness::declaration::{Declaration, TableForm};
    use harness::subject::{Freed, Region, Subject};

    /// Cannot be made.
    struct Broken;

    impl Subject for Broken {
        const DECLARATION: Declaration = Declaration::new("broken").table(TableForm::Chunks);

        unsafe fn new(_: Region) -> Self {
            panic!("no heap is good enough")
        }

        unsafe fn alloc(&mut self, _: Layout) -> *mut u8 {
            null_mut()
        }

        unsafe fn free(&mut self, _: *mut u8, _: Layout) -> Freed {
            Freed::Done
        }
    }

    static BROKEN: Entry = Entry::of::<Broken>();

    #[test]
    fn a_trace_without_ops_can_be_a_find_and_one_that_is_not_as_expected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("empty.trace");
        let text = "# kmem-rig trace v1\nexpect broken agree\nheap 64 pages\n";
        std::fs::write(&path, text).unwrap();
        let (mut host, mut page) = (Host::new().unwrap(), Page::default());
        let mut sides = Sides {
            host: Some(&mut host),
            guest: None,
        };
        let job = Job {
            reading: Reading::Detected,
            subjects: vec![&BROKEN],
            rules: None,
        };
        page.add(&path, &job, &mut sides).unwrap();
        assert!(page.finds() == 1 && page.is_unexpected());
        let html = page.html().unwrap();
        for told in ["no heap is good enough", "the trace expects: broken agree"] {
            assert!(html.contains(told), "{html}");
        }
    }
}
