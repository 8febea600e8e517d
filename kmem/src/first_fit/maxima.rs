//! The largest hole of each stretch of the heap, and of each 4, 16, ... stretches: a tree that
//! finds the first stretch with a hole of some size.
//!
//! ```text
//! group    | 0    | 1       | 2       | 3       | 4       | 5       | ... | leaves ...
//! | nodes    | 0..3 | 4..7    | 8..11   | 12..15  | 16..19  | 20..23  |       a node for each
//! stretch
//!                   below 0   below 1   below 2   below 3   below 4
//! ```
//!
//! The group of [`FAN`] nodes below node n is number n + 1; below the leaves there is none. Every
//! level but the leaves' is whole. The *root* is the first group of the lowest level on which that
//! group is above all stretches that were ever opened: what is above the root is not in use. So the
//! way from a leaf to the root is as long as the part of the heap asks for that was ever used.
//!
//! The tree knows neither stretches nor holes, only numbers: whoever changes a stretch's holes says
//! so with [`Maxima::raise`] or [`Maxima::lower`].
//!
//! Invariant: a node above the leaves, up to the root, is the largest of the group below it. Groups
//! below which no stretch was opened mean nothing; in the others, the nodes of stretches that were
//! not opened are 0.

/// Nodes of a group: with more, a group takes longer; with fewer, the tree is too large.
pub(super) const FAN: usize = 8;

/// The tree. It does not own its memory.
#[derive(Debug)]
pub(super) struct Maxima {
    groups: *mut Group,
    /// The root's number.
    root: *mut usize,
    /// The node of stretch 0.
    first_leaf: usize,
}

type Group = [u32; FAN];

/// Nodes of a tree over so many stretches.
pub(super) const fn nodes(stretches: usize) -> usize {
    first_leaf(stretches) + stretches.next_multiple_of(FAN)
}

const fn first_leaf(stretches: usize) -> usize {
    let (mut width, mut above) = (FAN, 0);
    while width < stretches {
        above += width;
        width *= FAN;
    }
    above
}

impl Maxima {
    /// A tree over `stretches` stretches, of which stretch 0 is open.
    ///
    /// # Safety
    ///
    /// For the life of the value, `root` and as many words of 4 bytes from `start` as there are
    /// [`nodes`] are readable, writable and used by nobody else. There is a stretch.
    pub unsafe fn new(root: *mut usize, start: *mut u32, stretches: usize) -> Self {
        let mut tree = Self {
            groups: start.cast(),
            root,
            first_leaf: first_leaf(stretches),
        };
        tree.set_root(tree.first_leaf / FAN, 0);
        tree
    }

    /// Gives the groups that begin with this stretch their first value. Stretches are opened in
    /// order.
    #[inline]
    pub fn open(&mut self, stretch: usize) {
        let mut node = self.first_leaf + stretch;
        while node.is_multiple_of(FAN) {
            self.set_group(node / FAN, [0; FAN]);
            // There is a node above: stretch 0 begins each level, and was opened by `new`.
            node = node / FAN - 1;
        }
        let root = self.root();
        if node / FAN < root {
            self.set_root(node / FAN, largest(self.group(root)));
        }
    }

    /// The largest hole of an open stretch.
    #[inline]
    pub fn of_stretch(&self, stretch: usize) -> u32 {
        self.get(self.first_leaf + stretch)
    }

    /// The first stretch with a hole of at least `need` words, which is not 0.
    #[inline]
    pub fn first(&self, need: usize) -> Option<usize> {
        self.first_below(self.root(), need)
    }

    /// The first stretch behind an open one with a hole of at least `need` words.
    #[inline(never)]
    pub fn next(&self, stretch: usize, need: usize) -> Option<usize> {
        let mut node = self.first_leaf + stretch;
        loop {
            let mut rest = node + 1..(node / FAN + 1) * FAN;
            if let Some(found) = rest.find(|&node| self.get(node) as usize >= need) {
                let is_leaf = found >= self.first_leaf;
                return match is_leaf {
                    true => Some(found - self.first_leaf),
                    false => self.first_below(found + 1, need),
                };
            }
            node = self.above(node)?;
        }
    }

    /// The first stretch below an open group with a hole of at least `need` words.
    #[inline]
    fn first_below(&self, group: usize, need: usize) -> Option<usize> {
        let mut group = group;
        loop {
            let nodes = self.group(group);
            let found = nodes.iter().position(|&words| words as usize >= need)?;
            let node = group * FAN + found;
            if node >= self.first_leaf {
                return Some(node - self.first_leaf);
            }
            group = node + 1;
        }
    }

    /// Says that an open stretch has a new hole of so many words, or one that has grown.
    #[inline]
    pub fn raise(&mut self, stretch: usize, words: u32) {
        let root = self.root();
        let mut node = self.first_leaf + stretch;
        while self.get(node) < words {
            self.set(node, words);
            let group = node / FAN;
            if group == root {
                return;
            }
            node = group - 1;
        }
    }

