//! The recorder around an allocator whose answers are scripted: no address is ever used.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::RefCell;
use core::fmt::{self, Write};
use core::ptr::null_mut;
use std::collections::VecDeque;
use std::string::{String, ToString};
use std::vec::Vec;

use super::{Lines, Recorder, Ring, Sink};
use crate::trace::geometry::Geometry;

/// Answers requests with these addresses, in order; 0 is null. Counts the calls that it gets.
struct Scripted {
    answers: RefCell<VecDeque<usize>>,
    calls: RefCell<usize>,
}

impl Scripted {
    fn answer(&self) -> *mut u8 {
        *self.calls.borrow_mut() += 1;
        let address = self.answers.borrow_mut().pop_front().expect("an answer");
        null_mut::<u8>().wrapping_add(address)
    }
}

// SAFETY: nobody uses what it answers.
unsafe impl GlobalAlloc for Scripted {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        self.answer()
    }

    unsafe fn alloc_zeroed(&self, _: Layout) -> *mut u8 {
        self.answer()
    }

    unsafe fn realloc(&self, _: *mut u8, _: Layout, _: usize) -> *mut u8 {
        self.answer()
    }

    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {
        *self.calls.borrow_mut() += 1;
    }
}

type Text = Lines<String>;
type Small<S = Text> = Recorder<Scripted, S, 16>;

fn recorder<S: Sink>(answers: &[usize], sink: S) -> Small<S> {
    let scripted = Scripted {
        answers: RefCell::new(answers.iter().copied().collect()),
        calls: RefCell::new(0),
    };
    let recorder = Recorder::new(scripted, Geometry::from_bytes(192).unwrap(), sink);
    recorder.start();
    recorder
}

fn to_text(answers: &[usize]) -> Small {
    recorder(answers, Lines::new(String::new()))
}

fn layout(size: usize, align: usize) -> Layout {
    Layout::from_size_align(size, align).unwrap()
}

impl<S: Sink> Small<S> {
    fn get(&self, size: usize) -> usize {
        // SAFETY: `Scripted` has no demands.
        unsafe { self.alloc(layout(size, 8)) }.addr()
    }

    fn resize(&self, block: usize, size: usize) {
        let block = null_mut::<u8>().wrapping_add(block);
        // SAFETY: as above.
        unsafe { self.realloc(block, layout(8, 8), size) };
    }

    fn put(&self, block: usize) {
        let block = null_mut::<u8>().wrapping_add(block);
        // SAFETY: as above.
        unsafe { self.dealloc(block, layout(8, 8)) };
    }
}

/// The lines behind the first two.
#[track_caller]
fn assert_ops(recorder: &Small, expected: &[&str]) {
    let text = recorder.with_sink(|lines| lines.out().clone());
    let mut lines = text.lines();
    assert_eq!(lines.next(), Some("# kmem-rig trace v1"));
    assert_eq!(lines.next(), Some("heap 192 bytes"));
    assert_eq!(lines.collect::<Vec<_>>(), expected);
}

#[test]
fn every_call_is_a_line() {
    let recorder = to_text(&[80, 160, 320]);
    assert_eq!(recorder.get(24), 80);
    // SAFETY: `Scripted` has no demands.
    unsafe {
        recorder.alloc(layout(1, 1));
        recorder.alloc_zeroed(layout(100, 4096));
    }
    recorder.put(160);
    recorder.stop();
    let lines = [
        "a0 = alloc 24 align 8",
        "a1 = alloc 1 align 1",
        "a2 = alloc_zeroed 100 align 4096",
        "free a1",
        "# the recording was stopped",
    ];
    assert_ops(&recorder, &lines);
}

#[test]
fn a_block_that_moves_keeps_its_name_and_its_old_place_gets_another() {
    let recorder = to_text(&[80, 160, 80, 240, 0]);
    recorder.get(8);
    recorder.resize(80, 40);
    recorder.get(8);
    recorder.resize(80, 16);
    recorder.resize(160, 99);
    recorder.put(160);
    recorder.put(240);
    let lines = [
        "a0 = alloc 8 align 8",
        "realloc a0 40",
        "a1 = alloc 8 align 8",
        "realloc a1 16",
        "realloc a0 99",
        "free a0",
        "free a1",
    ];
    assert_ops(&recorder, &lines);
}

#[test]
fn a_refused_request_is_given_back_at_once() {
    let recorder = to_text(&[0, 80]);
    recorder.get(1000);
    recorder.get(8);
    recorder.put(80);
    let lines = [
        "a0 = alloc 1000 align 8",
        "free a0",
        "a1 = alloc 8 align 8",
        "free a1",
    ];
    assert_ops(&recorder, &lines);
}

#[test]
fn blocks_of_before_are_left_out_and_a_realloc_makes_them_known() {
    let recorder = to_text(&[160, 240]);
    recorder.put(80);
    recorder.resize(88, 40);
    recorder.resize(160, 41);
    recorder.put(240);
    let lines = [
        "# a free of a block that was allocated before the recording, or not at all",
        "# a realloc of a block that was allocated before the recording, as an alloc:",
        "a0 = alloc 40 align 8",
        "realloc a0 41",
        "free a0",
    ];
    assert_ops(&recorder, &lines);
}

