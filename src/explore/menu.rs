//! What can be asked of a heap: every contract op, by the few numbers that tell one from another.
//!
//! **Sizes.** One of each class that the granularity of the subject's bookkeeping makes: every
//! multiple of it up to the heap's size, of which the largest never fit. A subject that rounds
//! sizes up cannot tell the others from these (that it does round them so is checked by the same
//! search with [`Sizes::Every`] on a smaller heap); the largest of each class is asked for, so
//! that contents are checked up to the last byte. Beyond the heap: the sizes where rounding up, or
//! adding a header, overflows, or the sign changes. 0, where the subject takes it.
//!
//! **Ops.** `alloc` and `alloc_zeroed` with each alignment, `realloc` and `free` of each live
//! block, `free null`, `table`, and on the empty heap `capacity`. `free all` is left out: it is
//! a sequence of frees.

use harness::declaration::Declaration;
use harness::geometry::Geometry;
use harness::op::{Align, Handle, Op};

use crate::oracle::model::contract::Block;

/// Which sizes are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sizes {
    /// One of each class of sizes that the subject's bookkeeping cannot tell apart.
    Classes,
    /// Every number of bytes.
    Every,
}

/// One op of the menu, as a number that fits into shared memory: kind, handle, choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Step(u32);

const KIND_BITS: u32 = 3;
const HANDLE_BITS: u32 = 13;
/// The most handles of a path.
pub const HANDLES_MAX: u32 = 1 << HANDLE_BITS;

impl Step {
    const ALLOC: u32 = 0;
    const ALLOC_ZEROED: u32 = 1;
    const REALLOC: u32 = 2;
    const FREE: u32 = 3;
    const FREE_NULL: u32 = 4;
    const TABLE: u32 = 5;
    const CAPACITY: u32 = 6;

    const fn new(kind: u32, handle: u32, choice: u32) -> Self {
        Self(kind | handle << KIND_BITS | choice << (KIND_BITS + HANDLE_BITS))
    }

    /// As a number.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }

    /// From its number.
    #[must_use]
    pub const fn from_bits(bits: u32) -> Self {
        Self(bits)
    }

    const fn kind(self) -> u32 {
        self.0 & ((1 << KIND_BITS) - 1)
    }

    const fn handle(self) -> Handle {
        Handle(self.0 >> KIND_BITS & (HANDLES_MAX - 1))
    }

    const fn choice(self) -> usize {
        (self.0 >> (KIND_BITS + HANDLE_BITS)) as usize
    }

    /// Whether the other asks for the same, of whatever block.
    fn repeats(self, other: Self) -> bool {
        (self.kind(), self.choice()) == (other.kind(), other.choice())
    }
}

/// The ops to choose from.
#[derive(Clone, Debug)]
pub struct Menu {
    /// Sizes to resize to, largest first.
    sizes: Vec<u64>,
    /// What is asked of `alloc`, the largest size first.
    requests: Vec<(u64, Option<Align>)>,
    native: bool,
    /// Requests that are not made.
    left_out: Vec<Step>,
    /// Kinds of steps that are not taken.
    kinds_left_out: Vec<u32>,
}

impl Menu {
    /// What can be asked of a heap of this geometry. An alignment of 8 is asked for without saying
    /// so: through the native entry where there is one.
    #[must_use]
    pub fn new(
        declaration: &Declaration,
        geometry: Geometry,
        sizes: Sizes,
        aligns: &[Align],
        granularity: u64,
    ) -> Self {
        const OVERFLOWING: [u64; 3] = [u64::MAX, u64::MAX - 14, i64::MAX.cast_unsigned() - 7];
        let native = declaration.native;
        // The native entry alone takes what no `Layout` can say.
        let huge = OVERFLOWING
            .into_iter()
            .filter(|&size| native || size <= i64::MAX as u64);
        let step = if sizes == Sizes::Every {
            1
        } else {
            granularity
        };
        let inside = (1..=geometry.bytes() / step)
            .rev()
            .map(|count| count * step);
        let zero = native.then_some(0);
        let asked: Vec<u64> = huge.chain(inside).chain(zero).collect();
        let request = |&size: &u64| {
            aligns
                .iter()
                .map(move |&align| (size, (align != Align::DEFAULT).then_some(align)))
        };
        let resizable = |size: &u64| (1..=i64::MAX.cast_unsigned()).contains(size);
        Self {
            requests: asked.iter().flat_map(request).collect(),
            sizes: asked.iter().copied().filter(resizable).collect(),
            native,
            left_out: Vec::new(),
            kinds_left_out: Vec::new(),
        }
    }

    /// No longer offers a request; whether it was offered so far.
    pub fn leave_out(&mut self, step: Step) -> bool {
        let new = !self.is_left_out(step);
        self.left_out.push(step);
        new
    }

    /// No longer offers any call of this kind; whether this one was offered so far.
    pub fn leave_out_kind(&mut self, step: Step) -> bool {
        let new = !self.is_left_out(step);
        self.kinds_left_out.push(step.kind());
        new
    }

    fn is_left_out(&self, step: Step) -> bool {
        self.kinds_left_out.contains(&step.kind())
            || self.left_out.iter().any(|other| other.repeats(step))
    }

    /// Whether something is no longer offered.
    #[must_use]
    pub const fn leaves_out(&self) -> bool {
        !self.left_out.is_empty() || !self.kinds_left_out.is_empty()
    }

