//! Reads what a user names: a trace's text, or a fuzzer's bytes (an artifact or corpus entry).

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use harness::bytes;
use harness::text::Document;

/// What every text trace starts with, whatever its version.
const TEXT_MARK: &[u8] = b"# kmem-rig trace";
/// The largest input read, in bytes; no trace within bounds comes near it.
const INPUT_BYTES_MAX: u64 = 16 << 20;

/// Reads one input. Text must be a trace; bytes always are one.
///
/// # Errors
/// When the file cannot be read, or is a text with an error in it (file, line and column).
pub fn read(path: &Path) -> Result<Document> {
    let at = || path.display().to_string();
    let size = fs::metadata(path).with_context(at)?.len();
    ensure!(
        size <= INPUT_BYTES_MAX,
        "{}: too large for a trace: {size} bytes",
        at()
    );
    let bytes = fs::read(path).with_context(at)?;
    if bytes.starts_with(TEXT_MARK) || path.extension().is_some_and(|e| e == "trace") {
        let text = String::from_utf8(bytes).map_err(|error| {
            let line = 1 + error.as_bytes()[..error.utf8_error().valid_up_to()]
                .iter()
                .filter(|&&byte| byte == b'\n')
                .count();
            anyhow!("{}:{line}:1: expected UTF-8 text, found other bytes", at())
        })?;
        return Document::parse(&text).map_err(|error| anyhow!("{}:{error}", at()));
    }
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
