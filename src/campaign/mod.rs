//! Long campaigns: several fuzz targets under one budget of time, on all cores, for days.
//!
//! libFuzzer fuzzes, in fork mode ([`engine`]), one target at a time with all cores, in turns by
//! which each comes to its share ([`status`]). Meanwhile what it finds is triaged, as `kmem-rig
//! triage` does, and from then on passed over by every target. There is no scheduling beyond that,
//! no fuzzing of our own, and no building: the programs are cargo-fuzz's.
//!
//! ```text
//! libFuzzer -> TARGET/artifacts -> triage -> finds/*.trace -> reported -> TARGET/triaged
//! ```
//!
//! Each arrow is taken when what is behind it is on the disk to stay. So a campaign that is killed
//! at any moment has lost nothing that it has told of, and goes on from its folder alone
//! ([`folder`]). A disk without room stops it at the arrow that it has come to, and it goes on once
//! there is room.

pub mod config;
pub mod duration;
pub mod engine;
pub mod folder;
pub mod room;
pub mod status;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use crate::execute::guest::Guest;
use crate::execute::host::Host;
use crate::oracle::rules::Rules;
use crate::regression::Regression;
use crate::regression::finds::{self, Finds, Known};
use crate::regression::triage::{self, Class, Settings};
use crate::subject::registry;
use crate::trace::input::{self, Reading};
use config::{Config, Target};
use engine::Engine;
use folder::Folder;
use status::{Progress, State, Status};

/// How often everything is looked at.
const TICK: Duration = Duration::from_millis(200);
/// How often the status is written.
const STATUS_EVERY: Duration = Duration::from_secs(1);
/// Artifacts triaged at once: a Ctrl-C waits for no more, and the first finds are told early.
const BATCH_MAX: usize = 32;

/// Artifacts of a target that are kept for certain once their finds are. Of more, only those are
/// that no find explains: a bug that is met again every second would fill the disk.
const KEPT_MAX: u64 = 1000;

/// What happens in a campaign.
pub enum Event<'a> {
    /// A find is on the disk; told once.
    Found(&'a Target, &'a Class),
    /// There is no room on the disk: nothing is fuzzed until there is.
    Paused(&'a str),
    /// There is room again.
    GoingOn,
    /// A target does not run; it gets no more turns.
    SetAside(&'a Target, &'a str),
    /// Nothing but that time goes by.
    Tick(&'a Status),
}

/// What a campaign came to.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// How long was fuzzed, in all its runs.
    pub spent_ms: u64,
    /// Inputs run, in all its runs.
    pub executions: u64,
    /// The finds on disk.
    pub findings: u64,
    /// Those of them that no known regression shows.
    pub new: u64,
    /// Artifacts that were not triaged: the next run begins with them.
    pub waiting: u64,
    /// Whether its budget is spent.
    pub complete: bool,
    /// The targets that did not run.
    pub set_aside: Vec<String>,
}

/// What a campaign runs with.
pub struct Setting<'a> {
    /// What it was told.
    pub config: &'a Config,
    /// The guest that finds are replayed in.
    pub guest: &'a mut Guest,
    /// Set when it is to end.
    pub stop: &'a AtomicBool,
    /// Is told what happens.
    pub tell: &'a mut dyn FnMut(Event<'_>),
}

/// Runs a campaign, from its beginning or from where it was when it ended.
///
/// # Errors
/// When the rig itself cannot do its work. What was found is in the folder then, too.
pub fn run(setting: Setting<'_>) -> Result<Summary> {
    let config = setting.config;
    config.targets.iter().try_for_each(Engine::check)?;
    let folder = Folder::open(&config.folder)?;
    let status = Status::load(&folder.status(), config)?;
    let mut campaign = Campaign {
        setting,
        host: Host::new()?,
        folder,
        status,
        written: None,
        turn: None,
    };
    // Those of a campaign that was killed, whosever turn is next.
    config
        .targets
        .iter()
        .try_for_each(|target| campaign.rescue(target))?;
    campaign.run()
}

struct Campaign<'a> {
    setting: Setting<'a>,
    host: Host,
    folder: Folder,
    status: Status,
    /// When the status was.
    written: Option<Instant>,
    turn: Option<Turn<'a>>,
}

