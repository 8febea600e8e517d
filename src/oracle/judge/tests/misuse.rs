//! The misuse rules, by what a subject promises.

use super::*;
use crate::oracle::violation::{ChangedByte, Damage, Violation};

const BEFORE: [(u64, bool); 3] = [(32, true), (32, true), (128, false)];
const AFTER: [(u64, bool); 3] = [(32, false), (32, true), (128, false)];
const WILD: Op = Op::FreeWild { offset: 16 };
const INTERIOR: Op = Op::FreeInterior {
    handle: A1,
    offset: 8,
};

/// Two blocks, then the op.
fn then(op: Op, observation: Observation) -> [Step; 3] {
    let second = walked(placed(40), walk(&BEFORE));
    [
        (alloc(24), placed(8)),
        (alloc(24), second),
        (op, observation),
    ]
}

/// The rules of misuse alone, so that the policy's table does not precede them.
fn misused(declaration: &Declaration, steps: &[Step]) -> Option<Finding> {
    found_by("misuse".parse().expect("a set"), declaration, steps)
}

fn rule_of(finding: Option<Finding>) -> Option<Rule> {
    finding.map(|finding| finding.rule())
}

#[test]
fn misuse_accepted() {
    for op in [WILD, INTERIOR] {
        assert_breaks(
            &first_fit(),
            &then(op, done()),
            Rule::MisuseAccepted,
            "a refusal, since no live block starts there",
            "done",
        );
        assert_agrees(&first_fit(), &then(op, refused()));
        for uncalled in [Outcome::NotExpressible, Outcome::NoBlock] {
            assert_agrees(&first_fit(), &then(op, Observation::of(uncalled)));
        }
        assert_agrees(&foreign(), &then(op, done()));
    }
    let twice = |answer| {
        [
            (alloc(24), placed(8)),
            (free(A0), done()),
            (free(A0), answer),
        ]
    };
    assert_eq!(
        rule_of(found(&first_fit(), &twice(done()))),
        Some(Rule::MisuseAccepted)
    );
    assert_agrees(&first_fit(), &twice(refused()));
}

#[test]
fn misuse_damage() {
    let damaged = then(WILD, walked(refused(), walk(&AFTER)));
    let damage = |steps: &[Step]| misused(&first_fit(), steps).map(|found| found.violation);
    let chunks = Damage::Chunks {
        before: 3,
        after: 3,
    };
    assert_eq!(damage(&damaged), Some(Violation::MisuseDamage(chunks)));
    assert_eq!(
        misused(&first_fit(), &then(WILD, walked(refused(), walk(&BEFORE)))),
        None
    );
    let hit = with(refused(), |contents| contents.corrupted = Some((A1, 2)));
    let byte = Damage::Contents(ChangedByte {
        handle: A1,
        byte: 2,
    });
    assert_eq!(
        damage(&then(WILD, hit)),
        Some(Violation::MisuseDamage(byte))
    );
}

#[test]
fn who_tolerates_misuse_may_take_it_but_not_suffer_from_it() {
    for answer in [done(), refused()] {
        let damaged = then(INTERIOR, walked(answer, walk(&AFTER)));
        assert_eq!(
            rule_of(found(&foreign(), &damaged)),
            Some(Rule::MisuseDamage)
        );
        assert_agrees(&foreign(), &then(INTERIOR, walked(answer, walk(&BEFORE))));
    }
}

#[test]
fn damage_is_laid_to_misuse_only_where_it_was_whole_before() {
    let hit = |answer| with(answer, |contents| contents.corrupted = Some((A0, 2)));
    let [first, (second, observation), third] = then(WILD, hit(refused()));
    assert_eq!(
        misused(&first_fit(), &[first, (second, hit(observation)), third]),
        None
    );
    // A walk from before an op that may change it is no evidence.
    let [first, second, third] = then(WILD, walked(refused(), walk(&AFTER)));
    let between = (alloc(8), placed(72));
    assert_eq!(
        misused(&first_fit(), &[first, second, between, third]),
        None
    );
    assert_eq!(
        misused(&first_fit(), &[first, second, (free(A0), done()), third]),
        None
    );
    let idle = (Op::Table, done());
    assert!(misused(&first_fit(), &[first, second, idle, third]).is_some());
}

#[test]
fn free_null_does_nothing() {
    for declaration in [published(), first_fit(), foreign()] {
        let changed = then(Op::FreeNull, walked(done(), walk(&AFTER)));
        assert_eq!(
            rule_of(misused(&declaration, &changed)),
            Some(Rule::MisuseDamage)
        );
        let refused = then(Op::FreeNull, refused());
        assert_eq!(
            rule_of(misused(&declaration, &refused)),
            Some(Rule::MisuseDamage)
        );
        assert_agrees(
            &declaration,
            &then(Op::FreeNull, walked(done(), walk(&BEFORE))),
        );
        let uncalled = Observation::of(Outcome::NotExpressible);
        assert_agrees(&declaration, &then(Op::FreeNull, uncalled));
    }
}

#[test]
fn nothing_is_judged_once_undefined_misuse_was_called() {
    let overlap = (alloc(24), placed(8));
    let stray = with(done(), |contents| contents.stray_store = Some(192));
    let write = Op::Write {
        handle: A1,
        offset: 20,
        length: 8,
    };
    for op in [WILD, INTERIOR, write] {
        let [first, second, third] = then(op, walked(done(), walk(&AFTER)));
        let steps = [first, second, third, overlap, (Op::Table, stray)];
        assert_agrees(&published(), &steps);
        let uncalled = (op, Observation::of(Outcome::NotExpressible));
        let steps = [first, second, uncalled, overlap];
        assert_eq!(rule_of(found(&published(), &steps)), Some(Rule::Overlap));
    }
}

#[test]
fn a_write_beyond_its_block_leaves_only_machine_rules() {
    let write = |length| Op::Write {
        handle: A1,
        offset: 16,
        length,
    };
    let overlap = (alloc(24), placed(8));
    for declaration in [first_fit(), foreign()] {
        let [first, second, third] = then(write(16), walked(done(), walk(&AFTER)));
        assert_agrees(&declaration, &[first, second, third, overlap]);
        let stray = with(done(), |contents| contents.stray_store = Some(192));
        let steps = [first, second, third, overlap, (Op::Table, stray)];
        assert_eq!(rule_of(found(&declaration, &steps)), Some(Rule::Fault));
        let [first, second, third] = then(write(8), done());
        let steps = [first, second, third, overlap];
        assert_eq!(rule_of(found(&declaration, &steps)), Some(Rule::Overlap));
    }
}
