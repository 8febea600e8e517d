//! How runs end: panics, faults, hangs, and records that are not complete.

use super::*;
use crate::oracle::judge::{Verdict, judge};
use crate::run::fault::{Fault, Panic, Place};
use crate::run::{Run, RunEnd};
use harness::op::OpKind;
use harness::trace::Trace;

const ALLOC: Op = Op::Alloc {
    size: 24,
    align: None,
    zeroed: false,
};

fn verdict_by(
    rules: Rules,
    declaration: &Declaration,
    ops: &[Op],
    observations: &[Observation],
    end: RunEnd,
) -> Verdict {
    let geometry = Geometry::from_bytes(HEAP_BYTES).expect("it is a heap's size");
    let trace = Trace {
        geometry,
        ops: ops.to_vec(),
    };
    let run = Run {
        observations: observations.to_vec(),
        tables: Vec::new(),
        end,
    };
    judge(declaration, &trace, &run, rules, FRESH)
}

fn verdict(ops: &[Op], observations: &[Observation], end: RunEnd) -> Verdict {
    verdict_by(Rules::MACHINE, &published(), ops, observations, end)
}

/// The parts of a finding that regressions speak of.
fn told(verdict: &Verdict) -> (&str, Rule, usize) {
    let finding = verdict.finding().expect("a finding");
    (verdict.name(), finding.rule(), finding.op)
}

fn observed(verdict: &Verdict) -> String {
    let finding = verdict.finding().expect("a finding");
    Words::of(&finding.violation, 1).observed
}

fn signal() -> Fault {
    Fault::Signal {
        number: 11,
        at: Some(Place::Heap(200)),
        source: None,
    }
}

#[test]
fn a_run_that_went_through_agrees() {
    let agreed = verdict(&[ALLOC], &[placed(8)], RunEnd::Completed);
    assert_eq!((agreed.name(), agreed.finding()), ("agree", None));
    assert_eq!(verdict(&[], &[], RunEnd::Completed), Verdict::Agree);
}

#[test]
fn a_broken_rule_diverges() {
    let ops = [ALLOC, ALLOC];
    let observations = [placed(8), placed(8)];
    let diverged = verdict_by(
        Rules::ALL,
        &published(),
        &ops,
        &observations,
        RunEnd::Completed,
    );
    assert_eq!(diverged.name(), "diverge");
    assert_eq!(
        diverged.finding().map(|found| (found.rule(), found.op)),
        Some((Rule::Overlap, 1))
    );
}

#[test]
fn panic() {
    let panicked = RunEnd::Panicked(Panic::saying("out of\n  memory"));
    let crashed = verdict(&[ALLOC, Op::FreeAll], &[placed(8)], panicked);
    assert_eq!(told(&crashed), ("crash", Rule::Panic, 1));
    assert_eq!(observed(&crashed), "out of memory");
    assert_eq!(
        crashed.finding().map(|found| found.kind),
        Some(OpKind::FreeAll)
    );
}

#[test]
fn fault() {
    let faulted = || RunEnd::Faulted(signal());
    let crashed = verdict(&[ALLOC], &[], faulted());
    assert_eq!(told(&crashed), ("crash", Rule::Fault, 0));
    assert_eq!(observed(&crashed), "SIGSEGV at heap+0xc8");
    // Behind the last op it is laid to that one, and without any op to the first that could be.
    let crashed = verdict(&[ALLOC], &[placed(8)], faulted());
    assert_eq!(told(&crashed).2, 0);
    assert_eq!(told(&verdict(&[], &[], faulted())).2, 0);
    let stray = with(placed(8), |contents| contents.stray_store = Some(200));
    let crashed = verdict(&[ALLOC], &[stray], RunEnd::Completed);
    assert_eq!(told(&crashed), ("crash", Rule::Fault, 0));
    let store = "a store at 0xc8, behind the heap's end";
    assert_eq!(observed(&crashed), store);
}

#[test]
fn hang() {
    let hung = verdict(&[ALLOC, ALLOC], &[placed(8)], RunEnd::Hung);
    assert_eq!(told(&hung), ("hang", Rule::Hang, 1));
}

/// Of ops that come one by one, as of those of a trace.
#[test]
fn an_end_is_laid_to_the_op_that_was_begun_or_else_to_the_last() {
    let ended = |culprit: Option<Op>, end| {
        let geometry = Geometry::from_bytes(HEAP_BYTES).expect("it is a heap's size");
        let mut judge = Judge::new(&published(), geometry, Rules::MACHINE, FRESH);
        assert_eq!(judge.step(&ALLOC, &placed(8)), None);
        let finding = judge.end_behind(3, culprit.as_ref(), Some(&ALLOC), &end);
        finding.map(|finding| (finding.rule(), finding.op, finding.kind))
    };
    let in_free = |end| ended(Some(Op::FreeAll), end);
    assert_eq!(
        in_free(RunEnd::Hung),
        Some((Rule::Hang, 1, OpKind::FreeAll))
    );
    let (first, fault) = (OpKind::Alloc, Rule::Fault);
    assert_eq!(ended(None, RunEnd::Hung), Some((Rule::Hang, 0, first)));
    assert_eq!(
        in_free(RunEnd::Completed),
        Some((fault, 1, OpKind::FreeAll))
    );
    assert_eq!(ended(None, RunEnd::Completed), Some((fault, 0, first)));
}

