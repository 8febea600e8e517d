//! One state expanded: every step of the menu is taken from it, and judged.
//!
//! The judge that has followed the path to the state is cloned for each step, so the exact model
//! takes the step from the same state as the subject.

use harness::branch::Branches;
use harness::observation::{Observation, Outcome};
use harness::op::Op;
use harness::subject::Chunk;
use harness::trace::Trace;

use super::Task;
use super::board::Lane;
use super::menu::Step;
use super::seen::Seen;
use super::state::State;
use crate::execute::in_process::InProcess;
use crate::oracle::judge::Judge;
use crate::oracle::model::contract::Block;
use crate::oracle::rules::Rule;

/// Bytes behind the heap that are watched at every step. A store further behind it is for `hunt`
/// to find, which watches the whole page once a trace.
const WATCHED_BYTES: usize = 64;

/// A state that was not known yet when it was reached.
#[derive(Clone, Copy, Debug)]
pub struct Candidate {
    pub state: State,
    /// The place of the state that was expanded.
    pub parent: u32,
    pub step: Step,
}

/// What came of some states.
#[derive(Debug, Default)]
pub struct Expanded {
    /// In the order in which they were reached; some several times.
    pub candidates: Vec<Candidate>,
    /// The first step that broke each rule, and the place of the state it was taken from.
    pub finds: Vec<(Rule, u32, Step)>,
    /// Steps taken.
    pub transitions: u64,
    /// Set iff some step has led to where the subject's side memory contradicts its table.
    pub contradicted: bool,
}

/// The memory that one expansion after the other needs.
#[derive(Default)]
pub struct Expander {
    heaps: InProcess,
    saved: Vec<u8>,
    path: Vec<Step>,
    steps: Vec<Step>,
    chunks: Vec<Chunk>,
    chunks_here: Vec<Chunk>,
    /// Follows a path, and takes each step from its end.
    judges: Option<[Judge; 2]>,
    live: Vec<Block>,
}

impl Expander {
    /// The state of the fresh heap.
    ///
    /// # Panics
    /// If it is none, which a correct adapter excludes; when the kernel grants no memory.
    pub fn fresh(&mut self, task: &Task<'_>) -> State {
        self.chunks.clear();
        let mut look = Look {
            chunks: &mut self.chunks,
            looked: false,
        };
        let trace = Trace::new(task.geometry);
        let done = self.heaps.branch(
            task.entry,
            &trace,
            task.fresh.bytes,
            WATCHED_BYTES,
            &mut self.saved,
            &mut look,
        );
        done.expect("the heap is mapped");
        task.form
            .state(&self.chunks, &[])
            .expect("a fresh heap has a state")
    }

    /// Takes every step from the state at `place`.
    ///
    /// # Panics
    /// If the subject takes a path to another state than the last time: then its table is not its
    /// state.
    pub fn expand(
        &mut self,
        task: &Task<'_>,
        seen: &Seen,
        place: u32,
        lane: &Lane,
        expanded: &mut Expanded,
    ) {
        seen.path(place, &mut self.path);
        lane.set(&self.path);
        let ops = self.path.iter().map(|&step| task.menu.op(step)).collect();
        let trace = Trace {
            geometry: task.geometry,
            ops,
        };
        let new_judge = || {
            let (geometry, fresh) = (task.geometry, task.fresh.bytes);
            Judge::new(&task.entry.declaration, geometry, task.rules, fresh)
        };
        let [judge, stepped] = self
            .judges
            .get_or_insert_with(|| [(); 2].map(|()| new_judge()));
        judge.reset(
            &task.entry.declaration,
            task.geometry,
            task.rules,
            task.fresh.bytes,
        );
        let mut expansion = Expansion {
            task,
            seen,
            place,
            here: seen.state(place),
            lane,
            ops: &trace.ops,
            passed: 0,
            judge,
            stepped,
            steps: &mut self.steps,
            live: &mut self.live,
            taken: None,
            chunks: &mut self.chunks,
            chunks_here: &mut self.chunks_here,
            expanded,
        };
        let done = self.heaps.branch(
            task.entry,
            &trace,
            task.fresh.bytes,
            WATCHED_BYTES,
            &mut self.saved,
            &mut expansion,
        );
        done.expect("the heap is mapped");
    }
}

