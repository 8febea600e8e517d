//! `kmem-rig hunt`: the built-in fuzzer.

use std::cell::RefCell;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use harness::declaration::Misuse;
use harness::entry::Entry;
use serde::Serialize;

use super::options::{
    Format, GuestOptions, Named, On, RuleOptions, Started, examples, named_or_default,
};
use super::progress::{self, Progress};
use super::{Outcome, json};
use crate::campaign::duration;
use crate::execute::host::Host;
use crate::execute::side::Side;
use crate::hunt::{self, Bound, Find, Settings, Summary};
use crate::oracle::rules::{Rule, Rules};
use crate::regression::confirm::Replayed;
use crate::regression::finds::{Finds, Kept, Sought};
use crate::report;
use crate::report::difference;
use crate::subject::adapter;
use crate::wording::counted::counted;

/// How long a hunt lasts that is not told.
const TIME_DEFAULT: Duration = Duration::from_secs(20);
/// The most ops of a case, unless told.
const OPS_MAX_DEFAULT: u64 = 64;

/// Hunt for bugs with random traces; needs no nightly toolchain
///
/// Goes on after a find; reports one minimised find per rule and op kind, and of panics and faults
/// one per place in the code.
#[derive(Args)]
#[command(after_help = examples(&["kmem-rig hunt --subject kmem-2019 --seed 1 --execs 20000"]))]
pub(super) struct Arguments {
    /// The subject [default: the first of this binary's own, else kmem]
    #[arg(long, value_name = "S")]
    subject: Option<Named>,
    /// Where to hunt
    #[arg(long, value_enum, default_value = "host")]
    on: On,
    /// The seed: the same seed draws the same cases
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// How long, such as 20s or 5m [default: 20s]
    #[arg(long, value_parser = duration::parse, conflicts_with = "execs")]
    time: Option<Duration>,
    /// How many cases
    #[arg(long, value_name = "N")]
    execs: Option<u64>,
    /// Stop at the first find of this rule, too
    #[arg(long, value_name = "RULE")]
    until: Option<Rule>,
    /// The most ops of a case
    #[arg(long, value_name = "N", default_value_t = OPS_MAX_DEFAULT, value_parser = clap::value_parser!(u64).range(1..=4000))]
    ops_max: u64,
    /// Let the client err now and then: double, interior and wild frees, writes to its own blocks.
    /// Only for a subject that promises something about misuse
    #[arg(long)]
    misuse: bool,
    /// Over heaps that grow, of which other owners have some pages. Only for a subject whose heap
    /// can
    #[arg(long)]
    grow: bool,
    /// Guests to hunt in at the same time, with `--on qemu`; the finds do not depend on it
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=64))]
    guests: u8,
    /// Where to write the finds as regressions, after ten replays of each on the host, and in the
    /// guest if there is one; one that a regression there shows already, by subject, rule, kind of
    /// op and place in the code, is not written again
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
    #[command(flatten)]
    rules: RuleOptions,
    #[command(flatten)]
    guest: GuestOptions,
    /// How to print
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let time = self.time.unwrap_or(TIME_DEFAULT);
        let entry = named_or_default(self.subject);
        let settings = Settings {
            entry,
            rules: self.rules.rules.unwrap_or(Rules::ALL),
            seed: self.seed,
            bound: self.execs.map_or(Bound::Time(time), Bound::Execs),
            until: self.until,
            ops_max: self.ops_max as usize,
            misuse: self.misuse,
            grow: self.grow,
        };
        let subject = settings.entry.name();
        ensure!(
            !self.misuse || settings.entry.declaration.misuse != Misuse::Undefined,
            "{subject} promises nothing about misuse, so there is nothing to judge"
        );
        ensure!(
            !self.grow || settings.entry.declaration.grows,
            "{subject} cannot be given a heap that grows"
        );
        let failed = adapter::check_own([entry])?;
        let found = self.command(subject);
        // Before the hunt: what cannot be read there should not cost one.
        let mut keeper = match &self.out {
            Some(out) => Some((Finds::new(out, out, &found)?, self.guest.start_for_finds()?)),
            None => None,
        };
        let bound = self
            .execs
            .map_or(progress::Bound::Time(time), progress::Bound::Count);
        let progress = RefCell::new(Progress::new(&format!("hunting {subject}"), bound));
        let mut report = |find: &Find| {
            let tell = || self.tell(entry, find, settings.rules, keeper.as_mut());
            progress.borrow().aside(tell)
        };
        let mut watch = |execs| progress.borrow_mut().show(execs, "cases");
        let summary = match self.on {
            On::Host => {
                let mut host = Host::new()?;
                hunt::on_host_watched(&settings, &failed, &mut host, &mut report, &mut watch)?
            }
            On::Qemu => {
                let guests = (0..self.guests).map(|_| self.guest.start());
                let mut guests = guests.collect::<Result<Vec<_>>>()?;
                hunt::on_guests_watched(&settings, &failed, &mut guests, &mut report, &mut watch)?
            }
        };
        drop(progress);
        writeln!(
            std::io::stdout(),
            "{}",
            self.summary_line(subject, &summary)
        )?;
        let clean = summary.findings == 0;
        ensure!(
            !clean || summary.execs > 0,
            "no case of {subject} has run, so nothing is known of it: give the hunt more time, \
             or more cases"
        );
        if !clean && self.format == Format::Human && self.on == On::Host && self.out.is_none() {
            writeln!(
                std::io::stdout(),
                "`make run` replays such finds on riscv64, in QEMU"
            )?;
        }
        Ok(Outcome::expected_if(clean))
    }

    /// Writes a find where it is wanted, and prints it.
    fn tell(
        &self,
        entry: &'static Entry,
        find: &Find,
        rules: Rules,
        keeper: Option<&mut (Finds<'_>, Started)>,
    ) -> Result<()> {
        let Find { finding, trace, .. } = find;
        let difference = match self.format {
            Format::Human => {
                difference::at(finding.rule(), finding.op, entry, trace, &mut Host::new()?)?
            }
            Format::Json => None,
        };
        let kept = match keeper {
            Some((finds, started)) => {
                let find = Sought {
                    entry,
                    trace,
                    finding,
                    rules,
                    minimal: find.minimal,
                    replay_until: find.replay_until,
                    side: match self.on {
                        On::Host => Side::Host,
                        On::Qemu => Side::Qemu,
                    },
                };
                Some(finds.keep(&find, &mut started.sides())?)
            }
            None => None,
        };
        let mut out = std::io::stdout().lock();
        match (self.format, kept) {
            (Format::Json, kept) => {
                let replayed = kept.as_ref().and_then(Kept::replayed);
                writeln!(out, "{}", json_line(entry.name(), find, replayed))?;
            }
            (Format::Human, kept) => {
                writeln!(
                    out,
                    "{}",
                    report::finding(&entry.declaration, trace, finding)
                )?;
                let note = match &kept {
                    Some(Kept::Written(..)) => (!find.minimal).then_some("not minimal"),
                    _ => find.note(),
                };
                if let Some(note) = note {
                    writeln!(out, "  {note}: the time was over\n")?;
                }
                if let Some(difference) = difference {
                    writeln!(out, "{}", difference.told())?;
                }
                if let Some(kept) = kept {
                    writeln!(out, "  {kept}\n")?;
                }
            }
        }
        Ok(())
    }

    /// What a regression says of how it was found: whatever decides what is found.
    fn command(&self, subject: &str) -> String {
        let (seed, ops_max) = (self.seed, self.ops_max);
        let mut command = format!("kmem-rig hunt --subject {subject} --seed {seed}");
        if ops_max != OPS_MAX_DEFAULT {
            command += &format!(" --ops-max {ops_max}");
        }
        if self.misuse {
            command += " --misuse";
        }
        if self.grow {
            command += " --grow";
        }
        if self.on == On::Qemu {
            command += &format!(" --on qemu{}", self.guest.arguments());
        }
        command
    }

    fn summary_line(&self, subject: &'static str, summary: &Summary) -> String {
        let Summary {
            execs,
            ops,
            findings,
            unconfirmed,
            elapsed,
        } = *summary;
        let elapsed_ms = elapsed.as_millis() as u64;
        match self.format {
            Format::Json => {
                let line = SummaryLine {
                    subject,
                    execs,
                    ops,
                    findings,
                    elapsed_ms,
                };
                json::tagged("summary", &line)
            }
            Format::Human => {
                let seconds = elapsed.as_secs_f64();
                let mut line = format!(
                    "{subject}: {}, {}, {}, {seconds:.1} s",
                    counted(execs, "case"),
                    counted(ops, "op"),
                    counted(findings, "find"),
                );
                if unconfirmed > 0 {
                    let suspects = counted(unconfirmed, "suspect");
                    line += &format!("; {suspects} agreed on a strict run");
                }
                line
            }
        }
    }
}

