//! The lines of a trace's file: a text of its own, or a console's output in which the trace's lines
//! stand between others'.
//!
//! ```text
//! [    0.01] booting                             another writer's
//! trace| # kmem-rig trace v1 |                   the trace's, between its marks
//! trace| heap 64 pages |
//! [    0.02] 3 devices
//! trace| a0 = alloc 24 align 8 |
//! ```
//!
//! Of a console, what stands between a line's marks is the trace's, and every other line is passed
//! over. A line that has one mark only was cut, or another writer's was: then nobody knows what the
//! trace was, and it is an error.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use harness::line::{END_MARK, MARK};
use harness::parse::LineParser;
use harness::text::{FIRST_LINE_START, Line, ParseError};

/// What some editors write before UTF-8 text.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();
/// How far into a console's output a trace may begin: a boot's messages are a few KiB.
const HEAD_BYTES: usize = 1 << 20;

/// How a trace stands in its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The whole file is its text.
    Plain,
    /// Its lines stand between marks.
    Marked,
}

impl Form {
    /// How a trace stands in a file, if one does.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn of(path: &Path) -> Result<Option<Self>> {
        let mut file = BufReader::with_capacity(
            HEAD_BYTES,
            File::open(path).with_context(|| path.display().to_string())?,
        );
        let head = file
            .fill_buf()
            .with_context(|| path.display().to_string())?;
        let text_mark = FIRST_LINE_START.as_bytes();
        let mut lines = head.split(|&byte| byte == b'\n');
        let marked = [MARK.as_bytes(), text_mark].concat();
        // The parser tells what is wrong with a byte order mark and with another version.
        let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
        Ok(if text.starts_with(text_mark) {
            Some(Self::Plain)
        } else if lines.any(|line| line.starts_with(&marked)) {
            Some(Self::Marked)
        } else if path.extension().is_some_and(|e| e == "trace") {
            Some(Self::Plain)
        } else {
            None
        })
    }
}

/// Reads a file's trace line by line.
pub struct Lines {
    path: PathBuf,
    file: BufReader<File>,
    form: Form,
    parser: LineParser,
    bytes: Vec<u8>,
    /// Lines read so far.
    number: usize,
    /// Whether the last line read had an end.
    ended: bool,
}

impl Lines {
    /// Opens a file, to read at most `ops_max` ops.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub fn open(path: &Path, form: Form, ops_max: usize) -> Result<Self> {
        let file = File::open(path).with_context(|| path.display().to_string())?;
        Ok(Self {
            path: path.to_owned(),
            file: BufReader::new(file),
            form,
            parser: LineParser::new(ops_max),
            bytes: Vec::new(),
            number: 0,
            ended: true,
        })
    }

    /// The number of the line read last, in the file; from 1.
    #[must_use]
    pub const fn number(&self) -> usize {
        self.number
    }

    fn read(&mut self) -> Result<Option<Line>> {
        loop {
            self.bytes.clear();
            let read = self.file.read_until(b'\n', &mut self.bytes);
            if read.with_context(|| self.path.display().to_string())? == 0 {
                let end = self.parser.end(self.number + 1);
                return end.map(|()| None).map_err(|error| self.error(&error, 0));
            }
            self.number += 1;
            self.ended = self.bytes.pop_if(|byte| *byte == b'\n').is_some();
            self.bytes.pop_if(|byte| self.ended && *byte == b'\r');
            let (text, column) = match self.form {
                Form::Plain => (self.bytes.as_slice(), 0),
                Form::Marked => match between_marks(&self.bytes) {
                    Ok(Some(text)) => (text, MARK.len()),
                    Ok(None) => continue,
                    Err(what) => bail!("{}:{}:1: {what}", self.path.display(), self.number),
                },
            };
            let text = std::str::from_utf8(text).map_err(|_| self.other_bytes())?;
            let line = self.parser.line(text, self.number);
            if let Some(line) = line.map_err(|error| self.error(&error, column))? {
                return Ok(Some(line));
            }
        }
    }

    /// Checks that the last line has an end: whoever writes a trace may have been stopped in it,
    /// and half a number is a number too.
    ///
    /// # Errors
    /// When it has none.
    pub fn ensure_last_line_ended(&self) -> Result<()> {
        if self.ended || self.form == Form::Marked {
            return Ok(());
        }
        bail!(
            "{}:{}:1: the last line has no end, so it may be cut: remove it, or end it",
            self.path.display(),
            self.number
        )
    }

    fn other_bytes(&self) -> anyhow::Error {
        let (path, number) = (self.path.display(), self.number);
        anyhow!("{path}:{number}:1: expected UTF-8 text, found other bytes")
    }

    fn error(&self, error: &ParseError, columns_before: usize) -> anyhow::Error {
        let error = ParseError {
            column: error.column + columns_before,
            ..error.clone()
        };
        anyhow!("{}:{error}", self.path.display())
    }
}

/// The trace's lines behind its first. An error says that the file cannot be read, or that a line
/// cannot stand where it does (file, line and column); nothing that follows means anything.
impl Iterator for Lines {
    type Item = Result<Line>;