/// Looks at the chunks, once.
struct Look<'a> {
    chunks: &'a mut Vec<Chunk>,
    looked: bool,
}

impl Branches for Look<'_> {
    fn pass(&mut self, _: &Observation) {}

    fn next(&mut self) -> Option<Op> {
        (!std::mem::replace(&mut self.looked, true)).then_some(Op::Table)
    }

    fn chunk(&mut self, chunk: Chunk) {
        self.chunks.push(chunk);
    }

    fn observe(&mut self, _: &Observation, _: bool) {}
}

/// The steps from one state.
struct Expansion<'a> {
    task: &'a Task<'a>,
    seen: &'a Seen,
    place: u32,
    here: State,
    lane: &'a Lane,
    /// The path's.
    ops: &'a [Op],
    passed: usize,
    /// Has followed the path as far as it was passed.
    judge: &'a mut Judge,
    /// Has also taken the step under way.
    stepped: &'a mut Judge,
    steps: &'a mut Vec<Step>,
    /// Memory for the blocks that are live.
    live: &'a mut Vec<Block>,
    /// The place of the step under way; `None` before the first.
    taken: Option<usize>,
    /// Behind the step under way.
    chunks: &'a mut Vec<Chunk>,
    /// Before any step; known from the first one on, which looks at the table.
    chunks_here: &'a mut Vec<Chunk>,
    expanded: &'a mut Expanded,
}

impl Branches for Expansion<'_> {
    fn pass(&mut self, observation: &Observation) {
        // Judged when it was first taken: what was broken then, if anything, shows only in walks.
        let _ = self.judge.step(&self.ops[self.passed], observation);
        self.passed += 1;
    }

    fn next(&mut self) -> Option<Op> {
        let taken = match self.taken {
            Some(taken) => taken + 1,
            None => {
                self.live.clear();
                self.live.extend(self.judge.live());
                self.task.menu.steps(self.live, self.steps);
                0
            }
        };
        self.taken = Some(taken);
        self.chunks.clear();
        let step = *self.steps.get(taken)?;
        self.lane.set_last(self.passed, step);
        Some(self.task.menu.op(step))
    }

    fn chunk(&mut self, chunk: Chunk) {
        self.chunks.push(chunk);
    }

    fn observe(&mut self, observation: &Observation, audited: bool) {
        let step = self.steps[self.taken.expect("a step is under way")];
        let op = self.task.menu.op(step);
        self.stepped.clone_from(self.judge);
        self.expanded.transitions += 1;
        if let Some(finding) = self.stepped.step(&op, observation) {
            let rule = finding.rule();
            if self.expanded.finds.iter().all(|(known, ..)| *known != rule) {
                self.expanded.finds.push((rule, self.place, step));
            }
            if !self.task.goes_on_behind(rule) {
                return;
            }
        }
        // Nobody judges the walk where the rules are narrowed; execution ends there all the same.
        if observation.walk.is_none_or(|walk| walk.broken_at.is_some()) {
            return;
        }
        if !audited {
            // Its table is not its state there.
            self.expanded.contradicted = true;
            return;
        }
        let unchanged = observation.outcome == Outcome::Null;
        if unchanged && self.chunks == self.chunks_here {
            return;
        }
        self.live.clear();
        self.live.extend(self.stepped.live());
        let state = self.task.form.state(self.chunks, self.live);
        let state = state.expect("chunks and blocks that break no rule are a state");
        if op == Op::Table {
            assert_eq!(
                state, self.here,
                "the path led elsewhere before: the table is no state"
            );
            std::mem::swap(self.chunks, self.chunks_here);
        }
        if state != self.here && !self.seen.contains(state) {
            self.expanded.candidates.push(Candidate {
                state,
                parent: self.place,
                step,
            });
        }
    }
}
