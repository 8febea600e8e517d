//! Every state of a small heap that a subject can reach, breadth first: not a sample.
//!
//! ```text
//! this process                      searching process, with threads
//! run --fork--> watches, reports    states: go there by the path, then try every op of the menu
//!     <--board-- counts, finds          each try judged --> a broken rule: its shortest path
//!     <--board-- culprits of a crash                    `-> a new state: at the end of the queue
//! ```
//!
//! A transition is one call of the subject itself on real memory, checked and judged like an op of
//! a strict run: contract, structure, policy and machine rules. Where the subject declares a
//! policy, that proves its table equal to the exact model's in every reachable state. What makes
//! two heaps the same state is in [`state`]; what is asked of them in [`menu`].
//!
//! A state in which a rule was broken is not expanded, since the model has nothing to say about
//! it. The one exception is `unmerged` of a subject without a policy: its heap is still whole, and
//! `spurious-oom` comes of it.
//!
//! A crash or a hang ends the searching process. What its threads were at is run alone, which
//! names the culprit; then the search starts anew without that request (after a hang without any
//! call of its kind), and is not complete.

mod board;
mod expand;
pub mod menu;
mod search;
mod seen;
pub mod state;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use harness::entry::Entry;
use harness::geometry::Geometry;
use harness::op::Align;
use harness::trace::Trace;
use harness::transcript::End as ProcessEnd;

use crate::execute::capacity::Fresh;
use crate::execute::host::supervised::{Common, Pace, Supervised};
use crate::execute::host::{Host, ensure_accepts};
use crate::oracle::judge::Finding;
use crate::oracle::rules::{Rule, Rules};
use crate::run::fault::Panic;
use crate::wording;
use crate::wording::counted;
use board::{Board, End};
use menu::{Menu, Sizes, Step};
use state::Form;

pub use board::THREADS_MAX;
pub use seen::STATE_BYTES_MAX;

/// How often the parent looks at the board.
const POLL: Duration = Duration::from_millis(20);
/// CPU time without a sign of life after which a search hangs. Far more than one state takes, and
/// than the index takes to grow.
const SIGN_LIMIT: Duration = Duration::from_secs(1);

/// What to explore.
#[derive(Clone, Debug)]
pub struct Settings<'a> {
    /// The subject.
    pub entry: &'a Entry,
    /// The heap.
    pub geometry: Geometry,
    /// The alignments asked for.
    pub aligns: Vec<Align>,
    /// The sizes asked for.
    pub sizes: Sizes,
    /// The rules judged; misuse is not on the menu.
    pub rules: Rules,
    /// From 1 to [`THREADS_MAX`].
    pub threads: usize,
    /// Bytes for states, of which each takes at most [`STATE_BYTES_MAX`].
    pub memory_max: u64,
}

/// How far a search is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// States reached.
    pub states: u64,
    /// States of which every step was taken.
    pub expanded: u64,
    /// Steps taken.
    pub transitions: u64,
}

/// Why a search is not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incomplete {
    /// States would have taken more memory than was allowed.
    Memory,
    /// A state lies further from the fresh heap than a trace of this search can tell.
    Steps,
    /// Some requests crashed the subject, and were not made again.
    Crashes,
    /// Some states' tables are not all that the subject goes by: its side memory says otherwise.
    /// They were not expanded.
    Contradicted,
}

/// The shortest trace that breaks a rule.
#[derive(Clone, Debug)]
pub struct Counterexample {
    /// How it breaks the rule, on a run of its own.
    pub finding: Finding,
    /// The trace; the last op breaks the rule.
    pub trace: Trace,
    /// What it is judged by: where an op before the last breaks another rule, only the set of this.
    pub rules: Rules,
}

/// What a search comes to.
#[derive(Clone, Debug)]
pub struct Summary {
    /// What was searched.
    pub progress: Progress,
    /// `None` if every reachable state was expanded.
    pub incomplete: Option<Incomplete>,
    /// One a rule, in order of precedence.
    pub counterexamples: Vec<Counterexample>,
    /// Time passed.
    pub elapsed: Duration,
}

/// Searches. `watch` sees the progress now and then.
///
/// # Errors
/// When the subject's states cannot be told, or the rig itself cannot do its work.
pub fn run(
    settings: &Settings<'_>,
    host: &mut Host,
    watch: &mut dyn FnMut(Progress),
) -> Result<Summary> {
    let started = Instant::now();
    let mut task = Task::new(settings, host)?;
    let mut board = Supervised::new()?;
    let mut found = BTreeMap::new();
    // A request that the search may never make.
    if let Some((trace, _)) = task.fresh.failed_probe.clone()
        && let Some(example) = judged(&task, trace, task.rules, host)?
    {
        task.find(example, &mut found);
    }
    let end = loop {
        match attempt(&task, &mut board, watch)? {
            Some(end) => break end,
            None => blame(&mut task, &board, host, &mut found)?,
        }
    };
    for rule in Rule::ALL {
        let Some(path) = board.find(rule).get() else {
            continue;
        };
        let mut example = confirm(&task, &path, task.rules, host)?;
        if example
            .as_ref()
            .is_none_or(|example| example.finding.rule() != rule)
        {
            example = confirm(&task, &path, Rules::only(rule.set()), host)?;
        }
        let example = example
            .filter(|example| example.finding.rule() == rule)
            .with_context(|| {
                let trace = trace(&task, &path);
                format!("this broke `{rule}`, but not on a run of its own:\n{trace}")
            })?;
        found.insert(rule, example);
    }
    Ok(Summary {
        progress: progress(&board),
        incomplete: match end {
            End::Memory => Some(Incomplete::Memory),
            End::Steps => Some(Incomplete::Steps),
            End::Exhausted if task.menu.leaves_out() || task.fresh.failed_probe.is_some() => {
                Some(Incomplete::Crashes)
            }
            End::Exhausted => {
                let contradicted = board.contradicted.load(Relaxed) != 0;
                contradicted.then_some(Incomplete::Contradicted)
            }
        },
        counterexamples: found.into_values().collect(),
        elapsed: started.elapsed(),
    })
}