#[test]
fn an_incomplete_record_never_agrees() {
    let ops = [ALLOC, ALLOC];
    for (end, observations) in [
        (RunEnd::Completed, &[placed(8)][..]),
        (RunEnd::Completed, &[]),
        (RunEnd::Lost, &[]),
        (RunEnd::Lost, &[placed(8)]),
        (RunEnd::Lost, &[placed(8), placed(40)]),
    ] {
        let crashed = verdict(&ops, observations, end);
        let (name, rule, _) = told(&crashed);
        assert_eq!((name, rule), ("crash", Rule::Fault));
        let expected = format!("no complete record: {} of 2 ops", observations.len());
        assert_eq!(observed(&crashed), expected);
    }
    let surplus = verdict(
        &ops,
        &[placed(8), placed(40), placed(72)],
        RunEnd::Completed,
    );
    assert_eq!(told(&surplus), ("crash", Rule::Fault, 1));
    assert_eq!(observed(&surplus), "one of 3");
}

#[test]
fn an_answer_to_another_op_is_no_record() {
    for (op, answer) in [
        (ALLOC, Outcome::Done),
        (ALLOC, Outcome::Capacity(8)),
        (Op::FreeAll, Outcome::Placed(8)),
        (Op::Capacity, Outcome::Done),
        (Op::Table, Outcome::Capacity(8)),
    ] {
        let steps = [(op, Observation::of(answer))];
        let finding = found_by(Rules::MACHINE, &published(), &steps).expect("a finding");
        assert_eq!(finding.rule(), Rule::Fault, "{op:?} {answer:?}");
    }
    let dead = [(ALLOC, null()), (realloc(A0, 8), placed(8))];
    assert_eq!(found(&foreign(), &dead).map(|found| found.op), Some(1));
}

#[test]
fn a_loss_is_explained_by_the_last_observation() {
    let broken = WalkDigest {
        broken_at: Some(0),
        ..walk(&[])
    };
    let causes = [
        (placed(-8), Rule::OutOfBounds),
        (placed(176), Rule::OutOfBounds),
        (walked(placed(8), broken), Rule::BrokenTable),
    ];
    for (cause, rule) in causes {
        let lost = |rules, observations: &[Observation]| {
            let ops = [ALLOC, ALLOC, ALLOC];
            verdict_by(rules, &published(), &ops, observations, RunEnd::Lost)
        };
        let found = lost(Rules::ALL, &[cause])
            .finding()
            .map(|finding| finding.rule());
        assert_eq!(found, Some(rule));
        assert_eq!(lost(Rules::MACHINE, &[cause]), Verdict::Agree);
        // What an earlier observation showed does not explain an end after a later one.
        assert_eq!(lost(Rules::MACHINE, &[cause, placed(40)]).name(), "crash");
    }
}

#[test]
fn a_panic_behind_a_write_beyond_a_block_is_what_a_hardened_heap_is_there_for() {
    let write = |offset| Op::Write {
        handle: Handle(0),
        offset,
        length: 8,
    };
    let end_of = |declaration: &Declaration, write, end| {
        let observations = [placed(8), done()];
        let verdict = verdict_by(
            Rules::ALL,
            declaration,
            &[ALLOC, write, ALLOC],
            &observations,
            end,
        );
        verdict
            .finding()
            .map(|finding| (finding.rule(), finding.op))
    };
    let panicked = || RunEnd::Panicked(Panic::saying("the free bytes were written to"));
    let hardened = declared("kmem-hardened");
    assert_eq!(end_of(&hardened, write(24), panicked()), None);
    // Nothing else is excused: no panic after a legal write, no other end, no other subject.
    let panic = Some((Rule::Panic, 2));
    assert_eq!(end_of(&hardened, write(16), panicked()), panic);
    assert_eq!(end_of(&first_fit(), write(24), panicked()), panic);
    let hang = Some((Rule::Hang, 2));
    assert_eq!(end_of(&hardened, write(24), RunEnd::Hung), hang);
}

#[test]
fn the_end_of_undefined_misuse_is_not_judged() {
    let ops = [ALLOC, Op::FreeWild { offset: 3 }, ALLOC];
    let ends = [
        RunEnd::Panicked(Panic::saying("free of a free page")),
        RunEnd::Faulted(signal()),
        RunEnd::Hung,
    ];
    for end in ends {
        for (observations, at) in [(&[placed(8)][..], 1), (&[placed(8), done()], 2)] {
            let undefined = verdict_by(Rules::ALL, &published(), &ops, observations, end.clone());
            assert_eq!(undefined, Verdict::Agree);
            let tolerant = verdict_by(Rules::ALL, &foreign(), &ops, observations, end.clone());
            assert_eq!(tolerant.finding().map(|finding| finding.op), Some(at));
        }
        // Not called: then the end is the subject's own.
        let uncalled = [placed(8), Observation::of(Outcome::NotExpressible)];
        let judged = verdict_by(Rules::ALL, &published(), &ops, &uncalled, end);
        assert_eq!(judged.finding().map(|finding| finding.op), Some(2));
    }
    // A record that breaks off is nobody's promise.
    let short = [placed(8), done()];
    let judged = verdict_by(Rules::ALL, &published(), &ops, &short, RunEnd::Completed);
    assert_eq!(judged.name(), "crash");
}
