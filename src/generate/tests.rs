use super::*;
use crate::oracle::model::contract::{Contract, writes_beyond};
use harness::observation::Outcome;
use std::collections::BTreeSet;

/// Traces of a subject from a fixed seed.
fn drawn(name: &str, count: u64) -> impl Iterator<Item = Trace> {
    let limits = Limits::of(&subjects::by_name(name).unwrap().declaration, 32);
    (0..count).map(move |seed| {
        let mut bytes = [0; 2048];
        fastrand::Rng::with_seed(seed).fill(&mut bytes);
        trace(&mut Unstructured::new(&bytes), &limits).unwrap()
    })
}

#[test]
fn every_trace_keeps_its_promises() {
    for name in ["kmem", "page"] {
        for trace in drawn(name, 2000) {
            trace.check_invariants();
            let ops_max = 32 * cycles::OPS_FACTOR;
            assert!(!trace.ops.is_empty() && trace.ops.len() <= ops_max);
        }
    }
}

#[test]
fn some_traces_go_on_with_cycles() {
    let long = drawn("kmem", 2000).filter(|trace| trace.ops.len() > 34);
    let share = 2000 / long.count();
    assert!((32..128).contains(&share), "one in {share}");
}

#[test]
fn a_subject_with_needs_gets_heaps_that_meet_them() {
    let mut declaration = Declaration::new("needy");
    (
        declaration.region.bytes_min,
        declaration.region.bytes_multiple,
    ) = (1, 65_536);
    let geometries = Limits::of(&declaration, 32).geometries;
    let bytes: Vec<_> = geometries.iter().map(|g| g.bytes()).collect();
    assert_eq!(bytes, [65_536, 131_072, 196_608, 262_144]);
}

#[test]
fn every_contract_op_and_every_edge_is_reached() {
    let traces: Vec<_> = drawn("kmem", 2000).collect();
    let ops = || traces.iter().flat_map(|trace| &trace.ops);
    let kinds: BTreeSet<_> = ops().map(|op| op.kind().name()).collect();
    for kind in [
        "alloc",
        "alloc_zeroed",
        "realloc",
        "free",
        "free-all",
        "free-null",
        "table",
        "capacity",
    ] {
        assert!(kinds.contains(kind), "no {kind} among {kinds:?}");
    }
    let sizes: BTreeSet<_> = ops()
        .filter_map(|op| {
            if let Op::Alloc { size, .. } = op {
                Some(*size)
            } else {
                None
            }
        })
        .collect();
    for size in [
        0,
        1,
        7,
        8,
        9,
        16,
        4095,
        4096,
        4097,
        262_144,
        u64::MAX >> 1,
        u64::MAX,
    ] {
        assert!(sizes.contains(&size), "no alloc of {size}");
    }
    let geometries: BTreeSet<_> = traces.iter().map(|trace| trace.geometry).collect();
    let limits = Limits::of(&subjects::by_name("kmem").unwrap().declaration, 32);
    assert_eq!(geometries.len(), limits.geometries.len());
}

#[test]
fn the_misuse_lane_reaches_every_misuse_and_stays_inside_blocks() {
    let declaration = &subjects::by_name("kmem").unwrap().declaration;
    let limits = Limits {
        misuse: true,
        ..Limits::of(declaration, 32)
    };
    let mut kinds = BTreeSet::new();
    for seed in 0..500 {
        let mut bytes = [0; 2048];
        fastrand::Rng::with_seed(seed).fill(&mut bytes);
        let trace = trace(&mut Unstructured::new(&bytes), &limits).unwrap();
        trace.check_invariants();
        // Whichever reallocs are granted, and all allocs: writes stay inside.
        for grants in [true, false] {
            let mut contract = Contract::new(Geometry::largest());
            for op in &trace.ops {
                // What is larger than any heap is granted nowhere.
                let named = contract.named(op);
                let beyond = named.is_some() && writes_beyond(op, named.as_ref());
                assert!(!beyond, "{op:?} of\n{trace}");
                let outcome = match op {
                    Op::Alloc { .. } => Outcome::Placed(0),
                    Op::Realloc { .. } if grants => Outcome::Placed(0),
                    Op::Realloc { .. } => Outcome::Null,
                    _ => Outcome::Done,
                };
                contract.apply(op, outcome);
            }
        }
        let legal = trace.clone().without_misuse();
        kinds.extend(trace.ops.iter().map(|op| op.kind().name()));
        if legal.ops.len() < trace.ops.len() {
            kinds.insert("misuse");
        }
    }
    for kind in ["free-interior", "free-wild", "write", "misuse"] {
        assert!(kinds.contains(kind), "no {kind} among {kinds:?}");
    }
}

#[test]
fn small_sizes_dominate() {
    let (mut small, mut all) = (0, 0);
    for trace in drawn("kmem", 500) {
        for op in &trace.ops {
            if let Op::Alloc { size, .. } = op {
                small += usize::from(*size < 256);
                all += 1;
            }
        }
    }
    assert!(small * 2 > all, "{small} of {all}");
}
