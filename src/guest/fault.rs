//! What a trap is: the cause, the address as what it belongs to, the source line.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use addr2line::Context;
use addr2line::gimli::{Dwarf, EndianSlice, Error, LittleEndian};
use harness::geometry::Geometry;
use harness::mailbox::{HEAP_ADDRESS, MAILBOX_ADDRESS, Mailbox, RAM_ADDRESS};
use object::{Object, ObjectSection};

use crate::fault::{Fault, Place, SourceLine};

/// The null page, which the guest closes.
const NULL_PAGE_BYTES: u64 = 4096;

/// The source lines of an image, each looked up once: reading the debug information takes
/// milliseconds, and many runs end at the same instruction.
pub struct SourceLines {
    image: PathBuf,
    known: HashMap<u64, Option<SourceLine>>,
}

impl SourceLines {
    /// Of an image, which is not read yet.
    pub fn of(image: &Path) -> Self {
        Self {
            image: image.to_path_buf(),
            known: HashMap::new(),
        }
    }

    /// The line at an address; `None` if there is none, or the image cannot be read.
    fn at(&mut self, address: u64) -> Option<SourceLine> {
        let look = || source_line(&fs::read(&self.image).ok()?, address);
        self.known.entry(address).or_insert_with(look).clone()
    }
}

/// The fault that the fault words of a run over `geometry` are: `mcause`, `mepc` and `mtval`, or in
/// supervisor mode their counterparts with the same numbers. `lines` are those of the guest that
/// wrote them.
pub fn of_trap([cause, pc, value]: [u64; 3], geometry: Geometry, lines: &mut SourceLines) -> Fault {
    Fault::Trap {
        cause,
        at: names_address(cause).then(|| place(value, geometry)),
        source: lines.at(pc),
    }
}

/// Whether mtval holds the address that was accessed.
fn names_address(mcause: u64) -> bool {
    matches!(mcause, 0 | 1 | 4..=7 | 12 | 13 | 15)
}

fn place(address: u64, geometry: Geometry) -> Place {
    let mailbox_end = MAILBOX_ADDRESS + size_of::<Mailbox>() as u64;
    match address {
        ..NULL_PAGE_BYTES => Place::Null(address),
        RAM_ADDRESS..MAILBOX_ADDRESS => Place::Guest,
        _ if (MAILBOX_ADDRESS..mailbox_end).contains(&address) => Place::Mailbox,
        _ => Place::from_heap(address.wrapping_sub(HEAP_ADDRESS) as i64, geometry),
    }
}

/// The innermost line at `address` that is not the standard library's: what the subject wrote.
fn source_line(image: &[u8], address: u64) -> Option<SourceLine> {
    let file = object::File::parse(image).ok()?;
    let dwarf = Dwarf::load(|section| {
        let section = file.section_by_name(section.name());
        let bytes = section.and_then(|section| section.data().ok());
        Ok::<_, Error>(EndianSlice::new(bytes.unwrap_or_default(), LittleEndian))
    });
    let context = Context::from_dwarf(dwarf.ok()?).ok()?;
    let mut frames = context.find_frames(address).skip_all_loads().ok()?;
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

/// A source file's path from its crate's folder on.
fn within_crate(file: &str) -> &str {
    let before_crate = |src: usize| file[..src].rfind('/').map_or(0, |slash| slash + 1);
    file.rfind("/src/")
        .map_or(file, |src| &file[before_crate(src)..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_by_what_they_belong_to() {
        for (address, place) in [
            (HEAP_ADDRESS + 0x40000, Place::Heap(0x40000)),
            (HEAP_ADDRESS - 8, Place::Heap(-8)),
            (0, Place::Null(0)),
            (0x10, Place::Null(0x10)),
            (MAILBOX_ADDRESS, Place::Mailbox),
            (RAM_ADDRESS + 8, Place::Guest),
            (0x1000_0000, Place::Far),
            (u64::MAX, Place::Far),
        ] {
            let mut lines = SourceLines::of(Path::new("no/such/image"));
            let fault = of_trap([7, 0, address], Geometry::published(), &mut lines);
            let trap = Fault::Trap {
                cause: 7,
                at: Some(place),
                source: None,
            };
            assert_eq!(fault, trap, "{address:#x}");
        }
    }

    #[test]
    fn a_cause_without_an_address_is_told_without_one() {
        let mut lines = SourceLines::of(Path::new("no/such/image"));
        let fault = of_trap([2, 0, 0x1234], Geometry::published(), &mut lines);
        assert!(matches!(fault, Fault::Trap { at: None, .. }), "{fault:?}");
    }

    #[test]
    fn paths_start_with_the_crate() {
        assert_eq!(
            within_crate("/anywhere/kmem/src/page.rs"),
            "kmem/src/page.rs"
        );
        assert_eq!(
            within_crate("/r/x-1/talc-4.4.1/src/a/b.rs"),
            "talc-4.4.1/src/a/b.rs"
        );
        assert_eq!(within_crate("src/serve.rs"), "src/serve.rs");
    }
}
