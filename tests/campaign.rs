//! Campaigns with a real libFuzzer target, killed, interrupted and without room: what was reported
//! is on the disk and replays, and nothing runs on.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use testkit::command_line::{command, ended};
use testkit::{root, wait_until};

const RIG: &str = env!("CARGO_BIN_EXE_kmem-rig");
/// How often a campaign is killed; the long runs ask for more by the environment.
const KILLS: u64 = 5;
/// Kills of one campaign before the next one begins, with everything yet to be found.
const KILLS_OF_ONE: u64 = 5;
/// How long anything here may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A folder with a campaign's settings in it. The campaign's own folder is `a b/run`, since
/// libFuzzer writes paths into commands of a shell.
struct Site(tempfile::TempDir);

impl Site {
    fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!("folder = \"a b/run\"\nmin_free_mib = 1\njobs = 2\n{text}");
        fs::write(folder.path().join("campaign.toml"), text).unwrap();
        Self(folder)
    }

    /// Two targets with the same program, built as cargo-fuzz builds it for `make fuzz`.
    fn with_real_targets(budget: &str) -> Self {
        let program = built("kmem_2019");
        let program = program.display();
        let target = |name: &str| {
            format!(
                "[[target]]\nname = \"{name}\"\nsubject = \"kmem-2019\"\nprogram = '{program}'\n"
            )
        };
        let (one, other) = (target("one"), target("other"));
        Self::new(&format!(
            "budget = \"{budget}\"\nturn = \"3s\"\n{one}{other}"
        ))
    }

    /// The campaign's own folder, once there is one.
    fn folder(&self) -> PathBuf {
        let folder = self.0.path().join("a b/run");
        folder.canonicalize().unwrap_or(folder)
    }

    fn finds(&self) -> PathBuf {
        self.folder().join("finds")
    }

    /// Null before the first.
    fn status(&self) -> Value {
        let text = fs::read_to_string(self.folder().join("status.json"));
        text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
    }

    fn command(&self) -> Command {
        // A limit on files, which a test sets, is a failed write and not the end.
        let mut command = Command::new("sh");
        let script = "trap '' XFSZ; exec \"$@\"";
        command
            .args(["-c", script, "sh", RIG, "campaign", "--format", "json"])
            .args(["--config", "campaign.toml"])
            .current_dir(self.0.path())
            .env("KMEM_RIG_GUEST", guest())
            .stdin(Stdio::null());
        command
    }

    fn start(&self) -> Running {
        let mut rig = self.command().stdout(Stdio::piped()).spawn().unwrap();
        let lines = lines(rig.stdout.take().unwrap());
        Running { rig, lines }
    }

    fn run(&self) -> Output {
        self.command().output().unwrap()
    }

    /// The processes that run in the campaign's folder, as all that it starts do.
    fn processes(&self) -> Vec<String> {
        let folder = self.folder();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let in_folder = processes.filter(|process| {
            let at = fs::read_link(process.path().join("cwd"));
            at.is_ok_and(|at| at == folder)
        });
        let named = in_folder.map(|process| {
            let words = fs::read(process.path().join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).replace('\0', " ")
        });
        named.collect()
    }

    fn wait_until_nothing_runs(&self) {
        wait_until("nothing runs on", || self.processes().is_empty());
    }
}

/// A campaign that runs, and the lines that it has printed.
struct Running {
    rig: Child,
    lines: Receiver<Value>,
}

impl Running {
    /// The next line of this kind.
    fn next(&self, kind: &str) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let line = self.lines.recv_timeout(left);
            let line = line.unwrap_or_else(|error| panic!("no line `{kind}`: {error}"));
            if let Some(inside) = line.get(kind) {
                return inside.clone();
            }
        }
    }

    /// The files of the finds that it reports within this time; all that it reports if it ends.
    fn finds(&self, time: Duration, until_the_first: bool) -> Vec<PathBuf> {
        let deadline = Instant::now() + time;
        let mut finds = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let written = line.pointer("/finding/written").and_then(Value::as_str);
                    finds.extend(written.map(PathBuf::from));
                    if written.is_some() && until_the_first {
                        return finds;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return finds,
            }
        }
    }

    fn signal(&mut self, signal: &str) {
        let sent = command("kill", &format!("{signal} {}", self.rig.id())).status();
        assert!(sent.unwrap().success());
    }

    fn limit_files(&self, bytes: &str) {
        let line = format!("--pid {} --fsize={bytes}:unlimited", self.rig.id());
        let set = command("prlimit", &line).status();
        assert!(set.unwrap().success());
    }

    /// Its exit status, once nobody but it can print more.
    fn wait(mut self) -> ExitStatus {
        self.rig.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that has failed leaves nothing behind either.
        let _ = self.rig.kill();
        let _ = self.rig.wait();
    }
}

