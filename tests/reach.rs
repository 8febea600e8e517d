//! The generator reaches what allocators err in: every way to place and every way to merge, shown
//! on `kmem`'s own tables.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU32;

use harness::observation::Outcome;
use harness::op::Op;
use harness::trace::Trace;
use kmem_rig::generate::Limits;
use kmem_rig::hunt::draw;
use kmem_rig::in_process::InProcess;
use kmem_rig::run::{Run, RunOptions};

const HEADER: u64 = 8;
const CHUNK_MIN: u64 = 16;

/// A line of the printed table.
#[derive(Clone, Copy)]
struct Chunk {
    offset: u64,
    size: u64,
    taken: bool,
}

fn chunks(table: &str) -> Vec<Chunk> {
    let parse = |line: &str| {
        let words: Vec<_> = line.split_whitespace().collect();
        let offset = words[0].trim_end_matches(':').trim_start_matches("0x");
        Some(Chunk {
            offset: u64::from_str_radix(offset, 16).ok()?,
            size: words[3].parse().ok()?,
            taken: words[6] == "true",
        })
    };
    table.lines().map(|line| parse(line).unwrap()).collect()
}

/// How a request was placed into the chunks there were.
fn placement(before: &[Chunk], payload: u64, size: u64) -> Vec<&'static str> {
    let header = payload - HEADER;
    let inside = |c: &Chunk| !c.taken && (c.offset..c.offset + c.size).contains(&header);
    let Some(index) = before.iter().position(inside) else {
        return Vec::new();
    };
    let chunk = before[index];
    let need = HEADER + size.next_multiple_of(8).max(8);
    let (front, rest) = (
        header - chunk.offset,
        chunk.offset + chunk.size - header - need,
    );
    let earlier = before[..index].iter().any(|c| !c.taken);
    let fit = match rest {
        0 => "exact fit",
        CHUNK_MIN.. => "split",
        _ => "absorb",
    };
    let middle = earlier && index + 1 < before.len();
    let also = [
        (front > 0, "front gap"),
        (middle, "first fit in the middle"),
    ];
    also.into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, name)| name)
        .chain([fit])
        .collect()
}

/// Which neighbours a freed block was merged with.
fn merge(before: &[Chunk], payload: u64) -> Option<&'static str> {
    let index = before.iter().position(|c| c.offset + HEADER == payload)?;
    let free = |index: Option<usize>| index.and_then(|i| before.get(i)).is_some_and(|c| !c.taken);
    Some(match (free(index.checked_sub(1)), free(Some(index + 1))) {
        (true, true) => "merge both",
        (true, false) => "merge left",
        (false, true) => "merge right",
        (false, false) => "no merge",
    })
}

/// Counts what one run reached.
fn count(trace: &Trace, run: &Run, reached: &mut BTreeMap<&'static str, u32>) {
    let mut reach = |name| *reached.entry(name).or_default() += 1;
    let mut before = vec![Chunk {
        offset: 0,
        size: trace.geometry.bytes(),
        taken: false,
    }];
    // Each handle's block, as the subject last placed it.
    let mut blocks = Vec::new();
    let mut refused = false;
    for (index, (op, observation)) in trace.ops.iter().zip(&run.observations).enumerate() {
        let placed = match observation.outcome {
            Outcome::Placed(offset) => Some(offset as u64),
            _ => None,
        };
        match *op {
            Op::Alloc { size, .. } => {
                blocks.push(placed);
                let how = placed.map_or(Vec::new(), |at| placement(&before, at, size));
                how.into_iter().for_each(&mut reach);
                if refused && placed.is_some() {
                    reach("a block after a refusal");
                }
            }
            Op::Realloc { handle, .. } => {
                let block = &mut blocks[handle.0 as usize];
                match (*block, placed) {
                    (Some(old), Some(new)) if old == new => reach("realloc in place"),
                    (Some(_), Some(_)) => reach("realloc that moves"),
                    _ => {}
                }
                *block = placed.or(*block);
            }
            Op::Free { handle } if observation.outcome == Outcome::Done => {
                let block = blocks[handle.0 as usize].take();
                block
                    .and_then(|at| merge(&before, at))
                    .into_iter()
                    .for_each(&mut reach);
            }
            Op::FreeAll => blocks.fill(None),
            _ => {}
        }
        if observation.outcome == Outcome::Null {
            refused = true;
            reach("null");
        }
        let (at, table) = &run.tables[index];
        assert_eq!(*at, index);
        before = chunks(table);
    }
}

#[test]
fn every_way_to_place_and_to_merge_is_reached() {
    let entry = subjects::by_name("kmem").unwrap();
    let limits = Limits::of(&entry.declaration, 32);
    let options = RunOptions {
        tables: true,
        ..RunOptions::STRICT
    };
    let mut reached = BTreeMap::new();
    for case in 0..400 {
        let trace = draw(1, case, &limits);
        // Long traces print more than a transcript of tables holds, and add nothing here.
        if trace.ops.len() <= 34 {
            let run = InProcess::default().run(entry, &trace, options, &AtomicU32::new(0));
            let run = run.unwrap();
            count(&trace, &run, &mut reached);
        }
    }
    for name in [
        "split",
        "absorb",
        "exact fit",
        "front gap",
        "first fit in the middle",
        "no merge",
        "merge left",
        "merge right",
        "merge both",
        "realloc in place",
        "realloc that moves",
        "null",
        "a block after a refusal",
    ] {
        let times = reached.get(name).copied().unwrap_or(0);
        assert!(times >= 10, "{name} only {times} times in {reached:?}");
    }
}
