//! A program with a real workload whose allocator calls are recorded: it reads a large file of JSON
//! records in batches, sorts each, and keeps an index over all.
//!
//! ```text
//! cargo run --release --example record_json -- json.trace      # a million ops and more
//! target/release/kmem-rig replay json.trace --on host --subject talc
//! ```
//!
//! What is recorded is the system's allocator; what the trace is replayed on is any other.

use std::alloc::System;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::fs::File;
use std::io::Write;
use std::process::ExitCode;

use harness::geometry::Geometry;
use harness::recorder::{Lines, Recorder};
use serde_json::{Deserializer, Value};

/// Large enough for all that is live at a time, and half as much again.
const HEAP: Geometry = Geometry::from_pages(512).unwrap();

#[global_allocator]
static ALLOCATOR: Recorder<System, Lines<Buffered>, 65_536> =
    Recorder::new(System, HEAP, Lines::new(Buffered::new()));

/// A file behind a buffer of fixed size: the sink of a recorder must not allocate.
struct Buffered {
    file: Option<File>,
    bytes: [u8; 1 << 16],
    used: usize,
}

impl Buffered {
    const fn new() -> Self {
        Self {
            file: None,
            bytes: [0; 1 << 16],
            used: 0,
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let used = std::mem::take(&mut self.used);
        self.file
            .as_mut()
            .map_or(Ok(()), |file| file.write_all(&self.bytes[..used]))
    }
}

impl fmt::Write for Buffered {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if self.used + text.len() > self.bytes.len() {
            self.flush().map_err(|_| fmt::Error)?;
        }
        let room = self.bytes.get_mut(self.used..self.used + text.len());
        room.ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.used += text.len();
        Ok(())
    }
}

/// Records of the large file.
const RECORDS: u32 = 50_000;
/// Records that are sorted at a time.
const BATCH: usize = 48;

fn main() -> ExitCode {
    let Some(path) = std::env::args().nth(1) else {
        eprintln!("usage: record_json TRACE [RECORDS]");
        return ExitCode::from(2);
    };
    let records = std::env::args().nth(2).map_or(Ok(RECORDS), |n| n.parse());
    let (Ok(records), Ok(file)) = (records, File::create(&path)) else {
        eprintln!("record_json: cannot write {path}, or a number of records is none");
        return ExitCode::from(2);
    };
    let input = large_file(records);
    ALLOCATOR.with_sink(|lines| lines.out().file = Some(file));
    ALLOCATOR.start();
    let (sorted_bytes, words) = sort_in_batches(&input);
    let whole = ALLOCATOR.is_recording();
    ALLOCATOR.stop();
    let flushed = ALLOCATOR.with_sink(|lines| lines.out().flush());
    if let (true, Ok(())) = (whole, flushed) {
        println!(
            "{records} records, {sorted_bytes} bytes sorted, {words} words; written to {path}"
        );
        return ExitCode::SUCCESS;
    }
    eprintln!("record_json: the recording in {path} ended early");
    ExitCode::FAILURE
}

/// Parses, sorts and prints batch after batch; bytes printed, and words in the index.
fn sort_in_batches(input: &str) -> (usize, usize) {
    let mut index: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut sorted_bytes = 0;
    let mut records = Deserializer::from_str(input).into_iter::<Value>();
    loop {
        let mut batch: Vec<Value> = records.by_ref().flatten().take(BATCH).collect();
        if batch.is_empty() {
            return (sorted_bytes, index.len());
        }
        batch.sort_by_cached_key(|record| record["name"].to_string());
        for record in &batch {
            for word in record["tags"].as_array().into_iter().flatten() {
                let seen = index.entry(word.to_string()).or_default();
                seen.extend(record["id"].as_u64());
                // The index knows the last sixteen only.
                if seen.len() == 32 {
                    *seen = seen.split_off(16);
                }
            }
        }
        sorted_bytes += serde_json::to_string(&batch).map_or(0, |text| text.len());
    }
}

/// Records one behind the other, always the same.
fn large_file(records: u32) -> String {
    let mut noise = 1_u32;
    let mut random = |below: u32| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 8) % below
    };
    let mut text = String::new();
    for id in 0..records {
        let name = "x".repeat(random(60) as usize);
        let (order, words) = (random(9999), random(5));
        write!(text, r#"{{"id":{id},"name":"{order:04}{name}","tags":["#).expect("a string");
        for word in 0..words {
            let comma = if word > 0 { "," } else { "" };
            write!(text, r#"{comma}"word{}""#, random(99)).expect("a string");
        }
        writeln!(
            text,
            r#"],"at":{{"x":{},"y":[1.5,{}]}}}}"#,
            random(50),
            random(50)
        )
        .expect("a string");
    }
    text
}
