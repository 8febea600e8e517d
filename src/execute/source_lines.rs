//! The lines of source code behind a program's instructions: the guest image's, and this program's
//! own.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{LazyLock, Mutex, PoisonError};

use addr2line::Context;
use addr2line::gimli::{Dwarf, EndianSlice, Error, LittleEndian};
use harness::source::within_crate;
use object::{Object, ObjectSection, ObjectSegment};

use crate::run::fault::SourceLine;

/// This program, even if its file was replaced.
const THIS_PROGRAM: &str = "/proc/self/exe";
const MAPS: &str = "/proc/self/maps";

/// The source lines of a program, each looked up once: reading the debug information takes
/// milliseconds, and many runs end at the same instruction. It is not kept, since each worker that
/// is forked would take longer for it.
pub(crate) struct SourceLines {
    path: PathBuf,
    /// Where the program lies, unless that is where it is linked for.
    loaded_at: Option<u64>,
    known: HashMap<u64, Option<SourceLine>>,
}

impl SourceLines {
    /// Of a program that lies where it is linked for.
    pub(crate) fn of(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            loaded_at: None,
            known: HashMap::new(),
        }
    }

    /// The line of the instruction at an address; `None` if there is none, or the program cannot be
    /// read.
    pub(crate) fn at(&mut self, address: u64) -> Option<SourceLine> {
        let look = || source_line(&fs::read(&self.path).ok()?, self.loaded_at, address);
        self.known.entry(address).or_insert_with(look).clone()
    }
}

/// The line of an instruction of this process; `None` if it is in a library, or nothing is known.
/// Children that it forks have theirs at the same addresses.
pub(crate) fn of_this_program(address: u64) -> Option<SourceLine> {
    static LINES: LazyLock<Mutex<SourceLines>> = LazyLock::new(|| {
        Mutex::new(SourceLines {
            loaded_at: loaded_at(),
            ..SourceLines::of(Path::new(THIS_PROGRAM))
        })
    });
    let mut lines = LINES.lock().unwrap_or_else(PoisonError::into_inner);
    lines.at(address)
}

/// Where this program lies in memory: its first mapping's address.
fn loaded_at() -> Option<u64> {
    let program = fs::read_link(THIS_PROGRAM).ok()?;
    let maps = fs::read_to_string(MAPS).ok()?;
    let of_program = |line: &&str| line.ends_with(&*program.to_string_lossy());
    let (start, _) = maps.lines().find(of_program)?.split_once('-')?;
    u64::from_str_radix(start, 16).ok()
}

/// The innermost line at `address` that is not the standard library's: what the subject wrote.
fn source_line(program: &[u8], loaded_at: Option<u64>, address: u64) -> Option<SourceLine> {
    let file = object::File::parse(program).ok()?;
    let linked_for = file.segments().next()?.address();
    let moved = loaded_at.map_or(0, |start| start.wrapping_sub(linked_for));
    let dwarf = Dwarf::load(|section| {
        let section = file.section_by_name(section.name());
        let bytes = section.and_then(|section| section.data().ok());
        Ok::<_, Error>(EndianSlice::new(bytes.unwrap_or_default(), LittleEndian))
    });
    let context = Context::from_dwarf(dwarf.ok()?).ok()?;
    let frames = context.find_frames(address.wrapping_sub(moved));
    let mut frames = frames.skip_all_loads().ok()?;
    let mut first = None;
    while let Ok(Some(frame)) = frames.next() {
        let Some((file, line)) = frame.location.and_then(|at| at.file.zip(at.line)) else {
            continue;
        };
        let source = SourceLine {
            file: within_crate(file).to_owned(),
            line,
        };
        if !is_standard_library(file) {
            return Some(source);
        }
        first.get_or_insert(source);
    }
    first
}

fn is_standard_library(file: &str) -> bool {
    file.starts_with("/rustc/") || file.contains("/lib/rustlib/src/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instruction_of_this_program_has_a_line() {
        let code = (subjects::by_name as *const ()).addr() as u64;
        let source = of_this_program(code).expect("subjects are compiled with line tables");
        assert_eq!(source.file, "subjects/src/lib.rs");
        assert_eq!(of_this_program(8), None);
    }
}