/// What a line of JSON says of a find beside the finding.
#[derive(Serialize)]
struct FindLine {
    execs: u64,
    elapsed_ms: u64,
    /// For `kmem-rig-bench known-bugs`, which holds it against the crash of another fuzzer.
    sighted_us: u64,
    confirmed: bool,
    minimal: bool,
    host_replays: Option<u32>,
    guest_replays: Option<u32>,
}

#[derive(Serialize)]
struct SummaryLine<'a> {
    subject: &'a str,
    execs: u64,
    ops: u64,
    findings: u64,
    elapsed_ms: u64,
}

/// The line of a find, with the replays before it was written, if it was.
fn json_line(subject: &str, find: &Find, replayed: Option<&Replayed>) -> String {
    let hits = |side| Some(replayed?.on(side)?.reproduced);
    let more = FindLine {
        execs: find.execs,
        elapsed_ms: find.elapsed.as_millis() as u64,
        sighted_us: find.sighted.as_micros() as u64,
        confirmed: replayed.map_or(find.confirmed, Replayed::are_a_find),
        minimal: find.minimal,
        host_replays: hits(Side::Host),
        guest_replays: hits(Side::Qemu),
    };
    json::finding(subject, &find.finding, &find.trace, more)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_has_its_name() {
        for entry in &subjects::ALL {
            assert_eq!(
                entry.name().parse::<Named>().unwrap().0.name(),
                entry.name()
            );
        }
        let error = "kmem2019".parse::<Named>().unwrap_err().to_string();
        assert!(
            error.contains("there are: kmem-2019, kmem, kmem-sealed"),
            "{error}"
        );
    }
}