/// The lines as they come: nobody waits for them in vain.
fn lines(output: ChildStdout) -> Receiver<Value> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            // A line that was cut off by a kill is no report.
            if let Ok(line) = serde_json::from_str(&line) {
                let _ = sender.send(line);
            }
        }
    });
    receiver
}

fn guest() -> PathBuf {
    kmem_rig::guest::find_image(None).unwrap()
}

/// A fuzz target, built if it was not yet.
fn built(name: &str) -> PathBuf {
    let built = Command::new("cargo")
        .args(["+nightly", "fuzz", "build", "-O", name])
        .current_dir(root())
        .env_remove("RUSTUP_TOOLCHAIN")
        .env_remove("CARGO")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&built.stderr);
    assert!(
        built.status.success(),
        "`make setup` installs what it needs:\n{text}"
    );
    let machines = fs::read_dir(root().join("fuzz/target")).unwrap().flatten();
    let mut programs = machines.map(|machine| machine.path().join("release").join(name));
    programs.find(|program| program.is_file()).unwrap()
}

fn replays(finds: &Path) {
    let mut replay = command(RIG, "replay --on host,qemu");
    let (code, text, _) = ended(replay.arg(finds).output());
    assert_eq!(code, 0, "{text}");
}

#[test]
fn every_find_that_was_reported_survives_kill_9_and_replays() {
    let kills = std::env::var("KMEM_RIG_KILLS");
    let kills = kills.map_or(KILLS, |kills| kills.parse().unwrap());
    let (mut site, mut reported, mut in_all) = (Site::with_real_targets("1h"), vec![], 0);
    let mut noise = fastrand::Rng::with_seed(8);
    for kill in 1..=kills {
        let mut campaign = site.start();
        // Every other kill comes right after a report, or after a while if there is none.
        let after = Duration::from_millis(noise.u64(0..8000));
        reported.extend(campaign.finds(after, kill % 2 == 0));
        campaign.signal("-KILL");
        // What was on its way when it was killed was reported, too.
        reported.extend(campaign.finds(PATIENCE, false));
        campaign.wait();
        site.wait_until_nothing_runs();
        let waiting = waiting(&site);
        println!(
            "kill {kill} after {after:?}: {} finds, {waiting} artifacts",
            reported.len()
        );
        for find in &reported {
            assert!(find.is_file(), "{} was reported", find.display());
        }
        if kill % KILLS_OF_ONE == 0 || kill == kills {
            in_all += reported.len();
            ends_in_order(&site, &reported);
            if kill < kills {
                (site, reported) = (Site::with_real_targets("1h"), vec![]);
            }
        }
    }
    println!("{kills} kills, {in_all} finds reported before one, none lost");
    assert!(in_all > 0, "there was nothing to lose");
}

fn waiting(site: &Site) -> usize {
    let of = |target| fs::read_dir(site.folder().join(target).join("artifacts"));
    ["one", "other"].into_iter().flat_map(of).flatten().count()
}

/// The campaign goes on, triages what its predecessors left, and ends when it is asked to.
fn ends_in_order(site: &Site, reported: &[PathBuf]) {
    let mut campaign = site.start();
    let spent = || site.status()["spent_ms"].as_u64().unwrap_or(0);
    let before = spent();
    wait_until("it goes on", || {
        spent() > before && site.status()["waiting"] == 0
    });
    campaign.signal("-INT");
    let summary = campaign.next("summary");
    assert_eq!(campaign.wait().code(), Some(1));
    site.wait_until_nothing_runs();
    assert_eq!(summary["complete"], false);
    assert_eq!(site.status()["state"], "stopped");
    let files: Vec<_> = fs::read_dir(site.finds()).unwrap().flatten().collect();
    let half = files
        .iter()
        .find(|file| file.path().extension().is_none_or(|end| end != "trace"));
    assert!(half.is_none(), "{half:?} is no find");
    assert_eq!(summary["findings"], files.len());
    assert!(files.len() >= reported.len());
    for target in ["one", "other"] {
        assert!(!site.folder().join(target).join("temporary").exists());
    }
    replays(&site.finds());
}

