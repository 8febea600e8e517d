//! Boots the kernel of many harts, and judges what its harts and their interrupt handlers recorded.
//!
//! Each call on the heap has a number that was taken with the lock held. So the records of all
//! contexts make one trace, in the order in which the calls were made, and that trace is judged as
//! any other: by contract, and byte for byte by the exact model of `kmem`'s policy.

#![allow(unsafe_code, reason = "it looks at memory that a guest shares")]

#[path = "../many-harts/src/record.rs"]
pub mod record;

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::thread::sleep;
use std::time::{Duration, Instant};

use harness::geometry::Geometry;
use harness::observation::{Observation, Outcome};
use harness::op::{Align, Handle, Op};
use kmem_rig::judge::{Finding, Judge};
use kmem_rig::rules::Rules;
use qemu_exec::{Exit, Guest, Machine};
use record::{Build, CONTEXTS, Event, HARTS, HEAP_BYTES, MAILBOX, Mailbox, NONE, Record};

use testkit::root;

/// CPU time of QEMU in which no hart got through a single call: they wait for each other.
const STUCK: Duration = Duration::from_secs(1);
/// Wall time of a run, on a machine that is busy with other things.
const DEADLINE: Duration = Duration::from_secs(240);
const POLL: Duration = Duration::from_millis(5);

/// What came of a run.
#[derive(Debug)]
pub enum Verdict {
    /// No rule was broken, the logs are complete, and the heap was whole at the end.
    Agree(Reached),
    /// Two calls have the same number: two contexts were in the heap at once.
    Together(u64),
    /// A log is not one: a record that makes no sense, a number that is missing.
    Broken(String),
    /// A rule was broken; ops are counted in the order of all contexts.
    Diverge(Box<Finding>),
    /// A hart panicked or trapped: what the console says.
    Crash(String),
    /// No hart got any further than this.
    Hang(Reached),
}

/// What a run came to see.
#[derive(Clone, Debug, Default)]
pub struct Reached {
    /// Calls, by context.
    pub calls: [usize; CONTEXTS],
    /// Calls whose predecessor was another context's.
    pub turns: usize,
    /// Requests for which there was no room.
    pub refused: usize,
    /// Blocks that were resized where they were.
    pub in_place: usize,
}

impl fmt::Display for Reached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "calls by hart and handler {:?}, {} turns, {} refused, {} resized in place",
            self.calls, self.turns, self.refused, self.in_place
        )
    }
}

/// Boots the kernel, lets each hart make so many steps, and judges the records.
///
/// # Panics
/// If the kernel cannot be booted; the message says what to do.
#[must_use]
pub fn run(build: Build, steps: u64, seed: u64) -> Verdict {
    let mut guest = boot();
    let asked = mailbox(&guest);
    asked.steps.store(steps, Relaxed);
    asked.seed.store(seed, Relaxed);
    asked.go.store(build as u64, Release);
    let exit = wait(&mut guest);
    let mailbox = mailbox(&guest);
    let calls = logs(mailbox).and_then(in_order);
    let judged = calls.and_then(|calls| judge(&calls));
    match (judged, exit) {
        // What was recorded before the end says more than the end.
        (Err(verdict), _) => verdict,
        (Ok(reached), None) => Verdict::Hang(reached),
        (Ok(reached), Some(exit)) if exit.success() && mailbox.complete.load(Acquire) == 1 => {
            Verdict::Agree(reached)
        }
        (Ok(_), Some(_)) => Verdict::Crash(guest.serial().to_string()),
    }
}

/// The kernel, which waits for the host's word.
fn boot() -> Guest {
    let image = root().join("target/riscv64gc-unknown-none-elf/release/many-harts");
    assert!(image.exists(), "{}: build it: make guest", image.display());
    let machine = Machine::new(image).harts(HARTS as u32).shared(true);
    machine.start().unwrap_or_else(|error| panic!("{error}"))
}

/// What is shared with it.
fn mailbox(guest: &Guest) -> &Mailbox {
    let memory = guest.memory().expect("the memory is shared");
    let place = memory
        .at(MAILBOX, size_of::<Mailbox>())
        .expect("RAM is larger");
    // SAFETY: `at` vouches for the bytes, which start at a page and stay as long as `guest` does;
    // everything in them is atomic, for both sides.
    unsafe { place.cast::<Mailbox>().as_ref() }
}

