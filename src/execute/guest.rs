//! Runs traces in the riscv64 guest, thousands in one boot.
//!
//! ```text
//! Guest --run----> Booted (one QEMU) --mailbox--> guest program
//!   |     `-Batch-'  several traces under way, runs handed out in their order
//!   `- boots anew after a hang, a death, or a record that cannot be believed
//! ```
//!
//! *A bad guest is `Ok`, a bad rig is `Err`*: whatever a subject does to its guest is a [`Run`],
//! and the next trace is run as if nothing had happened. An error means that nothing can be run at
//! all: no QEMU, no image, an image of another version.
//!
//! A run is never taken for complete without a complete record: the guest's reply, as many
//! observations as ops, and a guest that found itself unchanged.

mod batch;
mod booted;
mod configuration;
mod counted;
#[cfg(feature = "embed-guest")]
mod embedded;
mod fault;
mod halted;
mod image;
mod memory;

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::heap::Strength;
use harness::mailbox::Request;
use harness::trace::{OPS_MAX, Trace};
use harness::transcript::{End, Transcript};

use crate::execute::capacity::Measured;
use crate::execute::executor::Executor;
use crate::execute::host::{CONFIRM_FACTOR, OP_LIMIT, ensure_accepts, search_limit};
use crate::execute::outside;
use crate::execute::source_lines::SourceLines;
use crate::run::fault::Fault;
use crate::run::{Run, RunEnd, RunOptions};
use booted::{Answer, Booted};

pub use batch::Batch;
pub use configuration::{Configuration, Mode};
pub use counted::{Counted, CountedRun};
pub use halted::Halted;
pub use image::{find_coverage_image, find_image};

/// The guest.
pub type Guest = Measured<Machine>;

/// The guest as an executor: a QEMU, booted anew when one cannot go on.
pub struct Machine {
    image: PathBuf,
    /// `None` after the last boot was given up; the next request boots.
    booted: Option<Booted>,
    /// Of the image that was booted last.
    lines: SourceLines,
    boots: u32,
    configuration: Configuration,
    /// Whether QEMU counts instructions.
    counts: bool,
    confirms_hangs: bool,
}

impl Guest {
    /// Boots `image` in machine mode, so that a rig that cannot is told at once.
    ///
    /// # Errors
    /// If QEMU or the image is missing, or the image is not a guest of this version.
    pub fn start(image: &Path) -> Result<Self> {
        Self::start_as(image, &Configuration::default())
    }

    /// The same in a configuration of one's choice.
    ///
    /// # Errors
    /// As for [`Self::start`], and if QEMU lacks the configuration's processor or OpenSBI.
    pub fn start_as(image: &Path, configuration: &Configuration) -> Result<Self> {
        Self::boot(image, configuration, false)
    }

    fn boot(image: &Path, configuration: &Configuration, counts: bool) -> Result<Self> {
        let mut guest = Self::unbooted(image, configuration, counts);
        guest.booted = Some(guest.take_booted()?);
        Ok(guest)
    }

    /// Another guest of the same image and configuration, which boots with its first run.
    #[must_use]
    pub fn another(&self) -> Self {
        Self::unbooted(&self.image, &self.configuration, self.counts)
    }

    fn unbooted(image: &Path, configuration: &Configuration, counts: bool) -> Self {
        Self::from(Machine {
            image: image.to_path_buf(),
            booted: None,
            lines: SourceLines::of(image),
            boots: 0,
            configuration: configuration.clone(),
            counts,
            confirms_hangs: true,
        })
    }
}

impl Machine {
    /// How often the guest was booted so far.
    #[must_use]
    pub const fn boots(&self) -> u32 {
        self.boots
    }

    /// CPU time that the guest booted last has used, its boot included; none if it was given up.
    ///
    /// # Errors
    /// If the process cannot be watched.
    pub fn cpu_time(&self) -> Result<Duration> {
        self.booted
            .as_ref()
            .map_or(Ok(Duration::ZERO), Booted::cpu_time)
    }

    /// The coverage counters of the guest that is up, a byte for each edge of the subjects' code,
    /// in words; none of an image that was not built to count. They go on from run to run; whoever
    /// clears them does so while nothing is under way.
    ///
    /// # Errors
    /// If the image says they lie where there is no memory.
    pub fn counters(&self) -> Result<&[AtomicU64]> {
        self.booted.as_ref().map_or(Ok(&[]), Booted::counters)
    }

