//! Host against guest: the same trace on the same subject must do the same on both. Of a subject
//! whose placement depends on absolute addresses, that is what it answers, not where its blocks lie.

use harness::declaration::Declaration;
use harness::observation::{Observation, Outcome};
use harness::trace::Trace;

use crate::counted::counted;
use crate::judge::Finding;
use crate::rules::Rule;
use crate::run::{Run, RunEnd};

/// The first op at which two runs differ in outcome, offset, contents or digest, or in how they
/// ended. Messages are not compared.
#[must_use]
pub fn compare(
    declaration: &Declaration,
    trace: &Trace,
    host: &Run,
    guest: &Run,
) -> Option<Finding> {
    let pairs = host.observations.iter().zip(&guest.observations);
    let shared = host.observations.len().min(guest.observations.len());
    let differs = pairs
        .enumerate()
        .find(|(_, (host, guest))| differ(declaration, host, guest));
    let (op, expected, observed) = match differs {
        Some((op, (host, guest))) => (op, difference(host, guest), difference(guest, host)),
        None if host.observations.len() == guest.observations.len()
            && ended(&host.end) == ended(&guest.end) =>
        {
            return None;
        }
        None => {
            let word = |run: &Run| match run.observations.get(shared) {
                Some(observation) => outcome(observation.outcome),
                None => ended(&run.end).to_owned(),
            };
            (shared, word(host), word(guest))
        }
    };
    let op = op.min(trace.ops.len().saturating_sub(1));
    Some(Finding {
        rule: Rule::HostGuest,
        op,
        kind: trace.ops.get(op)?.kind(),
        expected: format!("as on the host: {expected}"),
        observed: format!("in the guest: {observed}"),
    })
}

fn differ(declaration: &Declaration, host: &Observation, guest: &Observation) -> bool {
    if declaration.placement_absolute {
        let kind = |of: &Observation| std::mem::discriminant(&of.outcome);
        kind(host) != kind(guest) || host.contents != guest.contents
    } else {
        host != guest
    }
}

/// What `one` shows where it differs from `other`.
fn difference(one: &Observation, other: &Observation) -> String {
    if one.outcome != other.outcome {
        outcome(one.outcome)
    } else if one.contents != other.contents {
        format!("memory checks {:?}", one.contents)
    } else if one.walk != other.walk {
        match one.walk {
            Some(walk) => format!("{}, hash {:#x}", counted(walk.chunks, "chunk"), walk.hash),
            None => "no chunk walk".to_owned(),
        }
    } else {
        format!("printed table wrong at line {:?}", one.table_line_wrong)
    }
}

/// An outcome in words.
#[must_use]
pub fn outcome(outcome: Outcome) -> String {
    match outcome {
        Outcome::Placed(offset) if offset < 0 => {
            format!("a block {:#x} before the heap", offset.unsigned_abs())
        }
        Outcome::Placed(offset) => format!("a block at {offset:#x}"),
        Outcome::Null => "null".to_owned(),
        Outcome::Done => "done".to_owned(),
        Outcome::Refused => "refused".to_owned(),
        Outcome::Capacity(bytes) => format!("{} granted", counted(bytes, "byte")),
        Outcome::NotExpressible => "not expressible".to_owned(),
        Outcome::NoBlock => "no block".to_owned(),
    }
}

/// How a run ended, without the message.
#[must_use]
pub const fn ended(end: &RunEnd) -> &'static str {
    match end {
        RunEnd::Completed => "the end of the trace",
        RunEnd::Lost => "the heap lost",
        RunEnd::Panicked(_) => "panic",
        RunEnd::Faulted(_) => "fault",
        RunEnd::Hung => "hang",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use harness::op::Op;

    const SUBJECT: Declaration = Declaration::new("subject");

    fn run(outcomes: &[Outcome], end: RunEnd) -> Run {
        let observations = outcomes
            .iter()
            .map(|&outcome| Observation::of(outcome))
            .collect();
        Run {
            observations,
            tables: Vec::new(),
            end,
        }
    }

    fn trace() -> Trace {
        let geometry = harness::geometry::Geometry::published();
        Trace {
            geometry,
            ops: vec![Op::Table; 2],
        }
    }

    #[test]
    fn equal_runs_agree_whatever_their_messages() {
        let host = run(&[Outcome::Done], RunEnd::Panicked("one".into()));
        let guest = run(&[Outcome::Done], RunEnd::Panicked("two".into()));
        assert_eq!(compare(&SUBJECT, &trace(), &host, &guest), None);
    }

    #[test]
    fn the_first_difference_is_told_from_both_sides() {
        let done = || run(&[Outcome::Done, Outcome::Placed(8)], RunEnd::Completed);
        for (guest, op, observed) in [
            (
                run(&[Outcome::Done, Outcome::Null], RunEnd::Completed),
                1,
                "in the guest: null",
            ),
            (run(&[Outcome::Done], RunEnd::Hung), 1, "in the guest: hang"),
            (
                run(&[Outcome::Null], RunEnd::Completed),
                0,
                "in the guest: null",
            ),
        ] {
            let found = compare(&SUBJECT, &trace(), &done(), &guest).unwrap();
            assert_eq!((found.rule, found.op), (Rule::HostGuest, op));
            assert_eq!(found.observed, observed);
        }
    }

    #[test]
    fn offsets_are_not_compared_where_they_depend_on_addresses() {
        let absolute = SUBJECT.placement_absolute();
        let at = |offset| run(&[Outcome::Placed(offset)], RunEnd::Completed);
        assert_eq!(compare(&absolute, &trace(), &at(8), &at(16)), None);
        assert!(compare(&SUBJECT, &trace(), &at(8), &at(16)).is_some());
        let null = run(&[Outcome::Null], RunEnd::Completed);
        assert!(compare(&absolute, &trace(), &at(8), &null).is_some());
    }
}