/// Waits for the end; `None` if there was none, and the guest was killed.
fn wait(guest: &mut Guest) -> Option<Exit> {
    let started = Instant::now();
    let (mut calls, mut since) = (0, Duration::ZERO);
    while started.elapsed() < DEADLINE {
        let exit = guest.try_wait().unwrap_or_else(|error| panic!("{error}"));
        if exit.is_some() {
            return exit;
        }
        let now = mailbox(guest).logs.iter().map(record::Log::length).sum();
        let spent = guest.cpu_time().unwrap_or_else(|error| panic!("{error}"));
        if now != calls {
            (calls, since) = (now, spent);
        } else if spent - since > STUCK {
            break;
        }
        sleep(POLL);
    }
    guest.kill();
    None
}

/// A call of one context, and what its client saw behind it.
struct Call {
    context: usize,
    event: Event,
    seen: Vec<Event>,
}

/// All calls with their numbers, context by context.
fn logs(mailbox: &Mailbox) -> Result<Vec<(u64, Call)>, Verdict> {
    let mut calls = Vec::new();
    for (context, log) in mailbox.logs.iter().enumerate() {
        let first = calls.len();
        for index in 0..log.length() {
            let broken = || Verdict::Broken(format!("record {index} of context {context}"));
            let Record { order, event } = log.get(index).ok_or_else(broken)?;
            match (order, calls.len() > first) {
                (NONE, true) => {
                    let (_, call): &mut (u64, Call) = calls.last_mut().ok_or_else(broken)?;
                    call.seen.push(event);
                }
                (NONE, false) => return Err(broken()),
                _ => calls.push((
                    order,
                    Call {
                        context,
                        event,
                        seen: Vec::new(),
                    },
                )),
            }
        }
    }
    Ok(calls)
}

/// The calls in the order in which they were made.
fn in_order(mut calls: Vec<(u64, Call)>) -> Result<Vec<Call>, Verdict> {
    calls.sort_by_key(|(order, _)| *order);
    for (expected, (order, _)) in (0..).zip(&calls) {
        if order < &expected {
            return Err(Verdict::Together(*order));
        }
        if *order > expected {
            return Err(Verdict::Broken(format!("call {expected} is in no log")));
        }
    }
    Ok(calls.into_iter().map(|(_, call)| call).collect())
}

/// Judges the calls as one trace.
fn judge(calls: &[Call]) -> Result<Reached, Verdict> {
    let entry = subjects::by_name("kmem").expect("kmem is a subject");
    let geometry = Geometry::from_bytes(HEAP_BYTES as u64).expect("a heap of pages");
    let fresh_capacity = HEAP_BYTES as u64 - 8;
    let mut judge = Judge::new(&entry.declaration, geometry, Rules::ALL, fresh_capacity);
    let mut handles = Handles::default();
    let mut reached = Reached::default();
    let mut last = None;
    for (index, call) in calls.iter().enumerate() {
        reached.calls[call.context] += 1;
        reached.turns += usize::from(last.replace(call.context) != Some(call.context));
        let lost = || Verdict::Broken(format!("call {index}, {:?}: no such block", call.event));
        let Some((op, mut observation)) = handles.step(call).ok_or_else(lost)? else {
            continue;
        };
        for seen in &call.seen {
            match *seen {
                Event::Changed { at, byte } => {
                    let handle = handles.live.get(&at).ok_or_else(lost)?;
                    observation.contents.corrupted = Some((*handle, byte));
                }
                Event::NotZeroed { byte, .. } => observation.contents.not_zeroed = Some(byte),
                _ => return Err(lost()),
            }
        }
        reached.refused += usize::from(observation.outcome == Outcome::Null);
        reached.in_place += usize::from(matches!(op, Op::Realloc { .. }));
        if let Some(finding) = judge.step(&op, &observation) {
            return Err(Verdict::Diverge(finding.into()));
        }
    }
    Ok(reached)
}

/// Blocks by where they are, in the words of a trace.
#[derive(Default)]
struct Handles {
    allocs: u32,
    live: HashMap<u64, Handle>,
}