    /// Says that the largest hole of an open stretch has `now` words, after one of `before` is
    /// gone.
    #[inline]
    pub fn lower(&mut self, stretch: usize, before: u32, now: u32) {
        let root = self.root();
        let (mut node, mut now) = (self.first_leaf + stretch, now);
        while now != before {
            self.set(node, now);
            let group = node / FAN;
            if group == root {
                return;
            }
            node = group - 1;
            if self.get(node) != before {
                return;
            }
            now = largest(self.group(group));
        }
    }

    /// Whether every node above the first `open` stretches is what the invariant says.
    pub fn is_sound(&self, open: usize) -> bool {
        let is_sound = |node| self.get(node) == largest(self.group(node + 1));
        let (mut first, mut count) = (self.first_leaf, open);
        while let Some(first_above) = self.above(first) {
            (first, count) = (first_above, count.div_ceil(FAN));
            if !(first..first + count).all(is_sound) {
                return false;
            }
        }
        // All of them are below the root.
        count <= FAN
    }

    /// The node that this one's group is below; none for the root's.
    #[inline]
    fn above(&self, node: usize) -> Option<usize> {
        let group = node / FAN;
        (group != self.root()).then(|| group - 1)
    }

    #[inline]
    fn root(&self) -> usize {
        // SAFETY: `new` was given this memory, and has written it.
        unsafe { self.root.read() }
    }

    /// Makes a group the root, with one node that is not 0.
    #[inline]
    fn set_root(&mut self, group: usize, first: u32) {
        let mut nodes = [0; FAN];
        nodes[0] = first;
        self.set_group(group, nodes);
        // SAFETY: `new` was given this memory, and nobody else uses it.
        unsafe { self.root.write(group) };
    }

    #[inline]
    fn set_group(&mut self, group: usize, nodes: Group) {
        // SAFETY: every caller's group is of the tree, whose memory nobody else uses.
        unsafe { self.groups.wrapping_add(group).write(nodes) };
    }

    #[inline]
    fn group(&self, group: usize) -> Group {
        // SAFETY: every caller's group is of the tree and open: it lies in the memory that `new`
        // was given, and `open` has written it.
        unsafe { self.groups.wrapping_add(group).read() }
    }

    #[inline]
    fn get(&self, node: usize) -> u32 {
        // SAFETY: every caller's node is in such a group.
        unsafe { self.node(node).read() }
    }

    #[inline]
    fn set(&mut self, node: usize, words: u32) {
        // SAFETY: every caller's node is of the tree, whose memory nobody else uses.
        unsafe { self.node(node).write(words) };
    }

    #[inline]
    fn node(&self, node: usize) -> *mut u32 {
        self.groups.cast::<u32>().wrapping_add(node)
    }
}

#[inline]
fn largest(group: Group) -> u32 {
    group.into_iter().fold(0, u32::max)
}

#[cfg(test)]
mod tests {
    use std::vec;
    use std::vec::Vec;

    use super::*;

    /// Marsaglia's xorshift, 64 bits.
    fn draw(state: &mut u64, bound: usize) -> usize {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state % bound as u64) as usize
    }

    #[test]
    fn finds_what_a_list_finds() {
        for stretches in [1, 2, 7, 8, 9, 63, 64, 65, 200, 513] {
            let (mut root, mut memory) = (0, vec![u32::MAX; nodes(stretches)]);
            // SAFETY: the memory has as many nodes and outlives the tree.
            let mut tree = unsafe { Maxima::new(&mut root, memory.as_mut_ptr(), stretches) };
            let mut list: Vec<u32> = vec![0];
            let mut random = 1;
            let steps = if cfg!(miri) { 40 } else { 4_000 };
            for _ in 0..steps {
                if list.len() < stretches && draw(&mut random, 4) == 0 {
                    tree.open(list.len());
                    list.push(0);
                }
                let stretch = draw(&mut random, list.len());
                let words = draw(&mut random, 20) as u32;
                if words >= list[stretch] {
                    tree.raise(stretch, words);
                } else {
                    tree.lower(stretch, list[stretch], words);
                }
                list[stretch] = words;
                assert!(tree.is_sound(list.len()));
                let need = 1 + draw(&mut random, 20);
                let find =
                    |from| (from..list.len()).find(|&stretch| list[stretch] as usize >= need);
                assert_eq!(tree.first(need), find(0), "{list:?} {need}");
                assert_eq!(
                    tree.next(stretch, need),
                    find(stretch + 1),
                    "{list:?} {stretch} {need}"
                );
            }
        }
    }

    #[test]
    fn an_unsound_tree_is_told() {
        let (mut root, mut memory) = (0, vec![0; nodes(9)]);
        // SAFETY: the memory has as many nodes and outlives the tree.
        let mut tree = unsafe { Maxima::new(&mut root, memory.as_mut_ptr(), 9) };
        (1..9).for_each(|stretch| tree.open(stretch));
        tree.raise(8, 5);
        assert!(tree.is_sound(9));
        // Of the leaf alone.
        tree.set(tree.first_leaf + 8, 0);
        assert!(!tree.is_sound(9));
    }
}
