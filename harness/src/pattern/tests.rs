//! What is filled in holds, and nothing else does.

use super::*;

/// Fills, and compares.
type Ways = (
    unsafe fn(Pattern, *mut u8, u64, u64),
    unsafe fn(Pattern, *const u8, u64, u64) -> bool,
);

/// In whichever way the processor has, and by words.
const WAYS: [Ways; 2] = [
    (Pattern::fill, Pattern::holds),
    (Pattern::fill_words, Pattern::holds_words),
];

#[test]
fn what_was_filled_holds_and_a_changed_byte_shows() {
    // More words than are compared between two branches, and than are few.
    const BYTES: u64 = 8 * (2 * words::FEW + 11) + 5;
    let mut memory = [0; BYTES as usize + 8];
    let ranges = [0, 8, 24]
        .into_iter()
        .flat_map(|from| (from..=BYTES).map(move |to| (from, to)));
    for ((from, to), (fill, holds)) in ranges.flat_map(|range| WAYS.map(|way| (range, way))) {
        let pattern = Pattern::of(Handle(from as u32));
        memory.fill(0);
        let block = &mut memory[to as usize % 8..][..BYTES as usize];
        // SAFETY: both positions lie within the block.
        unsafe { fill(pattern, block.as_mut_ptr(), from, to) };
        let filled = |at: &u64| (from..to).contains(at);
        for at in 0..BYTES {
            let expected = if filled(&at) { pattern.byte(at) } else { 0 };
            assert_eq!(block[at as usize], expected, "{from}..{to}: {at}");
        }
        // SAFETY: as above.
        assert!(unsafe { holds(pattern, block.as_ptr(), from, to) });
        for at in (from..to)
            .step_by(7)
            .chain(to.checked_sub(1).filter(filled))
        {
            block[at as usize] ^= 1;
            // SAFETY: as above.
            assert!(!unsafe { holds(pattern, block.as_ptr(), from, to) });
            block[at as usize] ^= 1;
        }
    }
}

#[test]
fn of_many_blocks_one_that_does_not_hold_shows() {
    let sizes = [0, 1, 300, 64, 9];
    let mut memory = [[0_u8; 300]; 5];
    for (index, (bytes, size)) in memory.iter_mut().zip(sizes).enumerate() {
        // SAFETY: no size is above 300.
        unsafe { Pattern::of(Handle(index as u32)).fill(bytes.as_mut_ptr(), 0, size) };
    }
    let all_hold = |memory: &[[u8; 300]; 5]| {
        let blocks = memory.iter().zip(sizes).enumerate();
        let blocks = blocks.map(|(index, (bytes, size))| {
            (Pattern::of(Handle(index as u32)), bytes.as_ptr(), size)
        });
        // SAFETY: as above.
        unsafe { Pattern::all_hold(blocks) }
    };
    assert!(all_hold(&memory));
    for (index, size) in sizes.into_iter().enumerate() {
        for at in 0..300 {
            memory[index][at] ^= 0x80;
            assert_eq!(all_hold(&memory), at as u64 >= size, "{index}: {at}");
            memory[index][at] ^= 0x80;
        }
    }
}

#[test]
fn ends_are_filled_and_compared_and_what_lies_between_is_not() {
    let pattern = Pattern::of(Handle(5));
    let mut memory = [0_u64; 10];
    let bytes = memory.as_mut_ptr().cast::<u8>();
    for (start, size) in (0..9).flat_map(|start| (33..64).map(move |size| (start, size))) {
        let tail = (size - 16) & !7;
        // SAFETY: 9 and 64 bytes are fewer than the memory has.
        unsafe {
            bytes.write_bytes(0xee, 80);
            let block = bytes.add(start);
            pattern.fill_ends::<2>(block, tail, size);
            assert!(pattern.hold_ends::<2>(block, tail, size));
            for at in 0..size {
                let is_end = at < 16 || at >= tail;
                let byte = block.add(at as usize);
                let expected = if is_end { pattern.byte(at) } else { 0xee };
                assert_eq!(*byte, expected, "{start} {size}: {at}");
                *byte ^= 1;
                let holds = pattern.hold_ends::<2>(block, tail, size);
                assert_eq!(holds, !is_end, "{start} {size}: {at}");
                *byte ^= 1;
            }
            assert_eq!(*block.add(size as usize), 0xee, "{start} {size}");
        }
    }
}

#[test]
fn zeroes_are_a_pattern_too() {
    assert_eq!([0, 1, 77].map(|index| Pattern::ZERO.word(index)), [0; 3]);
}
