//! How reliably a find breaks its rule: its trace run again and again, on each side that is there.
//!
//! What a regression expects is what all of these replays did: of both sides where they did the
//! same each time, else of each side that always gave one verdict. A find that broke its rule
//! always on no side is unconfirmed, and expects nothing.

use std::time::Instant;

use anyhow::Result;
use harness::entry::Entry;
use harness::trace::Trace;

use crate::execute::side::{Side, Sides};
use crate::oracle::differential;
use crate::oracle::judge::Verdict;
use crate::oracle::rules::{Rule, Rules};
use crate::regression::Expectation;

/// How often a trace is replayed on each side; once if it hangs, which takes a second to confirm.
pub const REPLAYS: u32 = 10;

/// What became of the replays on one side.
#[derive(Clone, Debug)]
pub struct Replays {
    /// How many there were.
    pub runs: u32,
    /// How many broke the rule.
    pub reproduced: u32,
    /// The first one's verdict.
    pub verdict: Verdict,
    /// Whether all the others gave the same: broke the same rule at the same op, or agreed.
    is_stable: bool,
}

impl Replays {
    fn first(verdict: Verdict, rule: Rule) -> Self {
        Self {
            runs: 1,
            reproduced: u32::from(breaks(&verdict, rule)),
            verdict,
            is_stable: true,
        }
    }

    fn add(&mut self, verdict: &Verdict, rule: Rule) {
        let said = |verdict| Expectation::of("", verdict);
        self.runs += 1;
        self.reproduced += u32::from(breaks(verdict, rule));
        self.is_stable &= said(verdict) == said(&self.verdict);
    }

    fn are_enough(&self) -> bool {
        self.runs == REPLAYS || matches!(self.verdict, Verdict::Hang(_))
    }

    /// Whether the rule was broken each time, and at the same op.
    fn are_a_find(&self) -> bool {
        self.reproduced == self.runs && self.is_stable
    }

    fn count(&self, side: Side) -> String {
        format!(
            "{} of {} times on {}",
            self.reproduced,
            self.runs,
            side.name()
        )
    }
}

fn breaks(verdict: &Verdict, rule: Rule) -> bool {
    verdict.finding().is_some_and(|found| found.rule() == rule)
}

/// What became of a trace's replays.
#[derive(Clone, Debug, Default)]
pub struct Replayed {
    sides: Vec<(Side, Replays)>,
    /// Whether the two sides once did not do the same.
    differ: bool,
    /// Whether there was no time for all of them.
    cut_short: bool,
}

impl Replayed {
    /// Those on one side; none if it was not there, or there was no time.
    #[must_use]
    pub fn on(&self, side: Side) -> Option<&Replays> {
        let mut sides = self.sides.iter();
        sides.find_map(|(on, replays)| (*on == side).then_some(replays))
    }

    /// Whether the rule was broken in all replays on one side at least.
    #[must_use]
    pub fn are_a_find(&self) -> bool {
        let mut sides = self.sides.iter();
        !self.cut_short && sides.any(|(_, replays)| replays.are_a_find())
    }

    /// What is to be expected of the subject after this.
    #[must_use]
    pub fn expectations(&self, subject: &str) -> Vec<Expectation> {
        if self.cut_short {
            return Vec::new();
        }
        let stable = self.sides.iter().filter(|(_, replays)| replays.is_stable);
        let mut expected: Vec<_> = stable
            .map(|(side, replays)| Expectation::of(subject, &replays.verdict).on(Some(*side)))
            .collect();
        if let [host, guest] = &expected[..] {
            let both = host.clone().on(None);
            if both == guest.clone().on(None) && !self.differ {
                expected = vec![both];
            }
        }
        expected
    }

    /// What is to be said of a find that was not seen each time on both sides.
    #[must_use]
    pub fn note(&self) -> Option<String> {
        let counts = self
            .sides
            .iter()
            .map(|(side, replays)| replays.count(*side));
        let counts = counts.collect::<Vec<_>>().join(", ");
        if self.cut_short {
            return Some("unconfirmed: no time for replays".to_owned());
        }
        if !self.are_a_find() {
            return Some(format!("unconfirmed: seen {counts}"));
        }
        if let [(side, _)] = &self.sides[..] {
            return Some(format!("replayed on {} only", side.name()));
        }
        let seen = self
            .sides
            .iter()
            .filter(|(_, replays)| replays.reproduced > 0);
        match seen.collect::<Vec<_>>()[..] {
            [(side, _)] => Some(format!("seen on {} only: {counts}", side.name())),
            _ if self.sides.iter().all(|(_, replays)| replays.are_a_find()) => None,
            _ => Some(format!("seen {counts}")),
        }
    }
}