impl Handles {
    /// The op that a call is, and what was observed; `Some(None)` for a block that could not be
    /// resized where it is, which changes nothing; `None` if the call names no live block.
    #[expect(clippy::option_option, reason = "no op is not the same as no sense")]
    fn step(&mut self, call: &Call) -> Option<Option<(Op, Observation)>> {
        let (op, outcome) = match call.event {
            Event::Place { size, align, at } => {
                let handle = Handle(self.allocs);
                self.allocs += 1;
                let outcome = match at {
                    NONE => Outcome::Null,
                    _ => {
                        self.live.insert(at, handle);
                        Outcome::Placed(i64::try_from(at).ok()?)
                    }
                };
                let zeroed = call
                    .seen
                    .iter()
                    .any(|seen| matches!(seen, Event::NotZeroed { .. }));
                let align = Some(Align::from_exponent(align)?);
                (
                    Op::Alloc {
                        size,
                        align,
                        zeroed,
                    },
                    outcome,
                )
            }
            Event::Resize { done: false, .. } => return Some(None),
            Event::Resize { at, size, .. } => {
                let handle = *self.live.get(&at)?;
                (
                    Op::Realloc { handle, size },
                    Outcome::Placed(i64::try_from(at).ok()?),
                )
            }
            Event::Free { at, done } => {
                let handle = self.live.remove(&at)?;
                let outcome = if done {
                    Outcome::Done
                } else {
                    Outcome::Refused
                };
                (Op::Free { handle }, outcome)
            }
            Event::Changed { .. } | Event::NotZeroed { .. } => return None,
        };
        Some(Some((op, Observation::of(outcome))))
    }
}

#[cfg(test)]
mod tests {
    use kmem_rig::rules::Rule;

    use super::*;

    fn place(context: usize, at: u64, seen: Vec<Event>) -> Call {
        let (size, align) = (8, 3);
        let event = Event::Place { size, align, at };
        Call {
            context,
            event,
            seen,
        }
    }

    fn broken_rule(calls: &[Call]) -> Rule {
        match judge(calls) {
            Err(Verdict::Diverge(finding)) => finding.rule(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn harts_with_blocks_of_their_own_agree() {
        let reached = judge(&[place(0, 8, Vec::new()), place(2, 24, Vec::new())]);
        assert_eq!(reached.expect("no rule is broken").turns, 2);
    }

    #[test]
    fn two_harts_with_one_block_break_a_rule() {
        let calls = [place(0, 8, Vec::new()), place(2, 8, Vec::new())];
        assert_eq!(broken_rule(&calls), Rule::Overlap);
    }

    #[test]
    fn what_a_client_saw_breaks_a_rule() {
        let changed = place(0, 8, vec![Event::Changed { at: 8, byte: 3 }]);
        assert_eq!(broken_rule(&[changed]), Rule::Corrupted);
        let not_zeroed = place(0, 8, vec![Event::NotZeroed { at: 8, byte: 3 }]);
        assert_eq!(broken_rule(&[not_zeroed]), Rule::NotZeroed);
    }

    #[test]
    fn a_kernel_that_panics_does_not_exit_with_success() {
        let mut guest = boot();
        // No kernel has this number.
        mailbox(&guest).go.store(u64::MAX, Release);
        let exit = wait(&mut guest);
        let console = guest.serial().to_string();
        assert!(console.starts_with("kernel: hart 0: panicked"), "{console}");
        assert_eq!(exit, Some(Exit::Code(1)), "{console}");
    }

    #[test]
    fn a_block_of_nobody_is_no_record_of_a_heap() {
        let event = Event::Free { at: 8, done: true };
        let free = Call {
            context: 0,
            event,
            seen: Vec::new(),
        };
        assert!(matches!(judge(&[free]), Err(Verdict::Broken(_))));
    }

    #[test]
    fn numbers_tell_whether_harts_were_in_the_heap_together() {
        let calls = |orders: [u64; 2]| orders.map(|order| (order, place(0, 8, Vec::new()))).into();
        assert!(in_order(calls([1, 0])).is_ok());
        assert!(matches!(in_order(calls([0, 0])), Err(Verdict::Together(0))));
        assert!(matches!(in_order(calls([0, 2])), Err(Verdict::Broken(_))));
    }
}
