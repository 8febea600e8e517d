//! libFuzzer in fork mode, as a group of processes that ends with this one.
//!
//! libFuzzer starts its jobs by a shell, and they outlive it when it is killed. So a second process
//! waits in its group (`GROUP`) until this one closes a pipe, which the kernel sees to when this
//! one is killed. What libFuzzer prints is read here as it comes, and kept nowhere but for its last
//! lines, which say why it would not run.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use super::config::{Config, Target};
use super::folder::{Folder, Place};
use crate::fuzz;
use crate::wording::printable::printable;

/// Becomes the program that it is given, with a process beside it that ends their group.
///
/// The jobs inherit two descriptors that they know nothing of: 9, our pipe, which is at its end
/// when the last of them is gone, and 8, the campaign's lock, which nobody else gets sooner. First
/// libFuzzer is killed, so that it starts no more jobs. Then they are asked to end, which libFuzzer
/// does between two inputs: what they have just found they still write down. Asked by a line, the
/// process waits for the end of its input before it kills what is left; an end without a line means
/// that the rig is dead. The number of the group, `$$`, is nobody else's while the process itself
/// is in it.
const GROUP: &str = r#"exec 3<&0 9>&1 8>&2 </dev/null 2>&1
{
    trap '' USR1
    exec 8>&- 9>&- >/dev/null 2>&1
    patience='sleep 1'
    read -r _ <&3 && patience='read -r _'
    kill -KILL $$
    kill -USR1 0
    $patience <&3
    kill -KILL 0
} &
exec 3<&- "$@""#;
/// How long jobs have to end by themselves.
const PATIENCE: Duration = Duration::from_secs(1);
/// What libFuzzer is always told. Crashes, timeouts and too much memory end a job, never the whole;
/// the rest is as `make fuzz` has it.
const ARGUMENTS: [&str; 5] = [
    "-ignore_crashes=1",
    "-ignore_timeouts=1",
    "-ignore_ooms=1",
    "-timeout=10",
    "-reduce_inputs=0",
];
/// The first is what cargo-fuzz sets. Symbols would go to a log that nobody reads, and looking them
/// up takes longer than all else about a crash.
const SANITIZER: &str = "detect_odr_violation=0:symbolize=0";
/// Jobs that have failed before a target that has run nothing is given up.
const FUTILE_JOBS: u64 = 8;
/// Lines of output that are kept.
const LINES_MAX: usize = 20;
/// Bytes of a line that are looked at.
const LINE_BYTES_MAX: u64 = 4096;

/// A target that is being fuzzed. Dropping it ends every process of it.
pub struct Engine {
    program: Child,
    /// The group lives until this is closed.
    life: Option<ChildStdin>,
    output: Arc<Mutex<Output>>,
    /// Ends when the last process of the group has.
    reader: Option<JoinHandle<()>>,
}

/// What libFuzzer said of itself last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// Inputs run.
    pub executions: u64,
    /// Edges of the subject reached.
    pub coverage: u64,
    /// Inputs in the corpus.
    pub corpus: u64,
    /// Jobs that ended badly.
    pub failed: u64,
}

#[derive(Default)]
struct Output {
    pulse: Pulse,
    lines: VecDeque<String>,
}

impl Engine {
    /// Sees whether a program is one of libFuzzer's.
    ///
    /// # Errors
    /// When it is not, or cannot be run.
    pub fn check(target: &Target) -> Result<()> {
        let program = target.program.display();
        let run = Command::new(&target.program)
            .arg("-help=1")
            .env("ASAN_OPTIONS", SANITIZER)
            .stdin(Stdio::null())
            .output()
            .with_context(|| format!("cannot run {program}"))?;
        let text = [run.stdout, run.stderr].concat();
        ensure!(
            String::from_utf8_lossy(&text).contains("ignore_crashes"),
            "{program} is no libFuzzer target: `-help=1` does not list its options"
        );
        Ok(())
    }