/// Replays a trace in which a subject breaks `rule`. No replay begins behind `until`.
///
/// # Errors
/// When the rig itself cannot do its work.
pub fn replay(
    entry: &Entry,
    trace: &Trace,
    rules: Rules,
    rule: Rule,
    sides: &mut Sides<'_>,
    until: Option<Instant>,
) -> Result<Replayed> {
    let mut replayed = Replayed::default();
    for _ in 0..REPLAYS {
        let mut runs = Vec::new();
        for side in Side::ALL {
            if !sides.have(side, entry)? {
                continue;
            }
            let at = replayed.sides.iter().position(|(on, _)| *on == side);
            if at.is_some_and(|at| replayed.sides[at].1.are_enough()) {
                continue;
            }
            if until.is_some_and(|until| Instant::now() >= until) {
                replayed.cut_short = true;
                return Ok(replayed);
            }
            let (run, verdict) = sides.executor(side)?.verdict(entry, trace, rules)?;
            runs.push(run);
            match at {
                Some(at) => replayed.sides[at].1.add(&verdict, rule),
                None => replayed.sides.push((side, Replays::first(verdict, rule))),
            }
        }
        if let [host, guest] = &runs[..] {
            replayed.differ |=
                differential::compare(&entry.declaration, trace, host, guest).is_some();
        }
    }
    Ok(replayed)
}

#[cfg(test)]
mod tests {
    use harness::op::OpKind;

    use super::*;
    use crate::oracle::judge::Finding;
    use crate::oracle::violation::Violation;
    use crate::run::fault::Panic;

    fn panic_at(op: usize) -> Verdict {
        let violation = Violation::Panic(Panic::saying(""));
        let kind = OpKind::Free;
        Verdict::Crash(Finding {
            violation,
            op,
            kind,
        })
    }

    fn replays(verdicts: &[Verdict]) -> Replays {
        let mut replays = Replays::first(verdicts[0].clone(), Rule::Panic);
        for verdict in &verdicts[1..] {
            replays.add(verdict, Rule::Panic);
        }
        replays
    }

    /// The lines and the note of a find that was replayed on the host, and in the guest.
    fn told(host: &[Verdict], guest: &[Verdict], differ: bool) -> (Vec<String>, Option<String>) {
        let mut sides = vec![(Side::Host, replays(host))];
        if !guest.is_empty() {
            sides.push((Side::Qemu, replays(guest)));
        }
        let replayed = Replayed {
            sides,
            differ,
            cut_short: false,
        };
        let lines = replayed.expectations("heap").into_iter();
        (
            lines.map(|line| line.to_string()).collect(),
            replayed.note(),
        )
    }

    #[test]
    fn what_is_expected_is_what_all_replays_did() {
        let (always, never) = ([panic_at(2), panic_at(2)], [Verdict::Agree, Verdict::Agree]);
        let seldom = [Verdict::Agree, panic_at(2)];
        let note = |text: &str| Some(text.to_owned());
        for (host, guest, differ, lines, said) in [
            (
                &always,
                &always[..],
                false,
                &["heap crash panic at 2"][..],
                None,
            ),
            (
                &always,
                &always,
                true,
                &[
                    "heap on host crash panic at 2",
                    "heap on qemu crash panic at 2",
                ],
                None,
            ),
            (
                &always,
                &[],
                false,
                &["heap on host crash panic at 2"],
                note("replayed on host only"),
            ),
            (
                &always,
                &never,
                true,
                &["heap on host crash panic at 2", "heap on qemu agree"],
                note("seen on host only: 2 of 2 times on host, 0 of 2 times on qemu"),
            ),
            (
                &never,
                &always,
                true,
                &["heap on host agree", "heap on qemu crash panic at 2"],
                note("seen on qemu only: 0 of 2 times on host, 2 of 2 times on qemu"),
            ),
            (
                &always,
                &seldom,
                true,
                &["heap on host crash panic at 2"],
                note("seen 2 of 2 times on host, 1 of 2 times on qemu"),
            ),
            (
                &seldom,
                &seldom,
                true,
                &[],
                note("unconfirmed: seen 1 of 2 times on host, 1 of 2 times on qemu"),
            ),
        ] {
            assert_eq!(
                told(host, guest, differ),
                (lines.iter().map(|line| (*line).to_owned()).collect(), said)
            );
        }
        // Another op is another verdict.
        let moves = [panic_at(2), panic_at(3)];
        assert_eq!(
            told(&moves, &[], false),
            (vec![], note("unconfirmed: seen 2 of 2 times on host"))
        );
    }
}
