//! `kmem-rig triage`: from artifacts to regressions.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Result;
use clap::Args;

use super::options::{Format, GuestOptions, InputOptions, Named, RuleOptions, examples};
use super::progress::{Bound, Progress};
use super::table::table;
use super::{Outcome, json};
use crate::execute::host::Host;
use crate::oracle::rules::Rules;
use crate::regression::finds::Finds;
use crate::regression::triage::{self, Class, Settings, Stage};

/// Where regressions are kept, from the repository's top.
const REGRESSIONS: &str = "qemu-tests/regressions";

/// Turn artifacts into minimised regressions, one for each find, replayed in the guest
///
/// Exits with 0 when every find is a known regression, with 1 when one is new.
#[derive(Args)]
#[command(after_help = examples(&["kmem-rig triage fuzz/artifacts/kmem_2019"]))]
pub(super) struct Arguments {
    /// Artifacts, or folders of them
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// The subject; may be given more than once [default: by the name of each artifact's folder;
    /// `guest` and `kmem_growing` name none]
    #[arg(long, value_name = "S")]
    subject: Vec<Named>,
    /// Where to write the minimised traces
    #[arg(long, value_name = "FOLDER", default_value = REGRESSIONS)]
    out: PathBuf,
    /// The folder of regressions that makes a find known
    #[arg(long, value_name = "FOLDER", default_value = REGRESSIONS)]
    known: PathBuf,
    /// How the artifacts came about, for the header of new regressions
    #[arg(
        long,
        value_name = "TEXT",
        default_value = "kmem-rig triage of fuzzing artifacts"
    )]
    found: String,
    #[command(flatten)]
    reading: InputOptions,
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
        let subjects: Vec<_> = self.subject.iter().map(|named| named.0).collect();
        let settings = Settings {
            subjects: &subjects,
            rules: self.rules.rules.unwrap_or(Rules::ALL),
            reading: self.reading.reading(),
            finds: Finds::new(&self.out, &self.known, &self.found)?,
        };
        let (mut host, mut guest) = (Host::new()?, self.guest.start()?);
        let mut classes = Vec::new();
        let mut keep = |class: &Class| classes.push(class.clone());
        let mut line: Option<(&str, Progress)> = None;
        let mut watch = |stage: Stage| {
            let Stage {
                task,
                unit,
                done,
                all,
            } = stage;
            // The line before goes with its stage.
            if line.as_ref().is_none_or(|(shown, _)| *shown != task) {
                line = None;
                line = Some((task, Progress::new(task, Bound::Count(all))));
            }
            if let Some((_, progress)) = &mut line {
                progress.show(done, unit);
            }
        };
        triage::triage(
            &self.paths,
            &settings,
            &mut host,
            &mut guest,
            &mut keep,
            &mut watch,
        )?;
        drop(line);
        let new = classes
            .iter()
            .filter(|class| class.known_as.is_none())
            .count();
        let mut out = std::io::stdout().lock();
        match self.format {
            Format::Json => {
                for class in &classes {
                    writeln!(out, "{}", json::line(class))?;
                }
            }
            Format::Human => {
                let heading = [
                    "SUBJECT",
                    "RULE",
                    "AT",
                    "OPS",
                    "SEEN",
                    "HOST",
                    "GUEST",
                    "KNOWN",
                    "WRITTEN TO",
                ];
                let rows: Vec<_> = classes.iter().map(cells).collect();
                out.write_all(table(heading, &rows).as_bytes())?;
                writeln!(out, "{}", conclusion(classes.len(), new))?;
            }
        }
        Ok(Outcome::expected_if(new == 0))
    }
}

fn cells(class: &Class) -> [String; 9] {
    [
        class.subject.to_owned(),
        class.rule.to_owned(),
        format!("op {} ({})", class.op, kinds(class)),
        class.ops.to_string(),
        class.artifacts.to_string(),
        class.host.to_owned(),
        format!("{} ({})", class.guest, label(class)),
        if class.known_as.is_some() {
            "yes"
        } else {
            "NEW"
        }
        .to_owned(),
        class.written.clone(),
    ]
}

/// The kind of call that breaks the rule in the trace shown, then the others that do elsewhere.
fn kinds(class: &Class) -> String {
    let others = class.kinds.iter().filter(|kind| **kind != class.kind);
    others.fold(class.kind.to_owned(), |text, kind| text + ", also " + kind)
}

/// What a find is called, and how often it was seen where that is not always.
fn label(class: &Class) -> String {
    let note = class.note.iter().map(|note| format!("; {note}"));
    class.label.to_owned() + &note.collect::<String>()
}

fn conclusion(finds: usize, new: usize) -> String {
    match (finds, new) {
        (0, _) => "no finds".to_owned(),
        (1, 0) => "1 find, a known regression".to_owned(),
        (1, _) => "1 find, which is NEW: review the trace named above".to_owned(),
        (_, 0) => format!("{finds} finds, all of them known regressions"),
        _ => format!("{finds} finds, {new} of them NEW: review the traces named above"),
    }
}