    /// Whether the image has a subject.
    ///
    /// # Errors
    /// If it cannot be booted.
    pub fn has(&mut self, entry: &Entry) -> Result<bool> {
        let booted = self.take_booted()?;
        let has = booted.subject(entry.name()).is_ok();
        self.booted = Some(booted);
        Ok(has)
    }

    /// Takes the guest that is up, or boots one. Whoever takes it gives it back if, and only if,
    /// it can serve the next request.
    fn take_booted(&mut self) -> Result<Booted> {
        if let Some(booted) = self.booted.take() {
            return Ok(booted);
        }
        let booted = Booted::start(&self.image, &self.configuration, self.counts);
        let booted = booted.context("booting the guest")?;
        self.boots += 1;
        self.lines = SourceLines::of(&self.image);
        Ok(booted)
    }

    fn run_once(
        &mut self,
        entry: &Entry,
        trace: &Trace,
        request: Request,
        op_limit: Duration,
    ) -> Result<Recorded> {
        let mut booted = self.take_booted()?;
        ensure!(
            booted.mailbox().is_idle(),
            "the guest is at work on a batch"
        );
        let request = Request {
            subject: booted.subject(entry.name())?,
            ..request
        };
        let answer = booted.ask(request, &trace.ops, op_limit)?;
        if let Answer::Hung = answer {
            booted.kill();
        }
        let mailbox = booted.mailbox();
        let transcript = &mailbox.transcript;
        // A guest that is hung or dead writes no more. One that ended after all, while it was
        // being killed, has ended.
        if matches!(answer, Answer::Hung) && !mailbox.is_idle() {
            transcript.set_end(End::Hung);
        }
        let mut run = read(transcript, trace, &mut self.lines);
        let mut costs = match request.metered {
            true => transcript.costs().take(run.observations.len()).collect(),
            false => Vec::new(),
        };
        let mut spent = !matches!(answer, Answer::Replied);
        if let Answer::Died(evidence) = answer {
            run.end = RunEnd::Faulted(Fault::GuestDied { said: evidence });
        } else if let Some(doubt) = doubt(&run, transcript.begun(), trace.ops.len()) {
            run.end = RunEnd::Faulted(doubt);
            spent = true;
        } else if mailbox.is_spoiled() {
            let end = Box::new(run.end);
            run.end = RunEnd::Faulted(Fault::GuestDamaged { end });
            spent = true;
        }
        if !spent {
            self.booted = Some(booted);
        }
        let run = as_told(run, request);
        costs.truncate(run.observations.len());
        Ok(Recorded { run, costs })
    }

    /// Runs a trace; with `metered`, counts what its ops cost.
    fn record(
        &mut self,
        entry: &Entry,
        trace: &Trace,
        options: RunOptions,
        metered: bool,
    ) -> Result<Recorded> {
        let request = Request {
            metered,
            ..request(entry, trace, options)?
        };
        self.run_alone(entry, trace, request)
    }

    /// Runs a request with nothing else under way. A hang is confirmed, if hangs are.
    fn run_alone(&mut self, entry: &Entry, trace: &Trace, request: Request) -> Result<Recorded> {
        let recorded = self.run_once(entry, trace, request, self.op_limit(trace.geometry))?;
        if recorded.run.end == RunEnd::Hung && self.confirms_hangs {
            return self.run_once(entry, trace, request, OP_LIMIT * CONFIRM_FACTOR);
        }
        Ok(recorded)
    }

    fn op_limit(&self, geometry: Geometry) -> Duration {
        if self.confirms_hangs {
            OP_LIMIT
        } else {
            search_limit(geometry)
        }
    }
}

/// What one request left.
struct Recorded {
    run: Run,
    /// Of each observed op, if the request was metered.
    costs: Vec<u64>,
}

impl Executor for Machine {
    fn run(&mut self, entry: &Entry, trace: &Trace, options: RunOptions) -> Result<Run> {
        let run = self.record(entry, trace, options, false)?.run;
        outside::with_block(run, trace, |plain| {
            Ok(self.record(entry, plain, options, false)?.run)
        })
    }

    fn confirm_hangs(&mut self, confirm: bool) {
        self.confirms_hangs = confirm;
    }
}

