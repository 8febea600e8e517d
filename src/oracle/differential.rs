//! Host against guest: the same trace on the same subject must do the same on both. Of a subject
//! whose placement depends on absolute addresses, that is what it answers, not where its blocks
//! lie.

use std::mem::discriminant;

use harness::declaration::Declaration;
use harness::observation::Observation;
use harness::trace::Trace;

use crate::oracle::judge::Finding;
use crate::oracle::violation::{Seen, Violation};
use crate::run::Run;

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
    let (op, host, guest) = match differs {
        Some((op, (host, guest))) => {
            let shown = |one, other| seen(declaration, one, other);
            (op, shown(host, guest), shown(guest, host))
        }
        None if host.observations.len() == guest.observations.len()
            && discriminant(&host.end) == discriminant(&guest.end) =>
        {
            return None;
        }
        None => {
            let shown = |run: &Run| match run.observations.get(shared) {
                Some(observation) => Seen::Outcome(observation.outcome),
                None => Seen::End(run.end.clone()),
            };
            (shared, shown(host), shown(guest))
        }
    };
    let op = op.min(trace.ops.len().saturating_sub(1));
    Some(Finding {
        violation: Violation::HostGuest { host, guest },
        op,
        kind: trace.ops.get(op)?.kind(),
    })
}

fn differ(declaration: &Declaration, host: &Observation, guest: &Observation) -> bool {
    if declaration.placement_absolute {
        answers_differ(declaration, host, guest) || host.contents != guest.contents
    } else {
        host != guest
    }
}

fn answers_differ(declaration: &Declaration, one: &Observation, other: &Observation) -> bool {
    match declaration.placement_absolute {
        true => discriminant(&one.outcome) != discriminant(&other.outcome),
        false => one.outcome != other.outcome,
    }
}

/// What `one` shows where it differs from `other`.
fn seen(declaration: &Declaration, one: &Observation, other: &Observation) -> Seen {
    if answers_differ(declaration, one, other) {
        Seen::Outcome(one.outcome)
    } else if one.contents != other.contents {
        Seen::Memory(one.contents.into())
    } else if one.walk != other.walk {
        one.walk.map_or(Seen::NoWalk, Seen::Walk)
    } else {
        Seen::TableLine(one.table_line_wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::rules::Rule;
    use crate::run::RunEnd;
    use crate::run::fault::Panic;
    use crate::wording::Words;
    use harness::observation::Outcome;
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
        let panicked = |message| RunEnd::Panicked(Panic::saying(message));
        let host = run(&[Outcome::Done], panicked("one"));
        let guest = run(&[Outcome::Done], panicked("two"));
        assert_eq!(compare(&SUBJECT, &trace(), &host, &guest), None);
    }

    #[test]
    fn the_first_difference_is_told_from_both_sides() {
        let done = || run(&[Outcome::Done, Outcome::Placed(8)], RunEnd::Completed);
        for (guest, op, seen) in [
            (
                run(&[Outcome::Done, Outcome::Null], RunEnd::Completed),
                1,
                Seen::Outcome(Outcome::Null),
            ),
            (
                run(&[Outcome::Done], RunEnd::Hung),
                1,
                Seen::End(RunEnd::Hung),
            ),
            (
                run(&[Outcome::Null], RunEnd::Completed),
                0,
                Seen::Outcome(Outcome::Null),
            ),
        ] {
            let found = compare(&SUBJECT, &trace(), &done(), &guest).unwrap();
            assert_eq!((found.rule(), found.op), (Rule::HostGuest, op));
            assert!(
                matches!(&found.violation, Violation::HostGuest { guest, .. } if *guest == seen),
                "{found:?}"
            );
        }
    }

    #[test]
    fn what_differs_is_told_in_words() {
        let host = run(&[Outcome::Placed(8)], RunEnd::Completed);
        let told = |declaration: &Declaration, change: fn(&mut Observation)| {
            let mut guest = host.clone();
            change(&mut guest.observations[0]);
            let found = compare(declaration, &trace(), &host, &guest).unwrap();
            Words::of(&found.violation, 1).observed
        };
        let line = told(&SUBJECT, |seen| seen.table_line_wrong = Some(0));
        assert_eq!(line, "in the guest: line 1 of the table is another");
        let byte = "in the guest: byte 3 not zeroed";
        assert_eq!(
            told(&SUBJECT, |seen| seen.contents.not_zeroed = Some(3)),
            byte
        );
        // An offset that may differ is not what differs.
        let moved = told(&SUBJECT.placement_absolute(), |seen| {
            seen.outcome = Outcome::Placed(16);
            seen.contents.not_zeroed = Some(3);
        });
        assert_eq!(moved, byte);
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