/// It need not be the killed target's turn again before that.
#[test]
fn what_a_killed_targets_jobs_had_added_is_in_its_corpus_at_the_next_start() {
    let site = Site::with_real_targets("1h");
    let other = site.folder().join("other");
    let of_a_job = other.join("temporary/libFuzzerTemp/C7");
    fs::create_dir_all(other.join("corpus")).unwrap();
    fs::create_dir_all(&of_a_job).unwrap();
    fs::write(of_a_job.join("input"), "new").unwrap();
    let mut campaign = site.start();
    wait_until("the first target is fuzzed", || {
        site.status()["target"] == "one"
    });
    assert_eq!(fs::read(other.join("corpus/input")).unwrap(), b"new");
    assert!(!other.join("temporary").exists());
    campaign.signal("-INT");
    campaign.next("summary");
    campaign.wait();
    site.wait_until_nothing_runs();
}

#[test]
fn without_room_nothing_is_lost_and_with_room_it_goes_on() {
    let site = Site::with_real_targets("1h");
    let mut campaign = site.start();
    wait_until("it fuzzes", || !site.processes().is_empty());
    campaign.limit_files("0");
    let reason = campaign.next("paused")["reason"].to_string();
    assert!(reason.contains("cannot write"), "{reason}");
    site.wait_until_nothing_runs();
    assert_eq!(fs::read_dir(site.finds()).unwrap().count(), 0);
    assert!(waiting(&site) > 0, "the artifact waits");

    campaign.limit_files("unlimited");
    let written = campaign.next("finding")["written"].clone();
    assert!(Path::new(written.as_str().unwrap()).is_file());
    campaign.next("going_on");
    campaign.signal("-INT");
    assert_eq!(campaign.next("summary")["complete"], false);
    assert_eq!(campaign.wait().code(), Some(1));
    site.wait_until_nothing_runs();
    replays(&site.finds());
}

/// A program that answers as one of libFuzzer's does, and then does what the script says.
fn program(site: &Site, name: &str, script: &str) {
    let path = site.0.path().join(name);
    let text = format!("#!/bin/sh\n[ \"$1\" != -help=1 ] || exec echo ignore_crashes\n{script}\n");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
}

const PULSE: &str = "cov: 1 ft: 1 corp: 1 exec/s: 1 oom/timeout/crash: 0/0/0 time: 1s job: 1";

#[test]
fn a_target_that_does_not_run_leaves_the_time_to_the_others() {
    let target = |name: &str| {
        format!("[[target]]\nname = \"{name}\"\nsubject = \"kmem\"\nprogram = \"{name}\"\n")
    };
    let (broken, well) = (target("broken"), target("well"));
    let site = Site::new(&format!("budget = \"3s\"\n{broken}{well}"));
    program(&site, "broken", "echo no such library >&2; exit 1");
    // Jobs that do not hear when they are asked to end.
    let stubborn = "trap '' USR1; sleep 1000 & exec sleep 1000";
    program(&site, "well", &format!("echo '#7: {PULSE}'; {stubborn}"));
    let output = site.run();
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<Value> = text
        .lines()
        .map(|l| serde_json::from_str(l).unwrap())
        .collect();
    assert_eq!(lines[0]["set_aside"]["target"], "broken", "{text}");
    assert_eq!(lines[0]["set_aside"]["output"], "no such library", "{text}");
    let summary = &lines.last().unwrap()["summary"];
    assert_eq!(
        (&summary["executions"], &summary["complete"]),
        (&7.into(), &true.into())
    );
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(error.contains("did not run: broken"), "{error}");
    site.wait_until_nothing_runs();
}

#[test]
fn what_cannot_be_a_campaign_is_refused() {
    let text = "budget = \"1h\"\n[[target]]\nname = \"kmem\"\nprogram = \"p\"\n";
    let refused = |site: &Site| {
        let output = site.run();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };

    let site = Site::new(text);
    fs::copy("/bin/true", site.0.path().join("p")).unwrap();
    let error = refused(&site);
    assert!(error.contains("/p is no libFuzzer target"), "{error}");

    program(&site, "p", &format!("echo '#7: {PULSE}'; exec sleep 1000"));
    let campaign = site.start();
    wait_until("it fuzzes", || !site.processes().is_empty());
    let error = refused(&site);
    assert!(error.contains("a campaign runs in this folder"), "{error}");
    drop(campaign);
    site.wait_until_nothing_runs();

    let error = refused(&Site::new("budget = \"1h\"\nsteps = 3\n"));
    assert!(
        error.contains("campaign.toml:5:1: unknown field `steps`"),
        "{error}"
    );
}
