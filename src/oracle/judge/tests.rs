//! Every rule on hand-made observations: one in which it fires, one in which it must not.

mod contract;
mod ends;
mod foreign;
mod lists;
mod misuse;
mod naive;
mod precedence;

use harness::declaration::{Declaration, Misuse};
use harness::geometry::Geometry;
use harness::observation::{Contents, Observation, Outcome, WalkDigest};
use harness::op::{Align, Handle, Op};
use harness::subject::Chunk;
use harness::table::ChunkHash;

use super::{Finding, Judge};
use crate::oracle::rules::{Rule, Rules};
use crate::wording::Words;

const A0: Handle = Handle(0);
const A1: Handle = Handle(1);
const HEAP_BYTES: u64 = 192;
/// What a fresh heap of that size grants.
const FRESH: u64 = 184;

type Step = (Op, Observation);

/// What a subject of ours declares.
fn declared(name: &str) -> Declaration {
    subjects::by_name(name).expect("it is ours").declaration
}

/// Contract and structure alone, with a known overhead; promises nothing about misuse.
fn published() -> Declaration {
    declared("kmem-2019")
}

/// Answers for every set, and refuses misuse.
fn first_fit() -> Declaration {
    declared("kmem")
}

/// Somebody else's allocator, which tolerates misuse.
fn foreign() -> Declaration {
    let mut declaration = published().misuse(Misuse::Tolerates);
    declaration.overhead = None;
    declaration
}

fn alloc(size: u64) -> Op {
    Op::Alloc {
        size,
        align: None,
        zeroed: false,
    }
}

fn alloc_aligned(size: u64, align: u64) -> Op {
    let align = Align::from_bytes(align);
    assert!(align.is_some());
    Op::Alloc {
        size,
        align,
        zeroed: false,
    }
}

fn alloc_zeroed(size: u64) -> Op {
    Op::Alloc {
        size,
        align: None,
        zeroed: true,
    }
}

fn realloc(handle: Handle, size: u64) -> Op {
    Op::Realloc { handle, size }
}

fn free(handle: Handle) -> Op {
    Op::Free { handle }
}

fn placed(at: i64) -> Observation {
    Observation::of(Outcome::Placed(at))
}

fn null() -> Observation {
    Observation::of(Outcome::Null)
}

fn done() -> Observation {
    Observation::of(Outcome::Done)
}

fn refused() -> Observation {
    Observation::of(Outcome::Refused)
}

fn with(observation: Observation, change: impl FnOnce(&mut Contents)) -> Observation {
    let mut observation = observation;
    change(&mut observation.contents);
    observation
}

/// The digest of a sound walk over chunks of these sizes, taken or not.
fn walk(chunks: &[(u64, bool)]) -> WalkDigest {
    walk_from(0, chunks)
}

/// The same, where the first chunk starts at this offset.
fn walk_from(start: u64, chunks: &[(u64, bool)]) -> WalkDigest {
    let hash = chunks
        .iter()
        .fold(
            (ChunkHash::EMPTY, start),
            |(hash, offset), &(size, taken)| {
                let chunk = Chunk {
                    offset,
                    size,
                    taken,
                };
                (hash.with(chunk), offset + size)
            },
        )
        .0;
    WalkDigest {
        broken_at: None,
        unmerged_at: None,
        chunks: chunks.len() as u32,
        hash: hash.value(),
    }
}

fn walked(observation: Observation, walk: WalkDigest) -> Observation {
    Observation {
        walk: Some(walk),
        ..observation
    }
}

/// What a judge of these rules finds in a heap of [`HEAP_BYTES`].
fn found_by(rules: Rules, declaration: &Declaration, steps: &[Step]) -> Option<Finding> {
    let geometry = Geometry::from_bytes(HEAP_BYTES).expect("it is a heap's size");
    let mut judge = Judge::new(declaration, geometry, rules, FRESH);
    let finding = steps
        .iter()
        .find_map(|(op, observation)| judge.step(op, observation));
    if let Some(finding) = &finding {
        assert_eq!(finding.kind, steps[finding.op].0.kind());
    }
    finding
}

fn found(declaration: &Declaration, steps: &[Step]) -> Option<Finding> {
    found_by(Rules::ALL, declaration, steps)
}

/// The last step breaks the rule, with this evidence.
#[track_caller]
fn assert_breaks(
    declaration: &Declaration,
    steps: &[Step],
    rule: Rule,
    expected: &str,
    observed: &str,
) {
    let finding = found(declaration, steps).expect("a finding");
    assert_eq!((finding.rule(), finding.op), (rule, steps.len() - 1));
    let words = Words::of(&finding.violation, declaration.unit);
    assert_eq!([&*words.expected, &*words.observed], [expected, observed]);
}

#[track_caller]
fn assert_agrees(declaration: &Declaration, steps: &[Step]) {
    assert_eq!(found(declaration, steps), None);
}
