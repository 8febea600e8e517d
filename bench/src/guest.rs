//! What the guest is held against: a boot for each input, and fuzzing on the host alone.
//!
//! Both sides of a figure are measured in turn, round by round, after a round that does not count,
//! so that what else the machine does hits both alike. Nothing is printed here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::heap::Strength;
use harness::trace::Trace;
use kmem_rig::cost::figure::Figure;
use kmem_rig::guest::{Batch, Guest, find_image};
use kmem_rig::hunt::{self, Bound, Settings};
use kmem_rig::report;
use kmem_rig::rules::Rules;
use kmem_rig::run::RunOptions;
use qemu_exec::{Ended, Machine};

use crate::rounds;
use crate::throughput::{self, Mix};

/// Ops of a trace, where traces are compared with boots.
const OPS: usize = 16;
/// Boots of a round: they take some tens of milliseconds each.
const BOOTS: usize = 8;
/// How long a QEMU that has nothing to do may take to end.
const EXIT_DEADLINE: Duration = Duration::from_secs(10);

/// Two values that were measured one after the other: what is measured, and what it is held
/// against.
struct Round {
    value: f64,
    against: f64,
}

/// A figure of so many rounds, after one that does not count.
fn measure(
    figure: impl Into<String>,
    unit: &'static str,
    rounds: usize,
    mut round: impl FnMut() -> Result<Round>,
) -> Result<Figure> {
    round()?;
    let (mut values, mut against) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let round = round()?;
        values.push(round.value);
        against.push(round.against);
    }
    Ok(rounds::figure(figure, unit, &values, (&values, &against)))
}

/// Traces a second, judged, in a guest that was booted once, against a boot of an empty guest and
/// one trace each.
///
/// # Errors
/// When there is no guest, or a trace breaks a rule.
pub fn replay(entry: &Entry, options: RunOptions, count: usize, rounds: usize) -> Result<Figure> {
    let traces = throughput::traces(Mix::Mixed, count, OPS, Geometry::published());
    let image = find_image(None)?;
    let mut guest = Guest::start(&image)?;
    let strength = match options.strength {
        Strength::Fast => "fast",
        Strength::Strict => "strict",
    };
    let name = format!(
        "{}, {OPS}-op mixed traces, one guest {strength} : a boot an input",
        entry.name()
    );
    measure(name, "traces/s", rounds, || {
        let start = Instant::now();
        for trace in &traces[..BOOTS.min(count)] {
            Guest::start(&image)?.run(entry, trace, options)?;
        }
        let against = BOOTS.min(count) as f64 / start.elapsed().as_secs_f64();
        let start = Instant::now();
        run_all(&mut guest, entry, &traces, options)?;
        let value = count as f64 / start.elapsed().as_secs_f64();
        Ok(Round { value, against })
    })
}

fn run_all(guest: &mut Guest, entry: &Entry, traces: &[Trace], options: RunOptions) -> Result<()> {
    let mut batch = Batch::new(guest, entry, options);
    let mut waiting = traces.iter().peekable();
    loop {
        if let Some(trace) = waiting.next_if(|trace| batch.takes(trace)) {
            batch.post(trace)?;
        } else if let Some((trace, run)) = batch.take()? {
            let verdict = batch.guest().judge(entry, trace, &run, Rules::ALL)?;
            let broken = || report::one_line(&entry.declaration, &verdict);
            ensure!(verdict.finding().is_none(), "{}:\n{trace}", broken());
        } else {
            return Ok(());
        }
    }
}

/// Cases a second of `hunt --on qemu` with so many guests, against one guest.
///
/// # Errors
/// When there is no guest.
pub fn guests(entry: &'static Entry, guests: usize, execs: u64, rounds: usize) -> Result<Figure> {
    let image = find_image(None)?;
    let start = |_| Guest::start(&image);
    let mut several = (0..guests).map(start).collect::<Result<Vec<_>>>()?;
    let mut one = vec![Guest::start(&image)?];
    let settings = Settings {
        entry,
        rules: Rules::ALL,
        seed: 1,
        bound: Bound::Execs(execs),
        until: None,
        ops_max: OPS,
        misuse: false,
        grow: false,
    };
    let name = format!("hunt --on qemu, {guests} guests : one");
    measure(name, "cases/s", rounds, || {
        let rate = |guests: &mut [Guest]| {
            let summary = hunt::on_guests(&settings, guests, &mut |_| {})?;
            Ok::<_, anyhow::Error>(summary.execs as f64 / summary.elapsed.as_secs_f64())
        };
        Ok(Round {
            against: rate(&mut one)?,
            value: rate(&mut several)?,
        })
    })
}

/// Seconds that a whole process takes to replay one trace in the guest, against the boot and exit
/// of an empty guest. `rig` is this program.
///
/// # Errors
/// When either does not run.
pub fn cold(rig: &Path, trace: &Path, rounds: usize) -> Result<Figure> {
    let empty = empty_image()?;
    let name = "replay --on qemu of one trace, whole process : an empty guest's boot and exit";
    measure(name, "s", rounds, || {
        let start = Instant::now();
        let mut guest = Machine::new(empty.path()).start()?;
        ensure!(
            matches!(guest.wait(EXIT_DEADLINE)?, Ended::Exited(_)),
            "an empty guest does not end"
        );
        let against = start.elapsed().as_secs_f64();
        let start = Instant::now();
        run_rig(
            rig,
            &[
                Path::new("replay"),
                trace,
                Path::new("--on"),
                Path::new("qemu"),
            ],
        )?;
        let value = start.elapsed().as_secs_f64();
        Ok(Round { value, against })
    })
}

