//! One op, many broken rules: the first by precedence among the judged sets is reported.

use super::*;

/// An observation in which everything is wrong that does not depend on the answer.
fn everything_wrong(outcome: Outcome) -> Observation {
    Observation {
        outcome,
        contents: Contents {
            corrupted: Some((A0, 0)),
            not_zeroed: Some(0),
            realloc_lost: Some(0),
            stray_store: Some(192),
        },
        walk: Some(WalkDigest {
            broken_at: Some(0),
            unmerged_at: Some(0),
            ..walk(&[])
        }),
        table_line_wrong: Some(0),
    }
}

/// What the judge of these rules finds in this op, of which a0 at 8 and a1 at 40 were the past.
fn rule_of(rules: Rules, op: Op, observation: Observation) -> Option<Rule> {
    let past = [(alloc(24), placed(8)), (alloc(24), placed(40))];
    let steps = [past[0], past[1], (op, observation)];
    found_by(rules, &first_fit(), &steps).map(|finding| finding.rule())
}

#[test]
fn the_first_rule_of_the_table_is_reported() {
    let bad_zeroed = |at| everything_wrong(Outcome::Placed(at));
    let without = |observation, change: fn(&mut Contents)| with(observation, change);
    let whole = without(bad_zeroed(80), |contents| contents.corrupted = None);
    let zeroed = without(whole, |contents| contents.not_zeroed = None);
    let kept = without(zeroed, |contents| contents.realloc_lost = None);
    let answered = |outcome| Observation { outcome, ..kept };
    let sound_walk = |observation| Observation {
        walk: Some(walk(&[])),
        table_line_wrong: None,
        ..observation
    };
    let unmerged = Observation {
        walk: Some(WalkDigest {
            unmerged_at: Some(0),
            ..walk(&[])
        }),
        ..sound_walk(kept)
    };
    let right = Outcome::Placed(72);
    let misused = |outcome| sound_walk(answered(outcome));
    let unwalked = |observation| Observation {
        walk: None,
        table_line_wrong: None,
        ..observation
    };
    let wild = Op::FreeWild { offset: 16 };
    let rows = [
        (alloc_zeroed(193), bad_zeroed(12), Rule::ImpossibleSuccess),
        (alloc_zeroed(24), bad_zeroed(-4), Rule::OutOfBounds),
        (alloc_zeroed(24), bad_zeroed(12), Rule::Overlap),
        (alloc_zeroed(24), bad_zeroed(76), Rule::Misaligned),
        (alloc_zeroed(24), bad_zeroed(80), Rule::Corrupted),
        (alloc_zeroed(24), whole, Rule::NotZeroed),
        (realloc(A0, 32), zeroed, Rule::ReallocLostContents),
        (alloc(24), answered(Outcome::Null), Rule::SpuriousOom),
        (free(A0), answered(Outcome::Refused), Rule::Leak),
        (alloc(24), kept, Rule::BrokenTable),
        (alloc(24), unmerged, Rule::Unmerged),
        (alloc(24), sound_walk(kept), Rule::Placement),
        (alloc(24), misused(right), Rule::Table),
        (wild, misused(Outcome::Done), Rule::Table),
        (
            wild,
            unwalked(answered(Outcome::Done)),
            Rule::MisuseAccepted,
        ),
        (wild, unwalked(answered(Outcome::Refused)), Rule::Fault),
    ];
    for (op, observation, rule) in rows {
        assert_eq!(
            rule_of(Rules::ALL, op, observation),
            Some(rule),
            "{op:?} {observation:?}"
        );
    }
    assert!(rows.is_sorted_by_key(|(_, _, rule)| *rule));
}

#[test]
fn a_set_that_is_not_judged_is_passed_over() {
    let wrong = everything_wrong(Outcome::Placed(12));
    for (sets, rule) in [
        ("contract,structure", Rule::Overlap),
        ("structure,policy", Rule::BrokenTable),
        ("policy,misuse", Rule::Placement),
        ("misuse", Rule::Fault),
        ("machine", Rule::Fault),
    ] {
        let rules = sets.parse().expect("sets");
        assert_eq!(rule_of(rules, alloc(24), wrong), Some(rule), "{sets}");
    }
    let misused = everything_wrong(Outcome::Done);
    let wild = Op::FreeWild { offset: 16 };
    let misuse = "misuse".parse().expect("a set");
    assert_eq!(rule_of(misuse, wild, misused), Some(Rule::MisuseAccepted));
}

#[test]
fn nothing_is_judged_after_an_impossible_success() {
    let wrong = everything_wrong(Outcome::Placed(12));
    for sets in ["structure,policy,misuse", "machine"] {
        assert_eq!(
            rule_of(sets.parse().expect("sets"), alloc(193), wrong),
            None
        );
    }
}

#[test]
fn nothing_is_found_twice() {
    let (declaration, geometry) = (
        published(),
        Geometry::from_bytes(HEAP_BYTES).expect("a size"),
    );
    let mut judge = Judge::new(&declaration, geometry, Rules::ALL, FRESH);
    assert!(judge.step(&alloc(24), &placed(-8)).is_some());
    assert_eq!(judge.step(&alloc(24), &placed(-8)), None);
    assert_eq!(judge.end(&[alloc(24); 9], &crate::run::RunEnd::Hung), None);
}
