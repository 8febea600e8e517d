//! A trap in words: the cause, the address as an offset, the source line.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use addr2line::Context;
use addr2line::gimli::{Dwarf, EndianSlice, Error, LittleEndian};
use harness::geometry::Geometry;
use harness::mailbox::{HEAP_ADDRESS, MAILBOX_ADDRESS, Mailbox, RAM_ADDRESS};
use object::{Object, ObjectSection};

/// The null page, which the guest closes.
const NULL_PAGE_BYTES: u64 = 4096;

/// The source lines of an image, each looked up once: reading the debug information takes
/// milliseconds, and many runs end at the same instruction.
pub struct SourceLines {
    image: PathBuf,
    known: HashMap<u64, Option<String>>,
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
    fn at(&mut self, address: u64) -> Option<&str> {
        let look = || source_line(&fs::read(&self.image).ok()?, address);
        self.known.entry(address).or_insert_with(look).as_deref()
    }
}

/// Describes the fault words of a run, which are `mcause`, `mepc` and `mtval`, or in supervisor mode their
/// counterparts with the same numbers, of a run over `geometry`. `lines` are those of the guest that wrote
/// them. No address and no path of this machine appears.
pub fn describe(
    [mcause, mepc, mtval]: [u64; 3],
    geometry: Geometry,
    lines: &mut SourceLines,
) -> String {
    let mut text = cause(mcause).map_or_else(|| format!("trap {mcause:#x}"), str::to_owned);
    if names_address(mcause) {
        text.push_str(&place(mtval, geometry));
    }
    if let Some(line) = lines.at(mepc) {
        text.push_str(", at ");
        text.push_str(line);
    }
    text
}

/// The names of the privileged specification, table "Machine cause register values after trap". What
/// physical memory protection denies is an access fault, what page tables deny a page fault.
fn cause(mcause: u64) -> Option<&'static str> {
    Some(match mcause {
        0 => "instruction address misaligned",
        1 => "instruction access fault",
        2 => "illegal instruction",
        3 => "breakpoint",
        4 => "load address misaligned",
        5 => "load access fault",
        6 => "store address misaligned",
        7 => "store access fault",
        12 => "instruction page fault",
        13 => "load page fault",
        15 => "store page fault",
        _ => return None,
    })
}

/// Whether mtval holds the address that was accessed.
fn names_address(mcause: u64) -> bool {
    matches!(mcause, 0 | 1 | 4..=7 | 12 | 13 | 15)
}

fn place(address: u64, geometry: Geometry) -> String {
    let mailbox_end = MAILBOX_ADDRESS + size_of::<Mailbox>() as u64;
    let near = geometry.region_align() as i64;
    let offset = address.wrapping_sub(HEAP_ADDRESS) as i64;
    match address {
        0 => " at null".to_owned(),
        1..NULL_PAGE_BYTES => format!(" at null+{address:#x}"),
        RAM_ADDRESS..MAILBOX_ADDRESS => {
            " in the guest's own memory, or its stack is full".to_owned()
        }
        _ if (MAILBOX_ADDRESS..mailbox_end).contains(&address) => " in the mailbox".to_owned(),
        _ if offset < -near || offset >= geometry.bytes() as i64 + near => {
            " far outside the heap".to_owned()
        }
        _ if offset < 0 => format!(" at heap-{:#x}", offset.unsigned_abs()),
        _ => format!(" at heap+{offset:#x}"),
    }
}

/// The innermost line at `address` that is not the standard library's: what the subject wrote.
fn source_line(image: &[u8], address: u64) -> Option<String> {
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
        let text = format!("{}:{line}", within_crate(file));
        if !is_standard_library(file) {
            return Some(text);
        }
        first.get_or_insert(text);
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

    fn described(mcause: u64, mtval: u64) -> String {
        let mut lines = SourceLines::of(Path::new("no/such/image"));
        describe([mcause, 0, mtval], Geometry::published(), &mut lines)
    }

    #[test]
    fn addresses_are_told_by_what_they_belong_to() {
        assert_eq!(
            described(7, HEAP_ADDRESS + 0x40000),
            "store access fault at heap+0x40000"
        );
        assert_eq!(
            described(5, HEAP_ADDRESS - 8),
            "load access fault at heap-0x8"
        );
        assert_eq!(described(5, 0), "load access fault at null");
        assert_eq!(described(13, 0), "load page fault at null");
        assert_eq!(
            described(15, HEAP_ADDRESS - 8),
            "store page fault at heap-0x8"
        );
        assert_eq!(described(7, 0x10), "store access fault at null+0x10");
        assert_eq!(
            described(7, MAILBOX_ADDRESS),
            "store access fault in the mailbox"
        );
        assert_eq!(
            described(5, 0x1000_0000),
            "load access fault far outside the heap"
        );
        assert_eq!(
            described(5, u64::MAX),
            "load access fault far outside the heap"
        );
        let own = "store access fault in the guest's own memory, or its stack is full";
        assert_eq!(described(7, RAM_ADDRESS + 8), own);
    }

    #[test]
    fn a_cause_without_an_address_is_told_without_one() {
        assert_eq!(described(2, 0x1234), "illegal instruction");
        assert_eq!(described(24, 0x1234), "trap 0x18");
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