/// A target that has all cores.
struct Turn<'a> {
    target: &'a Target,
    engine: Engine,
    started: Instant,
    length: Duration,
    /// How far it was when the turn began.
    before: Progress,
}

/// What is done next.
enum Next {
    Wait,
    Done,
}

impl<'a> Campaign<'a> {
    fn run(&mut self) -> Result<Summary> {
        self.count_finds()?;
        let complete = loop {
            if self.setting.stop.load(Relaxed) {
                break false;
            }
            match self.step() {
                Ok(Next::Wait) => {}
                Ok(Next::Done) => break true,
                Err(error) if room::is_lacking(&error) => self.pause(&format!("{error:#}"))?,
                Err(error) => return Err(error),
            }
            self.publish(false)?;
            thread::sleep(TICK);
        };
        self.end_turn()?;
        self.status.state = if complete {
            State::Done
        } else {
            State::Stopped
        };
        self.publish(true)?;
        Ok(self.summary(complete))
    }

    /// Looks after what was found, then after who is fuzzed.
    fn step(&mut self) -> Result<Next> {
        let config = self.setting.config;
        if let Some(reason) = self.lacks_room()? {
            self.pause(&reason)?;
            return Ok(Next::Wait);
        }
        for target in &config.targets {
            self.triage(target)?;
        }
        if self.status.state == State::Paused {
            (self.setting.tell)(Event::GoingOn);
        }
        self.status.state = State::Fuzzing;
        self.status.reason = None;
        if let Some(turn) = &mut self.turn {
            if turn.started.elapsed() >= turn.length || turn.engine.is_over()? {
                self.end_turn()?;
            }
        } else if let Some((target, length)) = self.status.next_turn(config) {
            self.begin_turn(target, length)?;
        } else if self.status.waiting == 0 {
            return Ok(Next::Done);
        }
        Ok(Next::Wait)
    }

    fn begin_turn(&mut self, target: &'a Target, length: Duration) -> Result<()> {
        let config = self.setting.config;
        self.folder.prepare(target)?;
        self.turn = Some(Turn {
            target,
            engine: Engine::start(target, &self.folder, config)?,
            started: Instant::now(),
            length,
            before: self.status.of(target).clone(),
        });
        self.status.target = Some(target.name.clone());
        Ok(())
    }

    /// Ends the turn that there may be. One in which nothing was run was the target's last.
    fn end_turn(&mut self) -> Result<()> {
        let Some(mut turn) = self.turn.take() else {
            return Ok(());
        };
        self.status.target = None;
        let (spent, pulse) = (turn.started.elapsed(), turn.engine.pulse());
        self.status.note(turn.target, &turn.before, spent, pulse);
        let failed = turn.engine.is_over()? && pulse.executions == 0;
        let lines = turn.engine.stop()?;
        // On a full disk nothing runs, and it may have become full this moment.
        let paused = self.status.state == State::Paused || self.lacks_room()?.is_some();
        if failed && !paused {
            (self.setting.tell)(Event::SetAside(turn.target, &lines));
            self.status.of(turn.target).set_aside = Some(lines);
        }
        self.rescue(turn.target)
    }

    /// Takes care of what a target's jobs have left, as far as there is room.
    fn rescue(&self, target: &Target) -> Result<()> {
        match self.folder.rescue(target) {
            // Before its next turn it is done again.
            Err(error) if room::is_lacking(&error) => Ok(()),
            rescued => rescued,
        }
    }

