//! Each planted defect shows against the clean allocator, in at most six ops, on 64 pages.

use kmem::{FirstFit, Kmem, PAGE_SIZE, defect};
use std::fmt::Write;

use crate::fixture::{Fixture, Heap, panic_of};

const HEAP_BYTES: usize = 64 * PAGE_SIZE;

#[derive(Clone, Copy)]
enum Op {
    Alloc(usize),
    Aligned(usize, usize),
    Zeroed(usize),
    Realloc(usize, usize),
    Free(usize),
}
use Op::{Aligned, Alloc, Free, Realloc, Zeroed};

/// A short sequence that reaches the defect; blocks are numbered in the order of their allocation.
fn sequence(id: u8) -> &'static [Op] {
    match id {
        defect::OFF_BY_8_SPLIT => &[Alloc(24)],
        defect::MISSING_MERGE => &[Alloc(8), Alloc(8), Alloc(8), Free(0), Free(1)],
        defect::ALIGNMENT_IGNORED => &[Aligned(8, 64)],
        defect::NOT_ZEROED => &[Alloc(24), Free(0), Zeroed(24)],
        defect::REALLOC_COPIES_TOO_LITTLE => &[Alloc(24), Alloc(8), Realloc(0, 64)],
        defect::WRONG_REMAINDER_TEST => &[Alloc(24), Alloc(8), Free(0), Alloc(8)],
        defect::HEADER_OVERWRITTEN => &[Zeroed(24)],
        defect::PANIC => &[Alloc(24), Alloc(8), Free(0), Alloc(24)],
        defect::ENDLESS_LOOP => &[Alloc(8), Alloc(8), Free(0), Free(1)],
        defect::STORE_OUTSIDE => &[Alloc(HEAP_BYTES - 8), Free(0)],
        _ => panic!("no sequence for defect {id}"),
    }
}

/// Everything that a client and the table show, op by op.
fn observe<H: Heap>(ops: &[Op]) -> String {
    let mut heap = Fixture::<H>::new(HEAP_BYTES);
    let mut blocks: Vec<(usize, usize)> = Vec::new();
    let mut seen = String::new();
    for &op in ops {
        let block = match op {
            Alloc(size) => heap.kmalloc(size).map(|at| (at, size)),
            Aligned(size, align) => heap.alloc(size, align).map(|at| (at, size)),
            Zeroed(size) => heap.kzmalloc(size).map(|at| (at, size)),
            Realloc(index, size) => {
                let (at, old) = blocks[index];
                heap.realloc(at, (old, 8), size).map(|at| (at, size))
            }
            Free(index) => {
                heap.kfree(blocks[index].0);
                None
            }
        };
        write!(seen, "{block:?} {}", heap.list()).unwrap();
        if let Some((at, size)) = block {
            let sum: usize = (0..size.min(64))
                .map(|index| heap.arena.get(at + index) as usize)
                .sum();
            write!(seen, " {sum}").unwrap();
            (0..size.min(64)).for_each(|index| heap.arena.set(at + index, 1));
            blocks.push((at, size));
        }
        writeln!(seen, " {}", heap.guards_are_intact()).unwrap();
    }
    seen
}

/// The observation of a mutant; the planted panic is one as well, and no other.
fn observe_defect(id: u8, ops: &[Op]) -> String {
    match id {
        defect::OFF_BY_8_SPLIT => observe::<FirstFit<{ defect::OFF_BY_8_SPLIT }>>(ops),
        defect::MISSING_MERGE => observe::<FirstFit<{ defect::MISSING_MERGE }>>(ops),
        defect::ALIGNMENT_IGNORED => observe::<FirstFit<{ defect::ALIGNMENT_IGNORED }>>(ops),
        defect::NOT_ZEROED => observe::<FirstFit<{ defect::NOT_ZEROED }>>(ops),
        defect::REALLOC_COPIES_TOO_LITTLE => {
            observe::<FirstFit<{ defect::REALLOC_COPIES_TOO_LITTLE }>>(ops)
        }
        defect::WRONG_REMAINDER_TEST => observe::<FirstFit<{ defect::WRONG_REMAINDER_TEST }>>(ops),
        defect::HEADER_OVERWRITTEN => observe::<FirstFit<{ defect::HEADER_OVERWRITTEN }>>(ops),
        defect::PANIC => {
            let message = panic_of(|| _ = observe::<FirstFit<{ defect::PANIC }>>(ops));
            assert!(message.starts_with("planted defect: "), "{message}");
            message
        }
        defect::STORE_OUTSIDE => observe::<FirstFit<{ defect::STORE_OUTSIDE }>>(ops),
        // Watched in `endless`.
        defect::ENDLESS_LOOP => String::from("never returns"),
        _ => observe::<FirstFit<{ defect::NONE }>>(ops),
    }
}

#[test]
fn each_differs_from_the_clean_allocator() {
    for &(id, name) in defect::ALL {
        let ops = sequence(id);
        assert!(ops.len() <= 6, "{name}");
        let clean = observe::<Kmem>(ops);
        assert!(
            !clean.contains("false"),
            "{name}: the clean allocator stores outside"
        );
        assert_ne!(observe_defect(id, ops), clean, "{name}");
    }
}

#[test]
fn none_is_the_clean_allocator() {
    for &(id, name) in defect::ALL {
        let ops = sequence(id);
        assert_eq!(
            observe_defect(defect::NONE, ops),
            observe::<Kmem>(ops),
            "{name}"
        );
    }
}

#[test]
fn every_defect_has_its_own_id_and_name() {
    let all = [
        defect::ALL,
        defect::HEAP_MUTANTS,
        defect::PAGE_MUTANTS,
        defect::SIDE_MUTANTS,
        defect::SLOW_MUTANTS,
    ]
    .concat();
    for (index, &(id, name)) in all.iter().enumerate() {
        assert_eq!(usize::from(id), index + 1);
        assert!(
            name.bytes()
                .all(|byte| byte == b'-' || byte.is_ascii_alphanumeric())
        );
        assert!(all[..index].iter().all(|&(_, other)| other != name));
        assert_eq!(defect::name_of(id), Some(name));
    }
}