    /// Starts fuzzing a target from what its folder holds.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(target: &Target, folder: &Folder, config: &Config) -> Result<Self> {
        // The paths that libFuzzer hands to a shell are seen from the campaign's folder: whatever
        // that is called, they are plain.
        let mut command = Command::new("sh");
        command
            .args(["-c", GROUP, "sh"])
            .arg(Place::Program.of(target))
            .arg(format!("-fork={}", config.jobs))
            .args(ARGUMENTS)
            .arg(format!("-artifact_prefix={}/", Place::Artifacts.of(target)));
        if target.dictionary.is_some() {
            command.arg(format!("-dict={}", Place::Dictionary.of(target)));
        }
        command
            .arg(Place::Corpus.of(target))
            .current_dir(folder.path())
            .env("TMPDIR", Place::Temporary.of(target))
            .env("ASAN_OPTIONS", SANITIZER)
            .env("RUST_BACKTRACE", "0")
            .env(
                fuzz::REGRESSIONS_VARIABLE,
                config.known.as_deref().unwrap_or(Path::new("")),
            )
            .env(fuzz::FINDS_VARIABLE, folder.finds())
            .env(fuzz::guest::SUBJECT_VARIABLE, target.entry.name())
            .env_remove(fuzz::KNOWN_VARIABLE)
            // Ctrl-C is for the rig.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::from(folder.shared_lock()?));
        let mut program = command.spawn().context("cannot start sh")?;
        let output = Arc::new(Mutex::new(Output::default()));
        let stdout = program.stdout.take().context("its output is a pipe")?;
        let life = program.stdin.take();
        let reader = thread::spawn({
            let output = Arc::clone(&output);
            move || read(stdout, &output)
        });
        Ok(Self {
            program,
            life,
            output,
            reader: Some(reader),
        })
    }

    /// What it said of itself last.
    pub fn pulse(&self) -> Pulse {
        self.lock().pulse
    }

    /// Whether it has ended by itself, which it never should, or can do nothing but fail.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn is_over(&mut self) -> Result<bool> {
        let pulse = self.pulse();
        let futile = pulse.executions == 0 && pulse.failed >= FUTILE_JOBS;
        Ok(futile || self.program.try_wait()?.is_some())
    }

    /// Ends all its processes and waits until they have; returns the last lines that it printed.
    ///
    /// # Errors
    /// When the kernel does not say.
    pub fn stop(mut self) -> Result<String> {
        self.end()?;
        let lines: Vec<_> = self.lock().lines.drain(..).collect();
        Ok(lines.join("\n"))
    }

    fn end(&mut self) -> Result<()> {
        let Some(reader) = self.reader.take() else {
            return Ok(());
        };
        if let Some(life) = &mut self.life {
            // It may be gone already, with all its group.
            let _ = life.write_all(b"\n");
        }
        let deadline = Instant::now() + PATIENCE;
        while !reader.is_finished() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        self.life = None;
        reader.join().map_err(|_| anyhow!("a thread panicked"))?;
        self.program.wait()?;
        Ok(())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Whoever wanted to know of an error has called `stop`.
        let _ = self.end();
    }
}

fn read(stdout: impl Read, output: &Mutex<Output>) {
    let mut stdout = BufReader::new(stdout);
    loop {
        let mut line = Vec::new();
        let mut bounded = stdout.by_ref().take(LINE_BYTES_MAX);
        if !bounded.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            return;
        }
        let line = String::from_utf8_lossy(line.trim_ascii_end());
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(pulse) = pulse(&line) {
            output.pulse = pulse;
        }
        output.lines.push_back(printable(&line).into_owned());
        if output.lines.len() > LINES_MAX {
            output.lines.pop_front();
        }
    }
}

/// Reads the line that fork mode prints when a job has ended.
fn pulse(line: &str) -> Option<Pulse> {
    let (executions, rest) = line.strip_prefix('#')?.split_once(": ")?;
    let words: Vec<_> = rest.split_whitespace().collect();
    let value = |name: &str| {
        words
            .iter()
            .position(|w| *w == name)
            .and_then(|at| words.get(at + 1))
    };
    let number = |name| value(name)?.parse().ok();
    let ended: Option<u64> = value("oom/timeout/crash:")?
        .split('/')
        .map(|count| count.parse::<u64>().ok())
        .sum();
    Some(Pulse {
        executions: executions.parse().ok()?,
        coverage: number("cov:")?,
        corpus: number("corp:")?,
        failed: ended?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_job_that_ended_is_read_and_no_other() {
        let line = "#66: cov: 113 ft: 256 corp: 11 exec/s: 9 oom/timeout/crash: 1/2/7 time: 4s \
                    job: 8 dft_time: 0";
        let expected = Pulse {
            executions: 66,
            coverage: 113,
            corpus: 11,
            failed: 10,
        };
        assert_eq!(pulse(line), Some(expected));
        for other in [
            "",
            "#",
            "#66",
            "#2\tINITED cov: 3 ft: 4 corp: 1/1b exec/s: 0 rss: 30Mb",
            "  NEW_FUNC: 0x1 in f /a.rs:1",
            "==1== ERROR: libFuzzer: deadly signal",
        ] {
            assert_eq!(pulse(other), None, "{other}");
        }
    }
}