    fn next(&mut self) -> Option<Self::Item> {
        self.read().transpose()
    }
}

/// What a console's line says of the trace; nothing if it is another writer's.
fn between_marks(line: &[u8]) -> Result<Option<&[u8]>, &'static str> {
    let mark = MARK.as_bytes();
    let holds_mark = line.windows(mark.len()).any(|bytes| bytes == mark);
    match line.strip_prefix(mark) {
        None if holds_mark => Err(
            "expected a line of the trace to begin its own line, found another writer's text \
             before it",
        ),
        None => Ok(None),
        Some(behind) if behind.windows(mark.len()).any(|bytes| bytes == mark) => {
            Err("expected a line of the trace, found a cut one and the next")
        }
        Some(behind) => match behind.strip_suffix(END_MARK.as_bytes()) {
            Some(text) => Ok(Some(text)),
            None => Err("expected a line of the trace to end with ` |`, found a cut one"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The trace in a file of these bytes as text, or what is wrong with it.
    fn read(bytes: &[u8]) -> Result<(Form, String), String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, bytes).unwrap();
        let form = Form::of(&path).unwrap().ok_or("no trace")?;
        let lines = Lines::open(&path, form, 3).unwrap();
        let lines: Result<Vec<Line>> = lines.collect();
        let text = |lines| harness::text::Document { lines }.to_string();
        let without_folder = |error: anyhow::Error| {
            let error = error.to_string();
            error[error.find("log:").unwrap()..].to_owned()
        };
        lines
            .map(|lines| (form, text(lines)))
            .map_err(without_folder)
    }

    const TRACE: &str = "# kmem-rig trace v1\nheap 64 pages\na0 = alloc 8\nfree a0 # gone\n";

    #[test]
    fn a_trace_stands_alone_or_among_others_lines() {
        let plain = Ok((Form::Plain, TRACE.to_owned()));
        assert_eq!(read(TRACE.as_bytes()), plain);
        assert_eq!(read(TRACE.replace('\n', "\r\n").as_bytes()), plain);
        assert_eq!(read(TRACE.trim_end().as_bytes()), plain);
        let console = b"OpenSBI \xff\x07\r\n\ntrace| # kmem-rig trace v1 |\r\n\
            trace| heap 64 pages |\n[1] free a0\ntrace| a0 = alloc 8 |\r\n[2] no end\r\n\
            trace| free a0 # gone |\ntail";
        assert_eq!(read(console), Ok((Form::Marked, TRACE.to_owned())));
    }

    #[test]
    fn what_holds_no_trace_is_none() {
        for none in [
            &b""[..],
            b"\x00\xff",
            b"heap 64 pages\n",
            b"trace| heap 64 pages |\n",
        ] {
            assert_eq!(read(none), Err("no trace".to_owned()));
        }
        let mut late = vec![b'\n'; HEAD_BYTES + 1];
        late.extend(b"trace| # kmem-rig trace v1 |\n");
        assert_eq!(read(&late), Err("no trace".to_owned()));
    }

    #[test]
    fn an_error_has_its_place_in_the_file() {
        for (lines, expected) in [
            (
                "trace| heap 1 page",
                "log:3:1: expected a line of the trace to end with ` |`, found",
            ),
            (
                "trace| heap 1 pag[1] no\n",
                "log:3:1: expected a line of the trace to end",
            ),
            (
                "[1] no trace| heap 1 pages |\n",
                "log:3:1: expected a line of the trace to begin",
            ),
            (
                "trace| heatrace| heap 1 pages |\n",
                "log:3:1: expected a line of the trace, found",
            ),
            (
                "[1] yes\ntrace| free a0 |\n",
                "log:4:8: expected `heap` or a header",
            ),
            (
                "trace| heap 1 pages |\ntrace| a0 = alloc |\n",
                "log:4:18: expected a size",
            ),
            (
                "trace| heap 1 pages |\ntrace| \u{7f} |\n",
                "log:4:8: expected printable",
            ),
            ("[1] yes\n", "log:4:1: expected a heap line"),
            (
                "trace| heap 1 pages |\ntrace| # kmem-rig trace v1 |\ntrace| heap 1 pages |\n",
                "log:5:8: expected an op: a trace has one heap line",
            ),
            (
                "trace| heap 1 pages |\ntrace| table |\ntrace| table |\ntrace| table |\n\
                 trace| table |\n",
                "log:7:8: expected at most 3 ops",
            ),
        ] {
            let console = format!("booting\ntrace| # kmem-rig trace v1 |\n{lines}");
            let error = read(console.as_bytes()).unwrap_err();
            assert!(error.starts_with(expected), "{error} {expected}");
        }
    }

    #[test]
    fn only_a_plain_last_line_may_lack_its_end() {
        let ended = |text: &str| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log");
            std::fs::write(&path, text).unwrap();
            let mut lines = Lines::open(&path, Form::Plain, 3).unwrap();
            assert!(lines.all(|line| line.is_ok()));
            lines.ensure_last_line_ended().is_ok()
        };
        assert!(ended(TRACE));
        assert!(!ended(TRACE.trim_end()));
    }
}
