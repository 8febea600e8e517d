//! A long random run against a model that knows only where the live chunks are.

use std::collections::BTreeMap;

use kmem::Kmem;

use crate::fixture::{Fixture, in_order};
use crate::xorshift::Random;

/// Ops a run.
const OPS: usize = if cfg!(miri) { 30 } else { 40_000 };

/// Live chunks: header offset -> chunk size. What lies between them is free.
struct Model {
    bytes: usize,
    live: BTreeMap<usize, usize>,
}

impl Model {
    /// The free gaps in address order, as (start, end).
    fn gaps(&self) -> Vec<(usize, usize)> {
        let starts = [0]
            .into_iter()
            .chain(self.live.iter().map(|(at, size)| at + size));
        let ends = self.live.keys().copied().chain([self.bytes]);
        starts
            .zip(ends)
            .filter(|(start, end)| start < end)
            .collect()
    }

    fn list(&self) -> String {
        let live = self.live.iter().map(|(&at, size)| (at, format!("T{size}")));
        let free = self
            .gaps()
            .into_iter()
            .map(|(at, end)| (at, format!("F{}", end - at)));
        in_order(live.chain(free))
    }

    fn chunk(size: usize) -> usize {
        size.max(1).div_ceil(8) * 8 + 8
    }

    /// All of a span if less than a chunk would remain of it.
    fn cut(need: usize, span: usize) -> usize {
        if span - need < 16 { span } else { need }
    }

    fn alloc(&mut self, size: usize, align: usize) -> Option<usize> {
        let need = Self::chunk(size);
        for (start, end) in self.gaps() {
            for at in (start..end).step_by(8) {
                let gap_fits = at == start || at >= start + 16;
                if gap_fits && (at + 8) % align == 0 && at + need <= end {
                    self.live.insert(at, Self::cut(need, end - at));
                    return Some(at + 8);
                }
            }
        }
        None
    }

    fn realloc(&mut self, block: usize, size: usize, align: usize) -> Option<usize> {
        let at = block - 8;
        let (need, old) = (Self::chunk(size), self.live[&at]);
        let gap = self.gaps().into_iter().find(|gap| gap.0 == at + old);
        let room = gap.map_or(old, |(start, end)| old + end - start);
        if need <= old {
            if old - need >= 16 {
                self.live.insert(at, need);
            }
            return Some(block);
        }
        if need <= room {
            self.live.insert(at, Self::cut(need, room));
            return Some(block);
        }
        let moved = self.alloc(size, align)?;
        self.live.remove(&at);
        Some(moved)
    }
}

struct Block {
    at: usize,
    size: usize,
    align: usize,
    fill: u8,
}

/// What a run met, to prove that it met everything.
#[derive(Default)]
struct Reach {
    null: usize,
    moved: usize,
    resized: usize,
    realloc_failed: usize,
    aligned: usize,
}

struct Run {
    heap: Fixture<Kmem>,
    model: Model,
    random: Random,
    /// Of the sizes drawn.
    bounds: [usize; 3],
    blocks: Vec<Block>,
    reach: Reach,
}

impl Run {
    fn step(&mut self, fill: u8) {
        match self.random.below(8) {
            0..=3 => self.alloc(fill),
            4..=5 if !self.blocks.is_empty() => self.realloc(),
            _ if !self.blocks.is_empty() => {
                let index = self.random.below(self.blocks.len());
                self.free(index);
            }
            _ => {}
        }
        assert_eq!(self.heap.list(), self.model.list());
        assert!(self.heap.heap.audit(), "{}", self.heap.list());
    }

    fn size(&mut self) -> usize {
        let bound = self.bounds[self.random.below(self.bounds.len())];
        self.random.below(bound)
    }

    fn alloc(&mut self, fill: u8) {
        let size = self.size();
        let align = 1 << self.random.below(9);
        let zeroed = self.random.below(4) == 0;
        let at = match (zeroed, align) {
            (false, 8) => self.heap.kmalloc(size),
            (true, 8) => self.heap.kzmalloc(size),
            (false, _) => self.heap.alloc(size, align),
            (true, _) => self.heap.alloc_zeroed(size, align),
        };
        assert_eq!(
            at,
            self.model.alloc(size, align.max(8)),
            "alloc {size} align {align}"
        );
        let Some(at) = at else {
            self.reach.null += 1;
            return;
        };
        self.reach.aligned += usize::from(align > 8);
        assert!(!zeroed || (0..size).all(|index| self.heap.arena.get(at + index) == 0));
        (0..size).for_each(|index| self.heap.arena.set(at + index, fill));
        self.blocks.push(Block {
            at,
            size,
            align,
            fill,
        });
    }

    fn realloc(&mut self) {
        let index = self.random.below(self.blocks.len());
        let size = self.size() + 1;
        let Block {
            at,
            size: old,
            align,
            fill,
        } = self.blocks[index];
        let moved = self.heap.realloc(at, (old, align), size);
        assert_eq!(
            moved,
            self.model.realloc(at, size, align.max(8)),
            "realloc {at} to {size}"
        );
        let Some(moved) = moved else {
            self.reach.realloc_failed += 1;
            return self.check(index);
        };
        *(if moved == at {
            &mut self.reach.resized
        } else {
            &mut self.reach.moved
        }) += 1;
        self.blocks[index] = Block {
            at: moved,
            size: old.min(size),
            align,
            fill,
        };
        self.check(index);
        self.blocks[index].size = size;
        (0..size).for_each(|index| self.heap.arena.set(moved + index, fill));
    }

    fn free(&mut self, index: usize) {
        self.check(index);
        let block = self.blocks.swap_remove(index);
        self.heap.kfree(block.at);
        self.model.live.remove(&(block.at - 8));
    }

    fn check(&self, index: usize) {
        let Block { at, size, fill, .. } = self.blocks[index];
        assert!(
            (0..size).all(|index| self.heap.arena.get(at + index) == fill),
            "block at {at}"
        );
    }
}

#[test]
fn places_as_the_model_does() {
    const SMALL: [usize; 3] = [20, 80, 300];
    // The last is over more than a thousand stretches of its side memory, and ends inside one.
    for (seed, bytes, ops, bounds) in [
        (1, 192, OPS, SMALL),
        (2, 1024, OPS, SMALL),
        (3, 4096, OPS, SMALL),
        (4, 65_536, OPS / 4, SMALL),
        (5, 1_100_008, OPS / 10, [300, 5_000, 60_000]),
    ] {
        let mut run = Run {
            heap: Fixture::filled(bytes, 0x5a),
            model: Model {
                bytes,
                live: BTreeMap::new(),
            },
            random: Random(seed),
            bounds,
            blocks: Vec::new(),
            reach: Reach::default(),
        };
        for op in 0..ops {
            run.step(op as u8);
        }
        while !run.blocks.is_empty() {
            run.free(0);
        }
        assert_eq!(run.heap.list(), format!("F{bytes}"));
        assert!(run.heap.guards_are_intact());
        let Reach {
            null,
            moved,
            resized,
            realloc_failed,
            aligned,
        } = run.reach;
        let least = null
            .min(moved)
            .min(resized)
            .min(realloc_failed)
            .min(aligned);
        assert!(
            cfg!(miri) || least > 100,
            "{null} {moved} {resized} {realloc_failed} {aligned}"
        );
    }
}