/// The request that a run is, but for the subject's number, which the booted image knows.
fn request(entry: &Entry, trace: &Trace, options: RunOptions) -> Result<Request> {
    ensure_accepts(entry, trace.geometry)?;
    let ops = trace.ops.len();
    ensure!(
        ops <= OPS_MAX,
        "a trace of {ops} ops does not fit the guest, which takes {OPS_MAX}"
    );
    Ok(Request {
        subject: 0,
        heap: trace.geometry,
        strict: options.strength == Strength::Strict,
        tables: options.tables,
        metered: false,
        fresh_capacity: options.fresh_capacity,
    })
}

/// What a run over `trace` has left in a transcript.
fn read<const OPS: usize, const TEXT: usize>(
    transcript: &Transcript<OPS, TEXT>,
    trace: &Trace,
    lines: &mut SourceLines,
) -> Run {
    let silent = || RunEnd::Faulted(Fault::GuestSilent);
    Run::read(transcript, silent, |words| {
        fault::of_trap(words, trace.geometry, lines)
    })
}

/// A run as it is told, once its record is believed. A strict one in a guest whose guards lie at
/// page ends tells what one on the host does.
fn as_told(run: Run, request: Request) -> Run {
    match request.strict {
        true => run.faulted_at_stray_store(request.heap),
        false => run,
    }
}

/// What is wrong with the record of a run that was asked for `ops` ops.
fn doubt(run: &Run, begun: u32, ops: usize) -> Option<Fault> {
    let (observed, begun) = (run.observations.len(), begun as usize);
    let whole = match run.end {
        RunEnd::Completed => observed == ops && begun == ops,
        RunEnd::Lost => observed == begun && (1..=ops).contains(&observed),
        // An op that was begun need not have been observed.
        RunEnd::Panicked(_) | RunEnd::Faulted(_) | RunEnd::Hung => {
            begun <= ops && (observed == begun || observed + 1 == begun)
        }
    };
    (!whole).then(|| Fault::GuestContradicts {
        observed,
        begun,
        ops,
        end: Box::new(run.end.clone()),
    })
}

#[cfg(test)]
mod tests {
    use harness::execute::{Completion, Sink};
    use harness::observation::{Observation, Outcome};
    use harness::transcript::Recorder;

    use super::*;
    use crate::execute::host::shared::Shared;

    /// What is doubted about a record of so many ops begun and observed, of `ops` asked for.
    fn doubted(begun: usize, observed: usize, ops: usize, end: End) -> Option<Fault> {
        let transcript = Shared::<Transcript>::new().unwrap();
        let mut recorder = Recorder::new(&transcript);
        for op in 0..begun {
            recorder.begin(op);
        }
        for _ in 0..observed {
            assert!(
                recorder
                    .observe(&Observation::of(Outcome::Done))
                    .is_continue()
            );
        }
        recorder.finish(Completion::Completed);
        transcript.set_end(end);
        let run = Run::read(&transcript, || RunEnd::Hung, |_| Fault::GuestSilent);
        doubt(&run, transcript.begun(), ops)
    }

    #[test]
    fn a_record_that_lacks_something_is_not_believed() {
        assert_eq!(doubted(3, 3, 3, End::Completed), None);
        assert_eq!(doubted(0, 0, 0, End::Completed), None);
        let doubt = Fault::GuestContradicts {
            observed: 2,
            begun: 3,
            ops: 3,
            end: Box::new(RunEnd::Completed),
        };
        assert_eq!(doubted(3, 2, 3, End::Completed), Some(doubt));
        assert!(doubted(2, 2, 3, End::Completed).is_some());
        assert!(doubted(4, 4, 3, End::Completed).is_some());

        assert_eq!(doubted(2, 2, 3, End::Lost), None);
        assert!(doubted(0, 0, 3, End::Lost).is_some());
        assert!(doubted(2, 1, 3, End::Lost).is_some());

        for end in [End::Panicked, End::Faulted, End::Hung] {
            assert_eq!(doubted(2, 1, 3, end), None);
            // Before the first op, or after the last.
            assert_eq!(doubted(0, 0, 3, end), None);
            assert_eq!(doubted(3, 3, 3, end), None);
            assert!(doubted(3, 1, 3, end).is_some());
            assert!(doubted(1, 2, 3, end).is_some());
            assert!(doubted(4, 3, 3, end).is_some());
        }
    }
}
