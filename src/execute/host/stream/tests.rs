//! Streamed runs against ordinary ones, and what only a long run has: slots that are named anew.

use std::collections::HashSet;

use arbitrary::Unstructured;
use harness::geometry::Geometry;
use harness::heap::Strength;
use harness::op::{Align, Handle, Op};
use harness::stream::BLOCKS_MAX;
use harness::trace::{OPS_MAX, Trace};

use crate::execute::host::Host;
use crate::generate::{self, Limits};
use crate::oracle::judge::{Finding, Verdict, judge};
use crate::oracle::rules::{Rule, Rules};
use crate::oracle::violation::Violation;
use crate::run::RunOptions;
use crate::subject::registry;
use crate::trace::long::LongTrace;

fn host() -> Host {
    let mut host = Host::new().unwrap();
    host.confirm_hangs(false);
    host
}

fn stream(host: &mut Host, subject: &str, geometry: Geometry, ops: Vec<Op>) -> Verdict {
    let entry = registry::by_name(subject).unwrap();
    let trace = LongTrace::of_ops(geometry, ops);
    host.stream(entry, &trace, Rules::ALL).unwrap()
}

#[test]
fn a_streamed_run_is_judged_as_an_ordinary_one() {
    let mut host = host();
    let mut random = fastrand::Rng::with_seed(1);
    let mut rules = HashSet::new();
    for subject in [
        "kmem",
        "kmem-hardened",
        "kmem-2019",
        "page",
        "page-2019",
        "talc",
        "buddy-system",
        "panic",
        "endless-loop",
        "store-outside",
        "not-zeroed",
        "double-free-accepted",
        "move-leaks",
    ] {
        let entry = registry::by_name(subject).unwrap();
        let limits = Limits {
            misuse: true,
            ..Limits::of(&entry.declaration, 60)
        };
        for case in 0..40 {
            let bytes: Vec<u8> = std::iter::repeat_with(|| random.u8(..))
                .take(4000)
                .collect();
            let trace = generate::trace(&mut Unstructured::new(&bytes), &limits).unwrap();
            let fast = RunOptions {
                strength: Strength::Fast,
                ..RunOptions::STRICT
            };
            let run = host.run(entry, &trace, fast).unwrap();
            let fresh = host.capacity_for(entry, &trace).unwrap();
            let expected = judge(&entry.declaration, &trace, &run, Rules::ALL, fresh);
            let streamed = stream(&mut host, subject, trace.geometry, trace.ops.clone());
            let key = |verdict: &Verdict| verdict.finding().map(|f| (f.rule(), f.op, f.kind));
            assert_eq!(
                key(&streamed),
                key(&expected),
                "{subject}, case {case}: {trace}"
            );
            rules.extend(expected.finding().map(|finding| finding.rule()));
        }
    }
    for rule in [
        Rule::Panic,
        Rule::Fault,
        Rule::Hang,
        Rule::NotZeroed,
        Rule::Unmerged,
    ] {
        assert!(rules.contains(&rule), "{rule} among {rules:?}");
    }
}

/// So many allocs, of which `live` blocks are live at a time; others are resized now and then.
fn long(allocs: u32, live: usize) -> Vec<Op> {
    let mut random = fastrand::Rng::with_seed(7);
    let mut ops = Vec::new();
    let mut blocks = Vec::new();
    for handle in (0..allocs).map(Handle) {
        ops.push(Op::Alloc {
            size: random.u64(1..120),
            align: Align::from_exponent(random.u8(0..7)),
            zeroed: random.u8(..) < 30,
        });
        blocks.push(handle);
        if blocks.len() > live {
            let handle = blocks.swap_remove(random.usize(..blocks.len()));
            ops.push(Op::Free { handle });
        }
        if random.u8(..) < 40 {
            ops.push(Op::Realloc {
                handle: blocks[random.usize(..blocks.len())],
                size: random.u64(1..200),
            });
        }
    }
    ops
}

const HEAP: Geometry = Geometry::from_pages(256).unwrap();

