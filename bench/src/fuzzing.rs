//! How fast the fuzz targets are, held against a target as allocator crates usually have one.
//!
//! The yardstick is `fuzz/fuzz_targets/plain.rs`: a list of actions from `arbitrary`, run on
//! `kmem`, nothing judged. What counts is ops a second (`fuzz::tally`), not inputs a second, which
//! punish a mutator that makes long traces. All variants get the same options, and they run in
//! turn, so that what else the machine does hits all of them alike.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use kmem_rig::cost::figure::{Figure, Goal};
use kmem_rig::fuzz::tally;

use crate::{guest, rounds};

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

/// The yardstick first, the target that needs a guest last: it is held against another.
const VARIANTS: [Variant; 6] = [
    variant("plain", "fuzz/plain", "plain", false),
    variant("plain -O", "fuzz/plain", "plain", true),
    variant("plain -O, stripped", "fuzz", "plain", true),
    variant("kmem", "fuzz", "kmem", false),
    variant("kmem -O", "fuzz", "kmem", true),
    variant("guest -O", "fuzz", "guest", true),
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

/// The same for every variant: a fake stack, a large quarantine and a long walk up the stack for
/// each allocation cost some targets more than others. `detect_odr_violation` is what cargo-fuzz
/// sets.
pub(super) const ASAN_OPTIONS: &str = "detect_odr_violation=0:detect_stack_use_after_return=0:\
     quarantine_size_mb=16:malloc_context_size=2";

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
    for variant in &VARIANTS[..VARIANTS.len() - 1] {
        binaries.push(build(variant, root, &target)?);
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

/// The rows of the bench, with their goals: the targets' speed, and what three-way fuzzing reaches.
///
/// # Errors
/// As for [`speeds`], and when there is no guest.
pub fn figures(root: &Path, target: &Path, rounds: u64, time: Duration) -> Result<Vec<Figure>> {
    let speeds = speeds(root, target, rounds, time)?;
    let mut figures = Vec::new();
    let plain = &speeds[0].ops_per_second;
    for speed in &speeds {
        let (name, own) = (speed.name, &speed.ops_per_second);
        let figure = rounds::figure(
            format!("fuzz target {name} : plain"),
            "ops/s",
            own,
            (own, plain),
        );
        figures.push(match name {
            "kmem -O" => figure.held_to(Goal::AtLeast(30.0)),
            "kmem" => figure.held_to(Goal::AtLeast(10.0)),
            _ => figure,
        });
    }
    let built = |name: &str| {
        let variant = VARIANTS.iter().find(|variant| variant.name == name);
        build(variant.context("a variant of this name")?, root, target)
    };
    let (kmem, guest) = (built("kmem -O")?, built("guest -O")?);
    let corpus = root.join("fuzz/seeds/kmem");
    let live = guest::live([&guest, &kmem], &corpus, target, time, rounds as usize)?;
    let rate = Figure::new(
        "fuzz target guest, three-way with guest counters".to_owned(),
        live.value,
        "inputs/s",
    );
    figures.push(live.held_to(Goal::AtLeast(1.0 / 3.0)));
    figures.push(rate);
    Ok(figures)
}

/// How long memory is watched, and when it must have stopped growing.
const MEMORY_TIME: Duration = Duration::from_secs(600);
const MEMORY_WARM: Duration = Duration::from_secs(60);
/// Between two looks.
const MEMORY_PAUSE: Duration = Duration::from_secs(5);

/// The memory of the target `kmem` over ten minutes: the most, and by how much it grew after the
/// first.
///
/// # Errors
/// When the target does not build or run.
pub fn memory(root: &Path, target: &Path) -> Result<[Figure; 2]> {
    fs::create_dir_all(target).with_context(|| format!("cannot create {}", target.display()))?;
    let variant = VARIANTS.iter().find(|variant| variant.name == "kmem -O");
    let binary = build(variant.context("a variant of this name")?, root, target)?;
    let mut command = command(&binary, target, 1, MEMORY_TIME);
    let running = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = running.with_context(|| format!("cannot run {}", binary.display()))?;
    let (start, mut warm, mut most) = (Instant::now(), 0.0_f64, 0.0_f64);
    while child
        .try_wait()
        .context("waiting for the target")?
        .is_none()
    {
        let megabytes = resident_megabytes(child.id())?;
        most = most.max(megabytes);
        if start.elapsed() <= MEMORY_WARM {
            warm = most;
        }
        thread::sleep(MEMORY_PAUSE);
    }
    let name = "fuzz target kmem -O, memory over 10 minutes".to_owned();
    let growth = format!("{name} : over the first");
    Ok([
        Figure::new(name, most, "MB").held_to(Goal::AtMost(150.0)),
        Figure::new(growth, most, "MB")
            .against(warm)
            .held_to(Goal::AtMost(1.1)),
    ])
}

/// What a process holds in memory; 0 once it has ended.
fn resident_megabytes(id: u32) -> Result<f64> {
    let Ok(status) = fs::read_to_string(format!("/proc/{id}/status")) else {
        return Ok(0.0);
    };
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.split_whitespace().next());
    Ok(kilobytes.map_or(Ok(0.0), str::parse)? / 1000.0)
}

/// Builds a variant; what differs in flags or in package has a folder of its own, so that a second
/// call builds nothing.
fn build(variant: &Variant, root: &Path, target: &Path) -> Result<PathBuf> {
    let package = variant.package.replace('/', "-");
    let folder = target.join(format!(
        "{package}{}",
        if variant.optimized { "-O" } else { "" }
    ));
    let package = root.join(variant.package);
    let flags: &[_] = if variant.optimized { &["-O"] } else { &[] };
    build_target(&package, variant.target, flags, &folder)
}

/// Builds a target of a package with cargo-fuzz, as it does by default but for the flags; returns
/// the binary.
pub fn build_target(package: &Path, name: &str, flags: &[&str], target: &Path) -> Result<PathBuf> {
    let package = package
        .canonicalize()
        .with_context(|| format!("cannot find {}", package.display()))?;
    // Cargo runs in the package's folder, from which a relative path would lead elsewhere.
    let target = &std::path::absolute(target).context("cannot tell where this runs")?;
    let mut command = Command::new("cargo");
    command
        .args(["+nightly", "fuzz", "build", name, "--fuzz-dir"])
        .arg(&package)
        .arg("--target-dir")
        .arg(target)
        .args(flags)
        // Set by the cargo that runs this binary, if one does: they name its toolchain.
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        // It does not work outside a project, whatever else it is told.
        .current_dir(&package)
        .stdout(Stdio::null());
    let output = command
        .output()
        .context("cannot start cargo; install it with rustup")?;
    ensure!(
        output.status.success(),
        "cannot build the fuzz target {name} of {}; `make setup` installs what it needs:\n{}",
        package.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    find_binary(target, name)
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

/// How a target is run from an empty corpus.
fn command(binary: &Path, folder: &Path, seed: u64, time: Duration) -> Command {
    let mut command = Command::new(binary);
    command
        .arg(format!("-seed={seed}"))
        .arg(format!("-max_total_time={}", time.as_secs().max(1)))
        .arg("-reduce_inputs=0")
        .arg(format!("-artifact_prefix={}/", folder.display()))
        .env("ASAN_OPTIONS", ASAN_OPTIONS);
    command
}

/// Runs a target from an empty corpus; returns its ops a second.
fn run(binary: &Path, folder: &Path, seed: u64, time: Duration) -> Result<f64> {
    let counts = folder.join("tally");
    let output = command(binary, folder, seed, time)
        .env(tally::VARIABLE, &counts)
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
