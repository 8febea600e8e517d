//! How fast the fuzz targets are, held against a target as allocator crates usually have one.
//!
//! The yardstick is `fuzz/fuzz_targets/plain.rs`: a list of actions from `arbitrary`, run on `kmem`,
//! nothing judged. What counts is ops a second (`fuzz::tally`), not inputs a second, which punish a
//! mutator that makes long traces. All variants get the same options, and they run in turn, so that
//! what else the machine does hits all of them alike.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use crate::fuzz::tally;

/// How a target is built.
#[derive(Clone, Copy, Debug)]
struct Variant {
    name: &'static str,
    /// The cargo-fuzz package; the yardstick's own leaves cargo-fuzz's flags as they are.
    package: &'static str,
    target: &'static str,
    /// With `-O`: without debug assertions and overflow checks.
    optimized: bool,
}

/// The yardstick first.
const VARIANTS: [Variant; 5] = [
    variant("plain", "fuzz/plain", "plain", false),
    variant("plain -O", "fuzz/plain", "plain", true),
    variant("plain -O, stripped", "fuzz", "plain", true),
    variant("kmem", "fuzz", "kmem", false),
    variant("kmem -O", "fuzz", "kmem", true),
];

const fn variant(
    name: &'static str,
    package: &'static str,
    target: &'static str,
    optimized: bool,
) -> Variant {
    Variant {
        name,
        package,
        target,
        optimized,
    }
}

/// The same for every variant: a fake stack and a large quarantine cost some targets more than
/// others. `detect_odr_violation` is what cargo-fuzz sets.
pub(super) const ASAN_OPTIONS: &str =
    "detect_odr_violation=0:detect_stack_use_after_return=0:quarantine_size_mb=16";

/// What a variant reached.
#[derive(Clone, Debug)]
pub struct Speed {
    /// The target and how it was built.
    pub name: &'static str,
    /// Ops executed (and, but for the yardstick, judged) a second, round by round.
    pub ops_per_second: Vec<f64>,
}

/// Builds every variant below `target` and runs each for `time` a round, in turn; the yardstick, as
/// cargo-fuzz builds it by default, is the first. `root` is the workspace's folder.
///
/// # Errors
/// When a target does not build, finds something, or leaves no count.
pub fn speeds(root: &Path, target: &Path, rounds: u64, time: Duration) -> Result<Vec<Speed>> {
    fs::create_dir_all(target).with_context(|| format!("cannot create {}", target.display()))?;
    let target = target
        .canonicalize()
        .with_context(|| format!("cannot find {}", target.display()))?;
    let mut binaries = Vec::new();
    let mut speeds = Vec::new();
    for variant in VARIANTS {
        binaries.push(build(&variant, root, &target)?);
        speeds.push(Speed {
            name: variant.name,
            ops_per_second: Vec::new(),
        });
    }
    for round in 1..=rounds {
        for (binary, speed) in binaries.iter().zip(&mut speeds) {
            speed
                .ops_per_second
                .push(run(binary, &target, round, time)?);
        }
    }
    Ok(speeds)
}

/// Builds a variant with cargo-fuzz; returns the binary. What differs in flags or in package has a
/// folder of its own, so that a second call builds nothing.
fn build(variant: &Variant, root: &Path, target: &Path) -> Result<PathBuf> {
    let package = variant.package.replace('/', "-");
    let folder = target.join(format!(
        "{package}{}",
        if variant.optimized { "-O" } else { "" }
    ));
    let mut command = Command::new("cargo");
    command
        .args(["+nightly", "fuzz", "build", variant.target, "--fuzz-dir"])
        .arg(root.join(variant.package))
        .arg("--target-dir")
        .arg(&folder)
        // Set by the cargo that runs this binary, if one does: they name its toolchain.
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .current_dir(root)
        .stdout(Stdio::null());
    if variant.optimized {
        command.arg("-O");
    }
    let output = command
        .output()
        .context("cannot start cargo; install it with rustup")?;
    ensure!(
        output.status.success(),
        "cannot build the fuzz target {}; `make setup` installs what it needs:\n{}",
        variant.name,
        String::from_utf8_lossy(&output.stderr)
    );
    find_binary(&folder, variant.target)
}

/// The binary, whatever the machine's target triple is called.
fn find_binary(folder: &Path, target: &str) -> Result<PathBuf> {
    let listed = || format!("cannot list {}", folder.display());
    for entry in fs::read_dir(folder).with_context(listed)? {
        let binary = entry
            .with_context(listed)?
            .path()
            .join("release")
            .join(target);
        if binary.is_file() {
            return Ok(binary);
        }
    }
    anyhow::bail!("cargo fuzz left no {target} below {}", folder.display())
}

/// Runs a target from an empty corpus; returns its ops a second.
fn run(binary: &Path, folder: &Path, seed: u64, time: Duration) -> Result<f64> {
    let counts = folder.join("tally");
    let output = Command::new(binary)
        .arg(format!("-seed={seed}"))
        .arg(format!("-max_total_time={}", time.as_secs().max(1)))
        .arg("-reduce_inputs=0")
        .arg(format!("-artifact_prefix={}/", folder.display()))
        .env(tally::VARIABLE, &counts)
        .env("ASAN_OPTIONS", ASAN_OPTIONS)
        .output()
        .with_context(|| format!("cannot run {}", binary.display()))?;
    ensure!(
        output.status.success(),
        "{} ended with {}:\n{}",
        binary.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    let text =
        fs::read_to_string(&counts).with_context(|| format!("cannot read {}", counts.display()))?;
    ops_per_second(&text).with_context(|| format!("`{text}` in {} is no tally", counts.display()))
}

/// Reads what `fuzz::tally` wrote: ops and nanoseconds.
fn ops_per_second(text: &str) -> Option<f64> {
    let (ops, nanoseconds) = text.trim_end().split_once(' ')?;
    let time = Duration::from_nanos(nanoseconds.parse().ok()?);
    let ops: f64 = ops.parse().ok()?;
    (time > Duration::ZERO).then(|| ops / time.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tally_reads_as_a_rate() {
        let text = "00000000000000003000 00000000002000000000\n";
        assert_eq!(ops_per_second(text), Some(1500.0));
        assert_eq!(ops_per_second(""), None);
        assert_eq!(ops_per_second("1 0\n"), None);
    }
}
