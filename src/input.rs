//! Reads what a user names: a trace's text, alone or in a console's output, or a fuzzer's bytes (an
//! artifact or corpus entry).

pub mod lines;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use harness::bytes;
use harness::text::{Document, Item};
use harness::trace::{OPS_MAX, Trace};

use crate::long::{LongTrace, Survey};
use lines::{Form, Lines};

/// The largest byte form read, in bytes; no trace within bounds comes near it.
const INPUT_BYTES_MAX: u64 = 16 << 20;

/// What was read.
pub enum Input {
    /// A trace that fits into memory.
    Whole(Document),
    /// One that does not: its lines before the first op, and where its ops are.
    Long(Document, LongTrace),
}

/// Reads one input, however long. Text must be a trace; bytes always are one.
///
/// # Errors
/// When the file cannot be read, or is a text with an error in it (file, line and column).
pub fn open(path: &Path) -> Result<Input> {
    match Form::of(path)? {
        Some(form) => text(path, form),
        None => bytes(path).map(Input::Whole),
    }
}

/// Reads one input that fits into memory.
///
/// # Errors
/// As for [`open`], and when it is longer.
pub fn read(path: &Path) -> Result<Document> {
    match open(path)? {
        Input::Whole(document) => Ok(document),
        Input::Long(_, trace) => bail!(
            "{}: {} ops: only `replay` and `minimize` take more than {OPS_MAX}",
            path.display(),
            trace.ops()
        ),
    }
}

/// Reads an entry of a corpus as the fuzz targets do, whatever it is: as bytes. `None` if it is too large for
/// a trace.
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

/// The line of a file on which an op stands, counted from 1; `None` if the file is no text.
///
/// # Errors
/// As for [`open`].
pub fn line_of(path: &Path, op: usize) -> Result<Option<usize>> {
    let Some(form) = Form::of(path)? else {
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

fn bytes(path: &Path) -> Result<Document> {
    let at = || path.display().to_string();
    let size = fs::metadata(path).with_context(at)?.len();
    ensure!(
        size <= INPUT_BYTES_MAX,
        "{}: too large for a trace: {size} bytes",
        at()
    );
    let bytes = fs::read(path).with_context(at)?;
    Ok(Document::of(&bytes::decode(&bytes)))
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
