//! `kmem-rig campaign`: several fuzz targets under a budget of time.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use indicatif::{FormattedDuration, ProgressBar, ProgressStyle};
use serde::Serialize;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use super::options::{Format, GuestOptions, examples};
use super::{Outcome, json};
use crate::campaign::config::{Config, Target};
use crate::campaign::status::{State, Status};
use crate::campaign::{self, Event, Setting, Summary};
use crate::regression::triage::Class;
use crate::subject::adapter;
use crate::wording::counted::counted;

/// Fuzz several targets on all cores for as long as you say, and keep what they find
///
/// Each artifact is minimised, replayed in the guest and kept as a regression, and reported once it
/// is on the disk to stay; the targets pass it over from then on. However the campaign is ended, by
/// Ctrl-C or by kill -9, the same command goes on with what is left of its budget. The file and the
/// folder are described in docs/campaigns.md.
///
/// Exits with 0 when every find is a known regression, with 1 when one is new.
#[derive(Args)]
#[command(after_help = examples(&["kmem-rig campaign --config campaign.toml"]))]
pub(super) struct Arguments {
    /// What to fuzz, for how long, and where to write
    #[arg(long, value_name = "FILE", default_value = "campaign.toml")]
    config: PathBuf,
    #[command(flatten)]
    guest: GuestOptions,
    /// How to print
    #[arg(long, value_enum, default_value = "human")]
    format: Format,
}

impl Arguments {
    pub(super) fn run(&self) -> Result<Outcome> {
        let config = Config::load(&self.config)?;
        adapter::check_own(config.targets.iter().map(|target| target.entry))?;
        let stop = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // In this order: the first one asks, the second one insists.
            flag::register_conditional_shutdown(signal, 2, Arc::clone(&stop))?;
            flag::register(signal, Arc::clone(&stop))?;
        }
        // Now, and not at the first find: the guest may be missing.
        let mut guest = self.guest.start()?;
        let line = status_line();
        let mut told = Ok(());
        let mut tell = |event: Event<'_>| {
            if let Event::Tick(status) = event {
                line.set_message(in_short(status));
                return line.tick();
            }
            if told.is_ok() {
                told = line.suspend(|| self.tell(&event));
            }
            // Nobody listens: what is on the disk is there for the next one.
            if told.is_err() {
                stop.store(true, Relaxed);
            }
        };
        let setting = Setting {
            config: &config,
            guest: &mut guest,
            stop: &stop,
            tell: &mut tell,
        };
        let summary = campaign::run(setting);
        line.finish_and_clear();
        told?;
        let summary = summary?;
        self.print(&summary, &config)?;
        let aside = &summary.set_aside;
        ensure!(
            aside.is_empty(),
            "did not run: {}; see above",
            aside.join(", ")
        );
        Ok(Outcome::expected_if(summary.new == 0))
    }

    fn tell(&self, event: &Event<'_>) -> Result<()> {
        let mut out = std::io::stdout().lock();
        match self.format {
            Format::Json => writeln!(out, "{}", json::line(&Line::of(event)))?,
            Format::Human => match event {
                Event::Found(target, class) => writeln!(out, "{}", found(target, class))?,
                Event::Paused(reason) => writeln!(out, "paused, for want of room: {reason}")?,
                Event::GoingOn => writeln!(out, "there is room again: going on")?,
                Event::SetAside(target, lines) => {
                    writeln!(
                        out,
                        "{} ran nothing and is set aside:\n{lines}",
                        target.name
                    )?;
                }
                Event::Tick(_) => {}
            },
        }
        Ok(out.flush()?)
    }

    fn print(&self, summary: &Summary, config: &Config) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if self.format == Format::Json {
            writeln!(out, "{}", json::tagged("summary", summary))?;
            return Ok(());
        }
        let budget = FormattedDuration(config.budget);
        let Summary {
            spent_ms,
            executions,
            findings,
            new,
            waiting,
            complete,
            ..
        } = summary;
        let spent = rounded(*spent_ms);
        let folder = config.folder.join("finds");
        write!(
            out,
            "{spent} of {budget}, {}, {} in {}, {new} of them NEW",
            counted(*executions, "input"),
            counted(*findings, "find"),
            folder.display()
        )?;
        if *waiting > 0 {
            write!(out, "; {} to be triaged", counted(*waiting, "artifact"))?;
        }
        if !complete {
            write!(out, "; the same command goes on")?;
        }
        Ok(writeln!(out)?)
    }
}

/// Nothing but on a terminal. It is drawn when the campaign says so, and by no thread of its own:
/// there are forks while it is shown. No `Progress`, which a signal takes away together with the
/// process: a campaign ends in order.
fn status_line() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {wide_msg}");
    ProgressBar::new_spinner().with_style(style.expect("the template is valid"))
}

fn in_short(status: &Status) -> String {
    let target = status.target.as_deref();
    let doing = match status.state {
        State::Paused => "paused, no room on the disk",
        State::Stopped | State::Done => "ending",
        State::Fuzzing => target.unwrap_or("triage"),
    };
    let progress = target.and_then(|target| status.targets.get(target));
    let (coverage, corpus) = progress.map_or((0, 0), |p| (p.coverage, p.corpus));
    let executions: u64 = status.targets.values().map(|p| p.executions).sum();
    format!(
        "{doing}: {} of {}, {}, {}, corpus of {corpus}, {} ({} new), {} waiting",
        rounded(status.spent_ms),
        rounded(status.budget_ms),
        counted(executions, "input"),
        counted(coverage, "edge"),
        counted(status.finds.len(), "find"),
        status.new,
        status.waiting
    )
}

fn rounded(milliseconds: u64) -> FormattedDuration {
    FormattedDuration(Duration::from_secs(milliseconds / 1000))
}

fn found(target: &Target, class: &Class) -> String {
    let known = match &class.known_as {
        Some(path) => format!("known from {path}"),
        None => "NEW".to_owned(),
    };
    let Class {
        subject,
        rule,
        op,
        kind,
        ops,
        label,
        written,
        ..
    } = class;
    let name = &target.name;
    format!(
        "{name}: {subject} breaks {rule} at op {op} ({kind}) of {ops}, {label}, {known}: {written}"
    )
}

/// A line of `--format json`: what it is, and its fields.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Line<'a> {
    Finding {
        target: &'a str,
        #[serde(flatten)]
        class: &'a Class,
    },
    Paused {
        reason: &'a str,
    },
    GoingOn {},
    SetAside {
        target: &'a str,
        output: &'a str,
    },
    Status(&'a Status),
}

impl<'a> Line<'a> {
    fn of(event: &'a Event<'a>) -> Self {
        match event {
            Event::Found(target, class) => Self::Finding {
                target: &target.name,
                class,
            },
            Event::Paused(reason) => Self::Paused { reason },
            Event::GoingOn => Self::GoingOn {},
            Event::SetAside(target, output) => Self::SetAside {
                target: &target.name,
                output,
            },
            Event::Tick(status) => Self::Status(status),
        }
    }
}
