//! How far a campaign is: what others read in `status.json`, and what the campaign itself goes by
//! when it starts again.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::config::{Config, Target};
use super::engine::Pulse;
use crate::regression::write_whole;

/// How far a campaign is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Status {
    /// What it does.
    pub state: State,
    /// Why it is paused.
    pub reason: Option<String>,
    /// The target that is being fuzzed.
    pub target: Option<String>,
    /// When this was written, in seconds since 1970. A campaign that runs writes once a second.
    pub written_unix_s: u64,
    /// The process that wrote it.
    pub pid: u32,
    /// How long is fuzzed in all.
    pub budget_ms: u64,
    /// How long was fuzzed.
    pub spent_ms: u64,
    /// The finds on disk: their files.
    pub finds: Vec<String>,
    /// How many of them no known regression shows.
    pub new: u64,
    /// Artifacts that were not triaged yet.
    pub waiting: u64,
    /// Each target.
    pub targets: BTreeMap<String, Progress>,
}

/// What a campaign does.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Not yet or no longer anything: it was interrupted.
    #[default]
    Stopped,
    /// It fuzzes.
    Fuzzing,
    /// It waits for room on the disk.
    Paused,
    /// It has spent its budget, or no target can be run.
    Done,
}

/// How far a target is.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct Progress {
    /// How long it was fuzzed.
    pub spent_ms: u64,
    /// Inputs run.
    pub executions: u64,
    /// Edges of the subject reached in its last turn.
    pub coverage: u64,
    /// Inputs in the corpus that it used last.
    pub corpus: u64,
    /// Artifacts triaged.
    pub artifacts: u64,
    /// Of those, how many broke no rule when they were run again.
    pub unexplained: u64,
    /// Why it gets no more turns.
    pub set_aside: Option<String>,
}

impl Status {
    /// What an earlier campaign in this folder came to; nothing if there was none. Targets that
    /// were set aside are tried again.
    ///
    /// # Errors
    /// When the file says nothing that is understood.
    pub fn load(path: &Path, config: &Config) -> Result<Self> {
        let mut status: Self = match fs::read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Self::default(),
            text => serde_json::from_slice(&text?).with_context(|| {
                let path = path.display();
                format!("{path} is not a campaign's; remove it, and its time counts from 0")
            })?,
        };
        for target in &config.targets {
            let progress = status.targets.entry(target.name.clone()).or_default();
            progress.set_aside = None;
        }
        status.budget_ms = config.budget.as_millis() as u64;
        status.pid = std::process::id();
        Ok(status)
    }

    /// Writes it whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&mut self, path: &Path) -> Result<()> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.written_unix_s = now.unwrap_or_default().as_secs();
        let text = serde_json::to_string_pretty(self)? + "\n";
        write_whole(path, text.as_bytes())
    }

    /// Of a target of this campaign.
    ///
    /// # Panics
    /// When it is of another one.
    pub fn of(&mut self, target: &Target) -> &mut Progress {
        self.targets
            .get_mut(&target.name)
            .expect("entered by `load`")
    }

    /// Adds what a turn has come to so far to what was before it.
    pub fn note(&mut self, target: &Target, before: &Progress, spent: Duration, pulse: Pulse) {
        let progress = self.of(target);
        progress.spent_ms = before.spent_ms + spent.as_millis() as u64;
        progress.executions = before.executions + pulse.executions;
        if pulse.executions > 0 {
            progress.coverage = pulse.coverage;
            progress.corpus = pulse.corpus;
        }
        self.spent_ms = self.targets.values().map(|p| p.spent_ms).sum();
    }

    /// Whose turn is next, and for how long: of the targets that have not had their share, the one
    /// that has had the smallest part of it.
    #[must_use]
    pub fn next_turn<'a>(&self, config: &'a Config) -> Option<(&'a Target, Duration)> {
        let runs = |target: &&Target| self.targets[&target.name].set_aside.is_none();
        let shares: u64 = config
            .targets
            .iter()
            .filter(runs)
            .map(|t| u64::from(t.share))
            .sum();
        let due = |target: &Target| {
            let share = self.budget_ms as f64 * f64::from(target.share) / shares as f64;
            share - self.targets[&target.name].spent_ms as f64
        };
        let next = config
            .targets
            .iter()
            .filter(runs)
            .filter(|target| due(target) >= 1.0)
            .max_by(|one, other| {
                let part = |target: &Target| due(target) / f64::from(target.share);
                // The first of those that are equal.
                part(one)
                    .total_cmp(&part(other))
                    .then(std::cmp::Ordering::Greater)
            })?;
        let due = Duration::from_millis(due(next) as u64);
        Some((next, due.min(config.turn)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(shares: &[u16], budget: u64, turn: u64) -> Config {
        let target = |(index, &share): (usize, &u16)| Target {
            name: format!("t{index}"),
            program: "p".into(),
            entry: crate::subject::registry::default(),
            share,
            seeds: vec![],
            dictionary: None,
        };
        Config {
            folder: "f".into(),
            budget: Duration::from_secs(budget),
            turn: Duration::from_secs(turn),
            jobs: 1,
            known: None,
            min_free_mib: 0,
            targets: shares.iter().enumerate().map(target).collect(),
        }
    }

    /// Takes turns until nothing is due; returns the seconds that each target had, in order.
    fn spend(status: &mut Status, config: &Config) -> Vec<(String, u64)> {
        let mut turns = vec![];
        while let Some((target, length)) = status.next_turn(config) {
            turns.push((target.name.clone(), length.as_secs()));
            let before = status.of(target).clone();
            status.note(target, &before, length, Pulse::default());
        }
        turns
    }

    fn load(config: &Config) -> Status {
        Status::load(Path::new("/nonexistent/status.json"), config).unwrap()
    }

    #[test]
    fn each_target_has_its_share_in_turns() {
        let config = config(&[1, 2], 90, 20);
        let mut status = load(&config);
        let turns = spend(&mut status, &config);
        let of = |name: &str| {
            turns
                .iter()
                .filter(|t| t.0 == name)
                .map(|t| t.1)
                .sum::<u64>()
        };
        assert_eq!((of("t0"), of("t1")), (30, 60), "{turns:?}");
        assert!(turns.iter().all(|turn| turn.1 <= 20));
        assert_eq!(turns[0].0, "t0");
        assert_eq!(turns[1].0, "t1");
        assert_eq!(status.spent_ms, 90_000);
    }

    #[test]
    fn a_target_that_is_set_aside_leaves_its_time_to_the_others() {
        let config = config(&[1, 1], 60, 60);
        let mut status = load(&config);
        status.of(&config.targets[0]).set_aside = Some("it does not run".to_owned());
        assert_eq!(spend(&mut status, &config), [("t1".to_owned(), 60)]);
    }

    #[test]
    fn what_was_written_is_gone_on_from() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("status.json");
        let config = config(&[1], 60, 60);
        let mut status = load(&config);
        let pulse = Pulse {
            executions: 5,
            ..Pulse::default()
        };
        let seconds = Duration::from_secs(45);
        status.note(&config.targets[0], &Progress::default(), seconds, pulse);
        status.write(&path).unwrap();
        let mut again = Status::load(&path, &config).unwrap();
        assert_eq!(again.of(&config.targets[0]).executions, 5);
        assert_eq!(spend(&mut again, &config), [("t0".to_owned(), 15)]);
        fs::write(&path, "{").unwrap();
        let error = Status::load(&path, &config).unwrap_err();
        assert!(error.to_string().contains("remove it"), "{error}");
    }
}