/// What the searching process works on.
struct Task<'a> {
    entry: &'a Entry,
    geometry: Geometry,
    rules: Rules,
    menu: Menu,
    form: Form,
    threads: usize,
    states_max: u64,
    fresh: Fresh,
    /// Rules that need no counterexample any more.
    already_found: Vec<Rule>,
}

impl<'a> Task<'a> {
    fn new(settings: &Settings<'a>, host: &mut Host) -> Result<Self> {
        let Settings {
            entry,
            geometry,
            rules,
            ..
        } = *settings;
        let declaration = &entry.declaration;
        let table_is_state = entry.table_is_state(geometry.growth());
        let overhead = declaration.overhead.filter(|_| table_is_state);
        let overhead = overhead.with_context(|| {
            let on = match geometry.growth().is_none() {
                true => String::new(),
                false => format!(" on a heap of {}", counted::heap(geometry)),
            };
            format!(
                "{} cannot be explored{on}: its table is not its whole state",
                entry.name()
            )
        })?;
        ensure_accepts(entry, geometry)?;
        let aligns: Vec<u64> = settings.aligns.iter().map(|align| align.bytes()).collect();
        Ok(Self {
            entry,
            geometry,
            rules,
            menu: Menu::new(
                declaration,
                geometry,
                settings.sizes,
                &settings.aligns,
                overhead.granularity,
            ),
            form: Form::new(declaration, overhead, geometry, &aligns)?,
            threads: settings.threads.clamp(1, THREADS_MAX),
            // A place is 4 bytes.
            states_max: (settings.memory_max / STATE_BYTES_MAX).clamp(1, u32::MAX.into()),
            fresh: host.fresh(entry, geometry)?.clone(),
            already_found: Vec::new(),
        })
    }

    /// Takes note of what crashed the subject.
    fn find(&mut self, example: Counterexample, found: &mut BTreeMap<Rule, Counterexample>) {
        let rule = example.finding.rule();
        self.already_found.push(rule);
        found.entry(rule).or_insert(example);
    }

    /// Whether a state is expanded although it broke this rule.
    fn goes_on_behind(&self, rule: Rule) -> bool {
        rule == Rule::Unmerged && self.entry.declaration.policy.is_none()
    }
}

/// One search in a process of its own; `None` if it crashed or hung.
fn attempt(
    task: &Task<'_>,
    board: &mut Supervised<Board>,
    watch: &mut dyn FnMut(Progress),
) -> Result<Option<End>> {
    board.clear();
    board.start(SIGN_LIMIT, 0, |board| search::search(task, board))?;
    board.attend(Pace::every(POLL), |board| {
        watch(progress(board));
        ControlFlow::Continue(())
    })?;
    Ok(board.end())
}

/// Finds out which of the threads' last steps crashed the search, and leaves it out from now on.
fn blame(
    task: &mut Task<'_>,
    board: &Common<Board>,
    host: &mut Host,
    found: &mut BTreeMap<Rule, Counterexample>,
) -> Result<()> {
    let mut blamed = false;
    for path in board.attempts() {
        let Some(example) = confirm(task, &path, task.rules, host)? else {
            continue;
        };
        let Some(&step) = path.last() else { continue };
        let rule = example.finding.rule();
        blamed |= match rule {
            // A block outside the heap crashes where it is written to.
            Rule::Panic | Rule::Fault | Rule::OutOfBounds => task.menu.leave_out(step),
            // Each hang costs seconds.
            Rule::Hang => task.menu.leave_out_kind(step),
            _ => continue,
        };
        task.find(example, found);
    }
    if blamed {
        return Ok(());
    }
    match board.transcript.end() {
        ProcessEnd::Panicked => {
            let panic = Panic::read(&board.transcript);
            bail!("the search panicked: {}", wording::panic(&panic))
        }
        ProcessEnd::Hung => bail!("the search stood still, and no call of the subject's was why"),
        _ => bail!("the searching process ended, and no call of the subject's was why"),
    }
}

/// What a path comes to on a strict run of its own.
fn confirm(
    task: &Task<'_>,
    path: &[Step],
    rules: Rules,
    host: &mut Host,
) -> Result<Option<Counterexample>> {
    judged(task, trace(task, path), rules, host)
}

/// What a trace comes to on a strict run.
fn judged(
    task: &Task<'_>,
    trace: Trace,
    rules: Rules,
    host: &mut Host,
) -> Result<Option<Counterexample>> {
    let (_, verdict) = host.verdict(task.entry, &trace, rules)?;
    let finding = verdict.finding().cloned();
    Ok(finding.map(|finding| Counterexample {
        finding,
        trace,
        rules,
    }))
}

fn trace(task: &Task<'_>, path: &[Step]) -> Trace {
    let ops = path.iter().map(|&step| task.menu.op(step)).collect();
    Trace {
        geometry: task.geometry,
        ops,
    }
}

fn progress(board: &Board) -> Progress {
    Progress {
        states: board.states.load(Relaxed),
        expanded: board.expanded.load(Relaxed),
        transitions: board.transitions.load(Relaxed),
    }
}