#[test]
fn more_blocks_than_slots_are_told_apart() {
    let mut host = host();
    let ops = long(100_000, 300);
    assert!(ops.len() > 2 * OPS_MAX);
    for subject in ["kmem", "talc"] {
        assert_eq!(
            stream(&mut host, subject, HEAP, ops.clone()),
            Verdict::Agree
        );
    }
}

#[test]
fn a_block_is_known_by_its_own_name_behind_many_others() {
    let mut host = host();
    let mut ops = long(60_000, 50);
    // The client reads its block back; a move that left the contents behind shows.
    let handle = Handle(60_000);
    ops.extend([
        Op::Alloc {
            size: 64,
            align: None,
            zeroed: false,
        },
        Op::Alloc {
            size: 64,
            align: None,
            zeroed: false,
        },
        Op::Realloc { handle, size: 4096 },
    ]);
    let verdict = stream(&mut host, "move-copies-nothing", HEAP, ops.clone());
    // The first move of the long trace shows the defect already.
    let first = verdict.finding().unwrap().op;
    assert!(first < 1000, "{first}");
    let no_moves = ops.len() - 3;
    let mut late: Vec<Op> = ops[..no_moves].to_vec();
    late.retain(|op| !matches!(op, Op::Realloc { .. }));
    let at = late.len() + 2;
    late.extend(&ops[no_moves..]);
    let verdict = stream(&mut host, "move-copies-nothing", HEAP, late);
    let Some(Finding { violation, op, .. }) = verdict.finding() else {
        panic!("{verdict:?}");
    };
    let is_of_block =
        matches!(violation, Violation::ReallocLostContents { handle: h, .. } if *h == handle);
    assert!(is_of_block && *op == at, "{verdict:?}");
}

#[test]
fn a_double_free_of_a_block_that_died_long_ago_is_judged() {
    let mut host = host();
    let mut ops = vec![
        Op::Alloc {
            size: 8,
            align: None,
            zeroed: false,
        },
        Op::Free { handle: Handle(0) },
    ];
    let shifted = long(70_000, 20).into_iter().map(|op| {
        op.handle()
            .map_or(op, |Handle(handle)| op.with_handle(Handle(handle + 1)))
    });
    ops.extend(shifted);
    ops.extend([Op::FreeAll, Op::Free { handle: Handle(0) }]);
    let last = ops.len() - 1;
    assert_eq!(stream(&mut host, "kmem", HEAP, ops.clone()), Verdict::Agree);
    let verdict = stream(&mut host, "double-free-accepted", HEAP, ops);
    let finding = verdict.finding().unwrap();
    assert_eq!((finding.rule(), finding.op), (Rule::MisuseAccepted, last));
}

#[test]
fn a_panic_on_what_a_client_has_overwritten_is_excused_where_it_is_declared() {
    let alloc = Op::Alloc {
        size: 24,
        align: None,
        zeroed: false,
    };
    let write = Op::Write {
        handle: Handle(0),
        offset: 40,
        length: 8,
    };
    let mut host = host();
    let ops = vec![alloc, write, alloc];
    assert_eq!(
        stream(&mut host, "kmem-poisoned", HEAP, ops),
        Verdict::Agree
    );
    // `panic` panics at an exact fit, for no such reason.
    let ops = vec![alloc, alloc, Op::Free { handle: Handle(0) }, alloc];
    let verdict = stream(&mut host, "panic", HEAP, ops);
    assert_eq!(verdict.finding().unwrap().rule(), Rule::Panic);
}

#[test]
fn what_does_not_fit_is_told() {
    let mut host = host();
    let alloc = Op::Alloc {
        size: 1,
        align: None,
        zeroed: false,
    };
    let entry = registry::by_name("talc").unwrap();
    let trace = LongTrace::of_ops(HEAP, vec![alloc; BLOCKS_MAX + 1]);
    let error = host.stream(entry, &trace, Rules::ALL).unwrap_err();
    assert!(
        error.to_string().contains("28673 blocks at a time"),
        "{error}"
    );
    let trace = Trace::new(Geometry::from_bytes(192).unwrap());
    let trace = LongTrace::of_ops(trace.geometry, vec![alloc]);
    let page = registry::by_name("page").unwrap();
    assert!(host.stream(page, &trace, Rules::ALL).is_err());
}
