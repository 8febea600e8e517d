//! A kernel that uses up its memory: with `kmem` as its global allocator, it fills collections
//! until a request is refused, sheds some, fills them again, and gives everything back. Each time
//! it must have the heap that it started with.
//!
//! A refusal is a value here (`try_reserve`, null). `BTreeMap` knows no such thing: before each
//! insertion there is a reserve to give up for it. What cannot be done without ends in
//! `alloc_error`, as the last act: a panic, after which QEMU exits with 1. All of it is recorded,
//! as in `recorded-kernel`, and can be replayed.
#![no_std]
#![no_main]
#![allow(unsafe_code, reason = "a kernel has an entry point and an allocator")]

extern crate alloc;

#[path = "../kernel.rs"]
mod kernel;

use alloc::collections::{BTreeMap, TryReserveError};
use alloc::string::String;
use alloc::vec::Vec;
use core::alloc::{GlobalAlloc, Layout};
use core::fmt::{self, Write};

use harness::geometry::Geometry;
use harness::recorder::{Lines, Recorder};
use kernel::virt::{Console, say};
use kmem::global::{self, OsGlobalAlloc};

/// The kernel's allocator: of 64 pages, and recorded. At most 1,792 blocks are live at a time.
#[global_allocator]
static ALLOCATOR: Recorder<OsGlobalAlloc, Lines<Console>, 2048> =
    Recorder::new(OsGlobalAlloc, Geometry::published(), Lines::marked(Console));

/// More than an insertion takes: a new node on each level of the map.
const RESERVE_BYTES: usize = 4096;
/// Of the largest file.
const FILE_BYTES_MAX: usize = 1500;

#[riscv_rt::entry]
fn main() -> ! {
    say(format_args!("kernel: booting"));
    // SAFETY: the first call of this hart's, which is the only one; there are no interrupt
    // handlers.
    unsafe { kernel::init() };
    ALLOCATOR.start();
    let (fresh, table) = (capacity(), Line::of_table());
    say(format_args!(
        "kernel: {fresh} bytes can be had, and the table is {}",
        table.text()
    ));
    for round in 0..3 {
        press(round);
        assert_eq!(
            Line::of_table().text(),
            table.text(),
            "the table of an empty heap"
        );
        let again = capacity();
        assert_eq!(again, fresh, "the capacity of an empty heap");
        say(format_args!(
            "kernel: round {round}: recovered, {again} bytes can be had"
        ));
    }
    ALLOCATOR.stop();
    say(format_args!("kernel: recovered from all rounds"));
    global::alloc_error(refused(fresh + 1))
}

/// Files by name; and words, in one list that grows by being moved.
#[derive(Default)]
struct Work {
    files: BTreeMap<String, Vec<u8>>,
    words: Vec<String>,
}

impl Work {
    /// Adds a file and a word, or neither.
    fn add(&mut self, id: usize, reserve: &mut Vec<u8>) -> Result<(), TryReserveError> {
        let (name, contents) = (name(id)?, contents(id)?);
        let mut word = String::new();
        word.try_reserve_exact(id % 40 + 1)?;
        (0..=id % 40).for_each(|_| word.push('w'));
        self.words.try_reserve(1)?;
        // Where this cannot be had again, the memory is used up.
        *reserve = Vec::new();
        self.files.insert(name, contents);
        self.words.push(word);
        reserve.try_reserve_exact(RESERVE_BYTES)
    }

    /// Adds until it is refused; returns how much was added.
    fn fill(&mut self, from: usize) -> usize {
        let mut reserve = Vec::new();
        let mut id = from;
        if reserve.try_reserve_exact(RESERVE_BYTES).is_ok() {
            while self.add(id, &mut reserve).is_ok() {
                id += 1;
            }
        }
        id - from
    }

    /// Bytes of all files, each of which holds what was written.
    fn verify(&self) -> usize {
        for (name, contents) in &self.files {
            let id: usize = name[5..].parse().expect("a number behind `file-`");
            assert_eq!(contents.len(), length(id), "{name}");
            assert!(contents.iter().all(|&byte| byte == id as u8), "{name}");
        }
        assert!(
            self.words
                .iter()
                .all(|word| word.bytes().all(|byte| byte == b'w'))
        );
        self.files.values().map(Vec::len).sum()
    }
}

const fn length(id: usize) -> usize {
    1 + id * 389 % FILE_BYTES_MAX
}

fn name(id: usize) -> Result<String, TryReserveError> {
    let mut name = String::new();
    name.try_reserve_exact(16)?;
    let _ = write!(name, "file-{id:05}");
    Ok(name)
}

fn contents(id: usize) -> Result<Vec<u8>, TryReserveError> {
    let mut contents = Vec::new();
    contents.try_reserve_exact(length(id))?;
    contents.resize(length(id), id as u8);
    Ok(contents)
}

/// Fills the memory, sheds every other file, and fills it again.
fn press(round: usize) {
    let mut work = Work::default();
    let first = work.fill(round * 1000);
    let bytes = work.verify();
    say(format_args!(
        "kernel: round {round}: refused at {first} files of {bytes} bytes"
    ));
    assert!(bytes > 180_000, "most of the heap is files");
    let mut stays = false;
    work.files.retain(|_, _| {
        stays = !stays;
        stays
    });
    work.words.truncate(first / 2);
    let left = work.verify();
    let second = work.fill(round * 1000 + 500);
    let bytes = work.verify();
    say(format_args!(
        "kernel: round {round}: {left} bytes were left, refused again at {second} more, of {bytes} bytes"
    ));
    assert!(second > 50, "what was shed is used again");
}

/// The largest request that is granted, in bytes, by halving. It asks the allocator itself: the
/// compiler may take a call of `alloc::alloc::alloc` away, and what it was granted for granted.
fn capacity() -> usize {
    let (mut granted, mut refused) = (0, Geometry::published().bytes() as usize + 1);
    while granted + 1 < refused {
        let size = granted + (refused - granted) / 2;
        let layout = Layout::from_size_align(size, 8).expect("a size within the heap's");
        // SAFETY: the size is not 0.
        let block = unsafe { ALLOCATOR.alloc(layout) };
        if block.is_null() {
            refused = size;
        } else {
            // SAFETY: granted just now, for this layout.
            unsafe { ALLOCATOR.dealloc(block, layout) };
            granted = size;
        }
    }
    granted
}

/// A request for so many bytes, which must be refused.
fn refused(bytes: usize) -> Layout {
    let layout = Layout::from_size_align(bytes, 8).expect("a size within the heap's");
    // SAFETY: the size is not 0.
    let block = unsafe { ALLOCATOR.alloc(layout) };
    assert!(block.is_null(), "{bytes} bytes are more than there are");
    layout
}

/// The table of an empty heap: one line. It takes no memory of the heap.
struct Line {
    bytes: [u8; 128],
    length: usize,
}

impl Line {
    fn of_table() -> Self {
        let mut line = Self {
            bytes: [0; 128],
            length: 0,
        };
        // SAFETY: one hart, and writing into the line calls no allocator.
        let written = unsafe { global::print_table(&mut line) };
        assert!(written.is_ok(), "more than one chunk: {}", line.text());
        line
    }

    fn text(&self) -> &str {
        core::str::from_utf8(&self.bytes[..self.length])
            .unwrap_or_default()
            .trim_end()
    }
}

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let place = self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}
