//! Options that several commands share.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use clap::{Args, ValueEnum};
use harness::entry::Entry;

use crate::execute::guest::{Configuration, Counted, Guest, Mode, find_image};
use crate::execute::host::Host;
use crate::oracle::rules::Rules;
use crate::regression::Regression;
use crate::regression::replay::{Job, Sides};
use crate::subject::{adapter, registry};
use crate::trace::input;
use crate::trace::input::Reading;
use crate::wording::printable::printable;

/// What a command's help ends with: command lines to try, each on a line of its own.
pub(super) fn examples(lines: &[&str]) -> String {
    let title = if lines.len() == 1 {
        "Example"
    } else {
        "Examples"
    };
    format!("{title}:\n  {}", lines.join("\n  "))
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

/// Where to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum On {
    /// This machine.
    Host,
    /// The riscv64 guest in QEMU.
    Qemu,
}

/// A subject named on the command line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named(pub &'static Entry);

/// The subject named, else the binary's first, else `kmem`.
pub(super) fn named_or_default(named: Option<Named>) -> &'static Entry {
    named.map_or_else(registry::default, |Named(entry)| entry)
}

/// The subject named, else the first one that the trace expects something of, else the default; its
/// adapter was tried.
pub(super) fn subject_of(
    named: Option<Named>,
    path: &Path,
    regression: &Regression,
) -> Result<&'static Entry> {
    let entry = match (named, regression.expectations.first()) {
        (None, Some(expected)) => {
            registry::by_name(&expected.subject).with_context(|| path.display().to_string())?
        }
        (named, _) => named_or_default(named),
    };
    adapter::check_own([entry])?;
    Ok(entry)
}

impl FromStr for Named {
    type Err = anyhow::Error;

    fn from_str(name: &str) -> Result<Self> {
        registry::by_name(name).map(Self)
    }
}

/// What machine the guest is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum MachineName {
    /// Machine mode without firmware; heaps are guarded to the byte
    M,
    /// Supervisor mode under OpenSBI; heaps are guarded to the page, by Sv39 page tables
    S,
}

/// The guest: its image, and the machine it is booted in.
#[derive(Args, Debug)]
pub(super) struct GuestOptions {
    /// The guest's image [default: $KMEM_RIG_GUEST, else the one that `make build` makes]
    #[arg(long, value_name = "PATH")]
    guest: Option<PathBuf>,
    /// The machine that the guest is booted in
    #[arg(long, value_enum, value_name = "NAME", default_value = "m")]
    machine: MachineName,
    /// The guest's processor, as QEMU's `-cpu` names it, such as sifive-u54 [default: QEMU's own]
    #[arg(long, value_name = "MODEL")]
    cpu: Option<String>,
}

/// The sides that were asked for, ready to run.
pub(super) struct Started {
    host: Option<Host>,
    guest: Option<Guest>,
}

impl Started {
    /// As a replay takes them.
    pub(super) fn sides(&mut self) -> Sides<'_> {
        Sides {
            host: self.host.as_mut(),
            guest: self.guest.as_mut(),
        }
    }
}

impl GuestOptions {
    /// Makes the sides named, and boots the guest if it is among them.
    pub(super) fn start_sides(&self, on: &[On]) -> Result<Started> {
        let asked = |side| on.contains(&side);
        Ok(Started {
            host: asked(On::Host).then(Host::new).transpose()?,
            guest: asked(On::Qemu).then(|| self.start()).transpose()?,
        })
    }

    /// What finds are replayed on before they are written: the host, and the guest if it can be
    /// had. If not, that is told, and an error only of an image that was named.
    pub(super) fn start_for_finds(&self) -> Result<Started> {
        let guest = match self.start() {
            Err(error) if self.guest.is_none() => {
                let error = format!("{error:#}");
                eprintln!(
                    "kmem-rig: finds are replayed on the host alone: {}",
                    printable(&error)
                );
                None
            }
            started => Some(started?),
        };
        let host = Some(Host::new()?);
        Ok(Started { host, guest })
    }

    /// Boots the guest.
    pub(super) fn start(&self) -> Result<Guest> {
        Guest::start_as(&find_image(self.guest.as_deref())?, &self.configuration())
    }

    /// Boots a guest that counts instructions.
    pub(super) fn start_counted(&self) -> Result<Counted> {
        Counted::start_as(&find_image(self.guest.as_deref())?, &self.configuration())
    }

    fn configuration(&self) -> Configuration {
        let mode = match self.machine {
            MachineName::M => Mode::Machine,
            MachineName::S => Mode::Supervisor,
        };
        let cpu = self.cpu.clone();
        Configuration { mode, cpu }
    }

    /// What a command line that asks for this machine says, but for the image.
    pub(super) fn arguments(&self) -> String {
        let machine = match self.machine {
            MachineName::M => "",
            MachineName::S => " --machine s",
        };
        let cpu = self.cpu.iter().map(|cpu| format!(" --cpu {cpu}"));
        machine.to_owned() + &cpu.collect::<String>()
    }
}

/// Which files are replayed, and where, on what subjects and under which rules.
#[derive(Args, Debug)]
pub(super) struct ReplayOptions {
    /// Traces, artifacts, corpus entries, consoles' outputs that hold a trace, or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Where to run
    #[arg(long, value_enum, value_delimiter = ',', default_value = "host,qemu")]
    on: Vec<On>,
    /// Run on this subject instead; may be given more than once
    #[arg(long, value_name = "S")]
    subject: Vec<Named>,
    #[command(flatten)]
    reading: InputOptions,
    #[command(flatten)]
    rules: RuleOptions,
    #[command(flatten)]
    guest: GuestOptions,
}

impl ReplayOptions {
    /// The files, the sides, which are started, and the job; the adapters of its subjects were
    /// tried.
    pub(super) fn start(&self) -> Result<(Vec<PathBuf>, Started, Job)> {
        let files = input::files(&self.paths)?;
        let paths = self.paths.iter().map(|path| path.display().to_string());
        let paths: Vec<_> = paths.collect();
        ensure!(!files.is_empty(), "no file in {}", paths.join(", "));
        let started = self.guest.start_sides(&self.on)?;
        let job = Job {
            reading: self.reading.reading(),
            subjects: self.subject.iter().map(|named| named.0).collect(),
            rules: self.rules.rules,
        };
        if !registry::own().is_empty() {
            let mut used = Vec::new();
            for path in &files {
                let (regression, _) = Regression::open(path, job.reading)?;
                used.extend(job.subjects_of(path, &regression)?);
            }
            adapter::check_own(used)?;
        }
        Ok((files, started, job))
    }
}

/// How inputs are read.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct InputOptions {
    /// Read every input as a fuzzer's bytes, even if it is text
    #[arg(long)]
    bytes: bool,
}

impl InputOptions {
    pub(super) const fn reading(self) -> Reading {
        match self.bytes {
            true => Reading::Bytes,
            false => Reading::Detected,
        }
    }
}

/// The rules judged.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct RuleOptions {
    /// The rule sets judged, of contract, structure, policy and misuse; machine rules always are
    #[arg(long, value_name = "SETS", value_parser = parse_rules)]
    pub(super) rules: Option<Rules>,
}

fn parse_rules(text: &str) -> Result<Rules, String> {
    text.parse()
        .map_err(|expected| format!("expected {expected}"))
}