/// Seconds that a whole process takes to replay a folder of regressions on the host and in the
/// guest.
///
/// # Errors
/// When the replay does not run, or is not as expected.
pub fn suite(rig: &Path, folder: &Path, rounds: usize) -> Result<Figure> {
    let mut seconds = Vec::new();
    for _ in 0..rounds {
        let start = Instant::now();
        let on = [Path::new("--on"), Path::new("host,qemu")];
        run_rig(rig, &[Path::new("replay"), folder, on[0], on[1]])?;
        seconds.push(start.elapsed().as_secs_f64());
    }
    let value = rounds::middle(&seconds).unwrap_or(0.0);
    let name = "replay of all regressions on host and guest, whole process";
    Ok(Figure::new(name.to_owned(), value, "s"))
}

fn run_rig(rig: &Path, arguments: &[&Path]) -> Result<()> {
    let output = Command::new(rig)
        .args(arguments)
        .stdout(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", rig.display()))?;
    ensure!(
        output.status.success(),
        "{} ended with {}:\n{}",
        rig.display(),
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// A guest that ends QEMU with its first instructions, through `virt`'s test device.
fn empty_image() -> Result<tempfile::NamedTempFile> {
    // lui t0, 0x100; lui t1, 0x5; addi t1, t1, 0x555; sw t1, 0(t0); j 0
    let code: [u32; 5] = [
        0x0010_02b7,
        0x0000_5337,
        0x5553_0313,
        0x0062_a023,
        0x0000_006f,
    ];
    let bytes: Vec<u8> = code.into_iter().flat_map(u32::to_le_bytes).collect();
    let file = tempfile::NamedTempFile::new().context("making a file for an empty guest")?;
    fs::write(file.path(), bytes).context("writing an empty guest")?;
    Ok(file)
}

/// Inputs a second of three-way fuzzing, against fuzzing on the host alone, each from a copy of the
/// same corpus. The two are binaries that `cargo fuzz build -O` has made of the targets `guest` and
/// `kmem`; `folder` is where the copies go.
///
/// # Errors
/// When a target finds something or does not run.
pub fn live(
    [guest, kmem]: [&Path; 2],
    corpus: &Path,
    folder: &Path,
    time: Duration,
    rounds: usize,
) -> Result<Figure> {
    let mut seed = 0;
    let name = "fuzz target guest, three-way with guest counters : host alone, same corpus";
    measure(name, "inputs/s", rounds, || {
        seed += 1;
        Ok(Round {
            against: inputs_per_second(kmem, corpus, folder, time, seed)?,
            value: inputs_per_second(guest, corpus, folder, time, seed)?,
        })
    })
}

fn inputs_per_second(
    target: &Path,
    corpus: &Path,
    folder: &Path,
    time: Duration,
    seed: u32,
) -> Result<f64> {
    let copied = copy(corpus, &folder.join("corpus"))?;
    let output = Command::new(target)
        .arg(copied)
        .arg(format!("-max_total_time={}", time.as_secs().max(1)))
        .arg(format!("-seed={seed}"))
        .arg(format!("-artifact_prefix={}/", folder.display()))
        .args(["-print_final_stats=1", "-reduce_inputs=0"])
        .env("ASAN_OPTIONS", crate::fuzzing::ASAN_OPTIONS)
        .output()
        .with_context(|| format!("cannot run {}", target.display()))?;
    let log = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.success(),
        "{} ended with {}:\n{log}",
        target.display(),
        output.status
    );
    let Some(rate) = average(&log) else {
        bail!("{} printed no statistics:\n{log}", target.display())
    };
    Ok(rate)
}

/// What libFuzzer says of itself at its end.
fn average(log: &str) -> Option<f64> {
    let line = log
        .lines()
        .find_map(|line| line.strip_prefix("stat::average_exec_per_sec:"))?;
    line.trim().parse().ok()
}

fn copy(corpus: &Path, to: &Path) -> Result<PathBuf> {
    let copying = || format!("copying {} to {}", corpus.display(), to.display());
    if to.exists() {
        fs::remove_dir_all(to).with_context(copying)?;
    }
    fs::create_dir_all(to).with_context(copying)?;
    for entry in fs::read_dir(corpus).with_context(copying)? {
        let entry = entry.with_context(copying)?;
        fs::copy(entry.path(), to.join(entry.file_name())).with_context(copying)?;
    }
    Ok(to.to_path_buf())
}

#[cfg(test)]
mod tests {
    use kmem_rig::registry;

    use super::*;

    #[test]
    fn statistics_are_read() {
        let log = "Done\nstat::average_exec_per_sec:     61234\nstat::new_units_added: 1\n";
        assert_eq!(average(log), Some(61_234.0));
        assert_eq!(average("Done\n"), None);
    }

    #[test]
    fn a_batch_is_faster_than_boots() {
        let entry = registry::by_name("kmem").unwrap();
        let figure = replay(entry, RunOptions::FAST, 200, 1).unwrap();
        assert!(figure.ratio.unwrap() > 10.0, "{figure:?}");
    }
}