#[test]
fn an_address_that_is_handed_out_twice_is_the_later_block() {
    let recorder = to_text(&[80, 80]);
    recorder.get(8);
    recorder.get(16);
    recorder.put(80);
    let lines = ["a0 = alloc 8 align 8", "a1 = alloc 16 align 8", "free a1"];
    assert_ops(&recorder, &lines);
}

#[test]
fn at_rest_nothing_is_recorded_and_everything_is_passed_on() {
    let recorder = to_text(&[80, 160, 240, 320]);
    recorder.get(8);
    recorder.stop();
    assert!(!recorder.is_recording());
    recorder.get(8);
    recorder.resize(160, 9);
    recorder.put(80);
    recorder.put(240);
    assert_ops(
        &recorder,
        &["a0 = alloc 8 align 8", "# the recording was stopped"],
    );
    assert_eq!(*recorder.inner.calls.borrow(), 5);
    // Another recording knows nothing of the first.
    recorder.with_sink(|lines| lines.out().clear());
    recorder.start();
    recorder.get(3);
    recorder.put(320);
    assert_ops(&recorder, &["a0 = alloc 3 align 8", "free a0"]);
}

#[test]
fn a_full_table_ends_the_recording_with_a_word() {
    let answers: Vec<_> = (1..=20).map(|block| block * 80).collect();
    let recorder = to_text(&answers);
    for &block in &answers {
        assert_eq!(recorder.get(8), block);
        assert_eq!(recorder.is_recording(), block <= 14 * 80);
    }
    recorder.put(80);
    let text = recorder.with_sink(|lines| lines.out().clone());
    let mut lines = text.lines().rev();
    assert_eq!(
        lines.next(),
        Some("# the recording ends: more blocks than the recorder can name")
    );
    assert_eq!(lines.next(), Some("a14 = alloc 8 align 8"));
}

#[test]
fn a_full_table_has_room_again_once_a_block_is_freed() {
    let answers: Vec<_> = (1..=14).chain(14..=15).map(|block| block * 80).collect();
    let recorder = to_text(&answers);
    for _ in 0..14 {
        recorder.get(8);
    }
    recorder.resize(14 * 80, 9);
    recorder.put(80);
    recorder.get(8);
    assert!(recorder.is_recording());
    let text = recorder.with_sink(|lines| lines.out().clone());
    assert!(text.ends_with("realloc a13 9\nfree a0\na14 = alloc 8 align 8\n"));
}

#[test]
fn a_sink_that_takes_no_more_ends_the_recording() {
    struct Short(String);
    impl Write for Short {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            if self.0.len() + text.len() > 70 {
                return Err(fmt::Error);
            }
            self.0.push_str(text);
            Ok(())
        }
    }
    let recorder = recorder(&[80, 160, 240], Lines::new(Short(String::new())));
    recorder.get(8);
    assert!(recorder.is_recording());
    recorder.get(8);
    assert!(!recorder.is_recording());
    recorder.get(8);
    recorder.put(80);
    let text = recorder.with_sink(|lines| lines.out().0.clone());
    assert!(text.ends_with("\na0 = alloc 8 align 8\n"), "{text}");
}

#[test]
fn the_last_of_several_threads_finds_every_op_in_order() {
    use std::alloc::System;
    let recorder: Recorder<System, Text, 4096> =
        Recorder::new(System, Geometry::published(), Lines::new(String::new()));
    recorder.start();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for size in 1..500 {
                    let layout = layout(size, 8);
                    // SAFETY: the layout is not empty, and the block is freed once.
                    unsafe {
                        let block = recorder.alloc(layout);
                        recorder.dealloc(block, layout);
                    }
                }
            });
        }
    });
    let text = recorder.with_sink(|lines| lines.out().clone());
    let mut live = Vec::new();
    for line in text.lines().skip(2) {
        match line.strip_prefix("free ") {
            Some(handle) => {
                let place = live.iter().position(|live| live == handle);
                live.swap_remove(place.expect("a live block"));
            }
            None => live.push(line.split(' ').next().unwrap().to_string()),
        }
    }
    assert!(live.is_empty());
    assert_eq!(text.lines().count(), 2 + 4 * 499 * 2);
}

fn printed<const OPS: usize>(recorder: &Small<Ring<OPS>>) -> String {
    let mut lines = Lines::new(String::new());
    recorder.with_sink(|ring| ring.print(&mut lines)).unwrap();
    let text = lines.into_inner();
    text.strip_prefix("# kmem-rig trace v1\nheap 192 bytes\n")
        .expect("a trace")
        .to_string()
}

#[test]
fn a_ring_that_was_never_full_has_the_whole_trace() {
    let recorder = recorder(&[80], Ring::<2>::new());
    assert_eq!(printed(&recorder), "");
    recorder.get(8);
    recorder.put(80);
    recorder.stop();
    assert_eq!(
        printed(&recorder),
        "a0 = alloc 8 align 8\nfree a0\n# the recording was stopped\n"
    );
}

#[test]
fn a_ring_forgets_the_oldest_and_what_is_done_to_their_blocks() {
    let recorder = recorder(&[80, 160, 240, 320, 400], Ring::<5>::new());
    recorder.get(1);
    recorder.get(2);
    recorder.get(3);
    recorder.resize(80, 9); // Moves the first block to 320.
    recorder.put(240);
    recorder.get(4);
    recorder.put(320);
    recorder.put(400);
    assert_eq!(
        printed(&recorder),
        "# the last ops of a longer recording: older blocks are left out\n\
         a0 = alloc 4 align 8\nfree a0\n"
    );
}
