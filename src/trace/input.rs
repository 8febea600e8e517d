//! Reads what a user names: a trace's text, alone or in a console's output, or a fuzzer's bytes (an
//! artifact or corpus entry).
//!
//! Every byte string is a trace in the byte form, so text that holds no trace is an error: it was
//! never meant as one. A fuzzer's input can happen to be text as well; libFuzzer's names for its
//! files say what they are, and [`Reading::Bytes`] is for all others.

pub mod lines;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use harness::bytes;
use harness::text::{Document, FIRST_LINE, Item};
use harness::trace::{OPS_MAX, Trace};

use crate::trace::long::{LongTrace, Survey};
use lines::{Form, Lines};

/// The largest byte form read, in bytes; no trace within bounds comes near it.
const INPUT_BYTES_MAX: u64 = 16 << 20;
/// How much of a line an error quotes, in characters.
const LINE_CHARS_MAX: usize = 60;
/// What libFuzzer's names for artifacts begin with; the SHA-1 of the input follows.
const ARTIFACT_PREFIXES: [&str; 6] = [
    "crash-",
    "leak-",
    "minimized-from-",
    "oom-",
    "slow-unit-",
    "timeout-",
];
/// The length of a SHA-1 in a name.
const SHA_1_DIGITS: usize = 40;

/// How a file is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    /// As what it is: a trace's text, or bytes.
    #[default]
    Detected,
    /// As a fuzzer's bytes, even if it is text.
    Bytes,
}

impl Reading {
    /// How a trace's text stands in the file; `None` if the file is read as bytes.
    fn form(self, path: &Path) -> Result<Option<Form>> {
        match self {
            Self::Detected => Form::of(path),
            Self::Bytes => Ok(None),
        }
    }
}

/// What was read.
pub enum Input {
    /// A trace that fits into memory.
    Whole(Document),
    /// One that does not: its lines before the first op, and where its ops are.
    Long(Document, LongTrace),
}

/// Reads one input, however long. Text must hold a trace; bytes always are one.
///
/// # Errors
/// When the file cannot be read, is a text with an error in it (file, line and column), or a text
/// that holds no trace.
pub fn open(path: &Path, reading: Reading) -> Result<Input> {
    match reading.form(path)? {
        Some(form) => text(path, form),
        None => bytes(path, reading).map(Input::Whole),
    }
}

/// Reads one input that fits into memory.
///
/// # Errors
/// As for [`open`], and when it is longer.
pub fn read(path: &Path, reading: Reading) -> Result<Document> {
    match open(path, reading)? {
        Input::Whole(document) => Ok(document),
        Input::Long(_, trace) => bail!(
            "{}: {} ops: only `replay` and `minimize` take more than {OPS_MAX}",
            path.display(),
            trace.ops()
        ),
    }
}

/// Reads an entry of a corpus as the fuzz targets do, whatever it is: as bytes. `None` if it is too
/// large for a trace.
///
/// # Errors
/// When the file cannot be read.
pub fn read_entry(path: &Path) -> Result<Option<Trace>> {
    let at = || path.display().to_string();
    if fs::metadata(path).with_context(at)?.len() > INPUT_BYTES_MAX {
        return Ok(None);
    }
    Ok(Some(bytes::decode(&fs::read(path).with_context(at)?)))
}

/// The line of a file on which an op stands, counted from 1; `None` if the file is read as bytes.
///
/// # Errors
/// As for [`open`].
pub fn line_of(path: &Path, reading: Reading, op: usize) -> Result<Option<usize>> {
    let Some(form) = reading.form(path)? else {
        return Ok(None);
    };
    let mut lines = Lines::open(path, form, usize::MAX)?;
    let mut ops = 0;
    while let Some(line) = lines.next().transpose()? {
        if matches!(line.item, Some(Item::Op(_))) {
            if ops == op {
                return Ok(Some(lines.number()));
            }
            ops += 1;
        }
    }
    Ok(None)
}

fn text(path: &Path, form: Form) -> Result<Input> {
    let mut lines = Lines::open(path, form, usize::MAX)?;
    let mut document = Document { lines: Vec::new() };
    let mut survey = Survey::default();
    for line in &mut lines {
        let line = line?;
        match line.item {
            Some(Item::Op(ref op)) => survey.note(op),
            Some(Item::Heap(geometry)) => survey.geometry = geometry,
            _ => {}
        }
        if survey.ops() <= OPS_MAX {
            document.lines.push(line);
        }
    }
    if survey.ops() <= OPS_MAX {
        return Ok(Input::Whole(document));
    }
    lines.ensure_last_line_ended()?;
    let is_op = |item: &Option<Item>| matches!(item, Some(Item::Op(_)));
    document.lines.retain(|line| !is_op(&line.item));
    Ok(Input::Long(
        document,
        LongTrace::of_file(path, form, survey),
    ))
}

fn bytes(path: &Path, reading: Reading) -> Result<Document> {
    let at = || path.display().to_string();
    let size = fs::metadata(path).with_context(at)?.len();
    ensure!(
        size <= INPUT_BYTES_MAX,
        "{}: too large for a trace: {size} bytes",
        at()
    );
    let bytes = fs::read(path).with_context(at)?;
    if reading == Reading::Detected
        && !is_named_by_a_fuzzer(path)
        && let Some(first) = first_line_of_text(&bytes)
    {
        let first: String = first.chars().take(LINE_CHARS_MAX).collect();
        bail!(
            "{}:1:1: expected a trace, which starts with `{FIRST_LINE}`, found text: `{first}`; \
             `--bytes` reads it as a fuzzer's bytes",
            at()
        );
    }
    Ok(Document::of(&bytes::decode(&bytes)))
}

/// The first line, if the bytes are text: UTF-8 without control characters, but for tabs and line
/// ends. No bytes are none.
fn first_line_of_text(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let is_text = text
        .chars()
        .all(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r'));
    is_text.then(|| text.lines().next()).flatten()
}

/// Whether the file has a name that libFuzzer gives: an artifact's, such as `crash-1f2e`, or a
/// corpus entry's, which is the SHA-1 of what is in it.
fn is_named_by_a_fuzzer(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let artifact = ARTIFACT_PREFIXES
        .iter()
        .find_map(|prefix| name.strip_prefix(prefix));
    let hash = artifact.unwrap_or(&name);
    let is_long_enough = !hash.is_empty() && (artifact.is_some() || hash.len() == SHA_1_DIGITS);
    is_long_enough && hash.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The files that paths name: files as they are, folders with every file below them, sorted.
/// Hidden files are passed over.
///
/// # Errors
/// When a path does not exist, a folder cannot be read, or nothing is found.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for path in paths {
        collect(path, &mut found).with_context(|| path.display().to_string())?;
    }
    Ok(found)
}

fn collect(path: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    if !fs::metadata(path)?.is_dir() {
        found.push(path.to_owned());
        return Ok(());
    }
    let entries = fs::read_dir(path)?.collect::<Result<Vec<_>, _>>()?;
    let mut inside: Vec<_> = entries.into_iter().map(|entry| entry.path()).collect();
    inside.sort();
    let hidden = |path: &Path| {
        path.file_name()
            .is_some_and(|n| n.as_encoded_bytes()[0] == b'.')
    };
    inside
        .iter()
        .filter(|path| !hidden(path))
        .try_for_each(|path| collect(path, found))
}
