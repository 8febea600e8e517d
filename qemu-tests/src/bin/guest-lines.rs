//! Counts the lines that traces reach in the guest: runs them in an image that LLVM instrumented
//! (`scripts/coverage.sh` builds it), in both modes, and writes LLVM's raw profile of it.
//!
//! The guest has no run-time library for that, and needs none: its counters are words in memory
//! that this program maps, and all else that a profile holds is in the image's file.
//!
//! Usage: guest-lines IMAGE LIKE OUT. LIKE is a raw profile that the same compiler's run-time
//! library wrote, on the host; it tells the version.

use std::env;
use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering::Relaxed;

use anyhow::{Context, Result, bail, ensure};
use harness::entry::Entry;
use harness::trace::Trace;
use kmem_rig::generate::Limits;
use kmem_rig::generate::judged_part;
use kmem_rig::guest::{Configuration, Guest};
use kmem_rig::hunt;
use kmem_rig::registry::by_name;
use kmem_rig::run::RunOptions;
use object::{Object, ObjectSection};
use qemu_tests::{regressions, supervisor};

/// The allocators in the image.
const SUBJECTS: [&str; 5] = ["kmem", "kmem-hardened", "kmem-2019", "page", "page-2019"];
/// Cases drawn for each of them, beside the regressions.
const CASES: u64 = 2000;
/// The most ops that a case has of its own.
const OPS_MAX: usize = 80;
/// The version of the format written here, as LLVM 19 to 22 have it.
const VERSION: u64 = 10;
/// A function's record in it.
const RECORD_BYTES: usize = 64;

fn main() -> Result<()> {
    let paths: Vec<_> = env::args_os().skip(1).collect();
    let [image, like, out] = &paths[..] else {
        bail!("usage: guest-lines IMAGE LIKE OUT");
    };
    let head = head_of(Path::new(like))?;
    let mut counts = Vec::new();
    for configuration in [Configuration::default(), supervisor()] {
        let mut counted = Counted::start(Path::new(image), &configuration)?;
        run_all(&mut counted)?;
        add(&mut counts, &counted.all());
    }
    let image = fs::read(image).with_context(|| Path::new(image).display().to_string())?;
    let profile = profile(&image, head, &counts)?;
    fs::write(out, profile).with_context(|| Path::new(out).display().to_string())
}

/// The regressions, and cases drawn as a hunt draws them.
fn run_all(counted: &mut Counted) -> Result<()> {
    for name in SUBJECTS {
        let entry = by_name(name)?;
        for regression in regressions() {
            counted.run(entry, &regression.trace, RunOptions::STRICT)?;
        }
        let misuse = Limits {
            misuse: true,
            ..Limits::of(&entry.declaration, OPS_MAX)
        };
        let mut kinds = vec![Limits::of(&entry.declaration, OPS_MAX), misuse];
        if entry.declaration.grows {
            kinds.push(Limits::growing(&entry.declaration, OPS_MAX));
        }
        for limits in &kinds {
            for case in 0..CASES {
                let trace = judged_part(entry, hunt::draw(1, case, limits));
                let options = match case % 2 {
                    0 => RunOptions::STRICT,
                    _ => RunOptions::FAST,
                };
                counted.run(entry, &trace, options)?;
            }
        }
    }
    Ok(())
}

/// A guest and what it has counted. What a run counts that the guest does not survive is lost.
struct Counted {
    guest: Guest,
    /// How often it was booted when `last` was read.
    boots: u32,
    last: Vec<u64>,
    /// Of the boots before.
    before: Vec<u64>,
}

impl Counted {
    fn start(image: &Path, configuration: &Configuration) -> Result<Self> {
        let mut guest = Guest::start_as(image, configuration)?;
        guest.confirm_hangs(false);
        Ok(Self {
            boots: guest.boots(),
            guest,
            last: Vec::new(),
            before: Vec::new(),
        })
    }

    fn run(&mut self, entry: &'static Entry, trace: &Trace, options: RunOptions) -> Result<()> {
        if !entry.declaration.accepts(trace.geometry) {
            return Ok(());
        }
        self.guest.run(entry, trace, options)?;
        if self.guest.boots() != self.boots {
            self.boots = self.guest.boots();
            add(&mut self.before, &self.last);
        }
        let counters = self.guest.counters()?;
        if !counters.is_empty() {
            self.last = counters.iter().map(|count| count.load(Relaxed)).collect();
        }
        Ok(())
    }

    fn all(&self) -> Vec<u64> {
        let mut all = self.before.clone();
        add(&mut all, &self.last);
        all
    }
}

fn add(sum: &mut Vec<u64>, counts: &[u64]) {
    sum.resize(counts.len().max(sum.len()), 0);
    for (sum, count) in sum.iter_mut().zip(counts) {
        *sum = sum.saturating_add(*count);
    }
}

/// The magic number and the version of a raw profile.
fn head_of(path: &Path) -> Result<[u64; 2]> {
    let bytes = fs::read(path).with_context(|| path.display().to_string())?;
    let word = |at: usize| bytes.get(at..at + 8).and_then(|word| word.try_into().ok());
    let head = [word(0), word(8)].map(|word| word.map(u64::from_le_bytes));
    let [Some(magic), Some(version)] = head else {
        bail!("`{}` is no raw profile", path.display());
    };
    ensure!(
        version == VERSION,
        "the compiler writes raw profiles of version {version}, and this program of version {VERSION}"
    );
    Ok([magic, version])
}

/// A raw profile: a header of sixteen words, the functions' records, the counters, the names.
fn profile(image: &[u8], [magic, version]: [u64; 2], counts: &[u64]) -> Result<Vec<u8>> {
    let file = object::File::parse(image)?;
    let section = |name: &str| {
        let found = file.section_by_name(name);
        found.with_context(|| format!("the image has no section `{name}`: it is not instrumented"))
    };
    let (records, names) = (section("__llvm_prf_data")?, section("__llvm_prf_names")?);
    let counters = section(".counters")?;
    ensure!(
        counters.size() == size_of_val(counts) as u64,
        "the guest has {} counters, and its image {} bytes of them",
        counts.len(),
        counters.size()
    );
    let header = [
        magic,
        version,
        0, // bytes of build identifiers
        records.size() / RECORD_BYTES as u64,
        0, // padding before the counters
        counts.len() as u64,
        0, // padding behind them
        0, // bytes of bitmaps
        0, // padding behind those
        names.size(),
        counters.address().wrapping_sub(records.address()),
        0, // from the records to the bitmaps
        names.address(),
        0, // virtual tables
        0, // bytes of their names
        2, // the last kind of value that could be profiled
    ];
    let mut profile = Vec::new();
    profile.extend(header.iter().flat_map(|word| word.to_le_bytes()));
    profile.extend(records.data()?);
    profile.extend(counts.iter().flat_map(|count| count.to_le_bytes()));
    profile.extend(names.data()?);
    profile.resize(profile.len().next_multiple_of(8), 0);
    Ok(profile)
}