    /// Turns artifacts into finds, and those into reports.
    fn triage(&mut self, target: &'a Target) -> Result<()> {
        let runs = self
            .turn
            .as_ref()
            .is_some_and(|turn| turn.target.name == target.name);
        let mut waiting = self.folder.waiting(target, runs)?;
        waiting.truncate(BATCH_MAX);
        if waiting.is_empty() {
            return Ok(());
        }
        let (config, out) = (self.setting.config, self.folder.finds());
        let found = format!("kmem-rig campaign, libFuzzer target {}", target.name);
        let known = config.known.as_deref().unwrap_or(&out);
        let settings = Settings {
            subjects: &[target.entry],
            rules: Rules::ALL,
            reading: Reading::Bytes,
            finds: Finds::new(&out, known, &found)?.and_known_in(&out)?,
        };
        let mut explained = 0;
        let tell = &mut self.setting.tell;
        let mut report = |class: &Class| {
            explained += class.artifacts;
            // What this folder shows already was told when it was written.
            if class.known_as.as_deref() != Some(class.written.as_str()) {
                tell(Event::Found(target, class));
            }
        };
        let guest = &mut *self.setting.guest;
        let host = &mut self.host;
        triage::triage(&waiting, &settings, host, guest, &mut report, &mut |_| {})?;
        let unexplained = waiting.len().saturating_sub(explained) as u64;
        let progress = self.status.of(target);
        let keep = unexplained > 0 || progress.artifacts < KEPT_MAX;
        self.folder.put_away(target, &waiting, keep)?;
        progress.artifacts += waiting.len() as u64;
        progress.unexplained += unexplained;
        self.count_finds()
    }

    /// Why nothing can be fuzzed, if that is for want of room. A campaign that is paused wants
    /// twice as much, so that it does not stop at once again.
    fn lacks_room(&self) -> Result<Option<String>> {
        let free = room::free_mib(self.folder.path())?;
        let least = self.setting.config.min_free_mib;
        let wanted = match self.status.state {
            State::Paused => least.saturating_mul(2),
            _ => least,
        };
        Ok((free < wanted).then(|| format!("{free} MiB are free on the disk, not {wanted}")))
    }

    /// Stops fuzzing, and says why, once.
    fn pause(&mut self, reason: &str) -> Result<()> {
        if self.status.state != State::Paused {
            self.status.state = State::Paused;
            (self.setting.tell)(Event::Paused(reason));
        }
        self.status.reason = Some(reason.to_owned());
        self.end_turn()
    }

    /// Tells how far everything is; to the disk, where there is room, when it is time.
    fn publish(&mut self, now: bool) -> Result<()> {
        if let Some(turn) = &self.turn {
            let (spent, pulse) = (turn.started.elapsed(), turn.engine.pulse());
            self.status.note(turn.target, &turn.before, spent, pulse);
        }
        self.status.waiting = 0;
        for target in &self.setting.config.targets {
            self.status.waiting += self.folder.waiting(target, false)?.len() as u64;
        }
        (self.setting.tell)(Event::Tick(&self.status));
        if now || self.written.is_none_or(|at| at.elapsed() >= STATUS_EVERY) {
            self.written = Some(Instant::now());
            match self.status.write(&self.folder.status()) {
                Err(error) if !room::is_lacking(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// Counts the finds: those that are on the disk.
    fn count_finds(&mut self) -> Result<()> {
        let known = match &self.setting.config.known {
            Some(known) => finds::known_in(known)?,
            None => Default::default(),
        };
        let files: Vec<PathBuf> = input::files(&[self.folder.finds()])?;
        self.status.new = 0;
        for file in &files {
            let is_known = is_shown(&Regression::load(file)?, &known, &mut self.host)?;
            self.status.new += u64::from(!is_known);
        }
        self.status.finds = files
            .iter()
            .map(|file| file.display().to_string())
            .collect();
        Ok(())
    }

    fn summary(&self, complete: bool) -> Summary {
        let Status {
            spent_ms,
            finds,
            new,
            waiting,
            targets,
            ..
        } = &self.status;
        let of_ours = self
            .setting
            .config
            .targets
            .iter()
            .map(|target| &target.name);
        let set_aside = of_ours.filter(|name| targets[*name].set_aside.is_some());
        Summary {
            spent_ms: *spent_ms,
            executions: targets.values().map(|progress| progress.executions).sum(),
            findings: finds.len() as u64,
            new: *new,
            waiting: *waiting,
            complete,
            set_aside: set_aside.cloned().collect(),
        }
    }
}

/// Whether what a regression shows is shown by one of these.
fn is_shown(regression: &Regression, known: &Known, host: &mut Host) -> Result<bool> {
    let Some(key) = regression.keys().next() else {
        return Ok(false);
    };
    let entry = registry::by_name(&key.0)?;
    let source = regression.source(entry, key.1, host)?;
    Ok(finds::shown(known, entry, &key, source.as_ref(), host)?.is_some())
}
