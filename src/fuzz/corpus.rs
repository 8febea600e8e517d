//! A corpus written anew in the newest byte form, for whoever keeps one over versions of the rig.
//!
//! Nothing that lies in a corpus is an error: every byte string is a trace, and an entry of an old
//! version decodes to the trace that it was. Entries that are the same trace become one. Which of
//! the others are worth their place is libFuzzer's to say (`make corpus`).

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fmt;
use std::path::Path;

use anyhow::{Context, Result};
use harness::bytes;

use crate::regression::write_whole;
use crate::trace::input;
use crate::wording::counted::counted;

/// What was read and written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Renewed {
    /// The entries read.
    pub entries: usize,
    /// The traces written: no two are the same.
    pub traces: usize,
    /// The entries that are too long for a trace, which were left out.
    pub too_long: usize,
}

impl fmt::Display for Renewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            entries,
            traces,
            too_long,
        } = self;
        let noun = if *entries == 1 { "entry" } else { "entries" };
        write!(f, "{entries} {noun}: {} written", counted(*traces, "trace"))?;
        match too_long {
            0 => Ok(()),
            _ => write!(f, ", {too_long} left out, too long for a trace"),
        }
    }
}

/// Writes every entry of the folder `from` into the folder `to`, by its own name; of an entry in a
/// folder below, the path with dashes.
///
/// # Errors
/// When `from` is no folder that can be read, or `to` cannot be written.
pub fn renew(from: &Path, to: &Path) -> Result<Renewed> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot write {}", to.display()))?;
    let mut renewed = Renewed::default();
    let mut written = BTreeSet::new();
    for path in input::files(&[from.to_owned()])? {
        renewed.entries += 1;
        let Some(trace) = input::read_entry(&path)? else {
            renewed.too_long += 1;
            continue;
        };
        let entry = bytes::encode(&trace);
        if !written.insert(entry.clone()) {
            continue;
        }
        let parts: Vec<&OsStr> = path.strip_prefix(from)?.iter().collect();
        write_whole(&to.join(parts.join("-".as_ref())), &entry)?;
        renewed.traces += 1;
    }
    Ok(renewed)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Two ops, in the newest form.
    fn entry() -> Vec<u8> {
        let text = "# kmem-rig trace v1\nheap 64 pages\na0 = alloc 24\nfree a0\n";
        let document = harness::text::Document::parse(text).unwrap();
        bytes::encode(&document.trace())
    }

    fn with(mut entry: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
        entry[at] = byte;
        entry
    }

    #[test]
    fn whatever_lies_in_a_corpus_becomes_the_trace_that_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("below")).unwrap();
        let newest = entry();
        let entries: [(&str, Vec<u8>); 8] = [
            ("newest", newest.clone()),
            ("no-version", with(newest.clone(), 0, 0)),
            ("version-to-come", with(newest.clone(), 0, 200)),
            ("reserved", with(newest.clone(), 2, 9)),
            ("empty", Vec::new()),
            ("junk", b"\xff\x00not a trace at all, but bytes".to_vec()),
            (
                "broken-text",
                b"# kmem-rig trace v1\nheap 64 pages\nalloc".to_vec(),
            ),
            ("below/newest", with(newest.clone(), 16, 32)),
        ];
        for (name, bytes) in &entries {
            fs::write(from.join(name), bytes).unwrap();
        }
        fs::write(from.join("log"), vec![7; 17 << 20]).unwrap();

        let renewed = renew(&from, &to).unwrap();
        assert_eq!((renewed.entries, renewed.too_long), (9, 1));
        let names = |folder: &Path| {
            let entries = fs::read_dir(folder).unwrap();
            let mut names: Vec<_> = entries
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            names.sort();
            names
        };
        // Three of them are `newest` in other bytes, of which the first by name was taken.
        let kept = ["below-newest", "broken-text", "empty", "junk", "newest"];
        assert_eq!(names(&to), kept);
        assert_eq!(renewed.traces, kept.len());
        for name in names(&to) {
            let bytes = fs::read(to.join(&name)).unwrap();
            let trace = bytes::decode(&bytes);
            let source = entries
                .iter()
                .find(|e| e.0.replace('/', "-") == name)
                .unwrap();
            assert_eq!(trace, bytes::decode(&source.1), "{name} is another trace");
            assert_eq!(
                bytes::encode(&trace),
                bytes,
                "{name} is not in the newest form"
            );
        }
        // What is in the newest form stays as it is.
        let again = folder.path().join("again");
        assert_eq!(renew(&to, &again).unwrap().traces, kept.len());
        assert_eq!(names(&again), kept);
    }

    #[test]
    fn a_corpus_that_was_lost_is_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir(&from).unwrap();
        assert_eq!(renew(&from, &to).unwrap(), Renewed::default());
        assert!(to.is_dir());
    }
}