    /// Every step that can be taken where these blocks are live; first a look at the table, which
    /// changes nothing.
    pub fn steps(&self, live: &[Block], steps: &mut Vec<Step>) {
        steps.clear();
        steps.push(Step::new(Step::TABLE, 0, 0));
        let requests = 0..self.requests.len() as u32;
        steps.extend(
            requests
                .clone()
                .map(|choice| Step::new(Step::ALLOC, 0, choice)),
        );
        for block in live {
            steps.push(Step::new(Step::FREE, block.handle.0, 0));
            let sizes = 0..self.sizes.len() as u32;
            steps.extend(sizes.map(|choice| Step::new(Step::REALLOC, block.handle.0, choice)));
        }
        steps.extend(requests.map(|choice| Step::new(Step::ALLOC_ZEROED, 0, choice)));
        steps.extend(self.native.then_some(Step::new(Step::FREE_NULL, 0, 0)));
        steps.extend(live.is_empty().then_some(Step::new(Step::CAPACITY, 0, 0)));
        if self.leaves_out() {
            steps.retain(|&step| !self.is_left_out(step));
        }
    }

    /// The op of a step.
    ///
    /// # Panics
    /// If the step is not from this menu.
    #[must_use]
    pub fn op(&self, step: Step) -> Op {
        let handle = step.handle();
        match step.kind() {
            kind @ (Step::ALLOC | Step::ALLOC_ZEROED) => {
                let (size, align) = self.requests[step.choice()];
                let zeroed = kind == Step::ALLOC_ZEROED;
                Op::Alloc {
                    size,
                    align,
                    zeroed,
                }
            }
            Step::REALLOC => Op::Realloc {
                handle,
                size: self.sizes[step.choice()],
            },
            Step::FREE => Op::Free { handle },
            Step::FREE_NULL => Op::FreeNull,
            Step::TABLE => Op::Table,
            Step::CAPACITY => Op::Capacity,
            kind => unreachable!("no step has kind {kind}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn menu(name: &str, bytes: u64, aligns: &[u64]) -> Menu {
        let declaration = &subjects::by_name(name).unwrap().declaration;
        let aligns: Vec<_> = aligns
            .iter()
            .filter_map(|&bytes| Align::from_bytes(bytes))
            .collect();
        let geometry = Geometry::from_bytes(bytes).unwrap();
        Menu::new(
            declaration,
            geometry,
            Sizes::Classes,
            &aligns,
            declaration.unit.max(8),
        )
    }

    fn ops(menu: &Menu, live: &[Block]) -> Vec<Op> {
        let mut steps = Vec::new();
        menu.steps(live, &mut steps);
        for step in &steps {
            assert_eq!(Step::from_bits(step.bits()), *step);
        }
        steps.iter().map(|&step| menu.op(step)).collect()
    }

    fn alloc(size: u64, align: Option<u64>) -> Op {
        let align = align.and_then(Align::from_bytes);
        Op::Alloc {
            size,
            align,
            zeroed: false,
        }
    }

    fn block(handle: u32) -> Block {
        Block {
            handle: Handle(handle),
            offset: 8,
            size: 8,
            align: 8,
        }
    }

    #[test]
    fn every_kind_of_call_is_on_the_menu() {
        let listed = ops(&menu("kmem", 16, &[8, 16]), &[block(3)]);
        let handle = Handle(3);
        for expected in [
            alloc(u64::MAX, None),
            alloc(u64::MAX - 14, Some(16)),
            alloc(16, None),
            alloc(8, Some(16)),
            alloc(0, None),
            Op::Alloc {
                size: 8,
                align: None,
                zeroed: true,
            },
            Op::Realloc {
                handle,
                size: i64::MAX as u64 - 7,
            },
            Op::Realloc { handle, size: 8 },
            Op::Free { handle },
            Op::FreeNull,
            Op::Table,
        ] {
            assert!(listed.contains(&expected), "{expected:?}: {listed:?}");
        }
        assert!(!listed.contains(&Op::Capacity));
        assert!(!listed.contains(&Op::Realloc { handle, size: 0 }));
        assert!(ops(&menu("kmem", 16, &[8]), &[]).contains(&Op::Capacity));
    }

    #[test]
    fn what_a_layout_cannot_say_is_asked_of_native_entries_alone() {
        let listed = ops(&menu("page", 8192, &[8]), &[]);
        for absent in [alloc(u64::MAX, None), alloc(0, None), Op::FreeNull] {
            assert!(!listed.contains(&absent), "{absent:?}");
        }
        assert!(listed.contains(&alloc(8192, None)));
    }

    #[test]
    fn every_size_is_asked_for_where_that_is_wanted() {
        let declaration = &subjects::by_name("kmem").unwrap().declaration;
        let geometry = Geometry::from_bytes(64).unwrap();
        let menu = Menu::new(declaration, geometry, Sizes::Every, &[Align::DEFAULT], 8);
        let listed = ops(&menu, &[]);
        assert!((0..=64).all(|size| listed.contains(&alloc(size, None))));
    }

    #[test]
    fn a_request_left_out_is_left_out_of_every_block() {
        let blocks = [block(0), block(1)];
        let mut menu = menu("kmem", 16, &[8]);
        let before = ops(&menu, &blocks).len();
        assert!(menu.leave_out(Step::new(Step::FREE, 1, 0)));
        assert!(!menu.leave_out(Step::new(Step::FREE, 0, 0)));
        assert_eq!(ops(&menu, &blocks).len(), before - 2);
        assert!(menu.leave_out_kind(Step::new(Step::REALLOC, 0, 0)));
        let left = ops(&menu, &blocks);
        assert!(
            left.iter().all(|op| !matches!(op, Op::Realloc { .. })),
            "{left:?}"
        );
    }
}
