//! What never returns, watched from another process.

use std::env;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use kmem::{Kmem, Kmem2019};

use crate::fixture::Fixture;

/// Says that this process is the watched one.
const WATCHED: &str = "KMEM_TEST_WATCHED";
const LAST_WORDS: &str = "now it loops";

/// How long the watched call may have to return: everything else here takes microseconds.
const PATIENCE: Duration = Duration::from_millis(300);

/// Runs `last_call` in a new process of this test, and kills it there if it does not return.
fn is_endless(test: &str, last_call: impl FnOnce()) -> bool {
    if env::var_os(WATCHED).is_some() {
        println!("\n{LAST_WORDS}");
        last_call();
        std::process::exit(0);
    }
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", test, "--nocapture"])
        .env(WATCHED, "1")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(
        lines.any(|line| line.unwrap() == LAST_WORDS),
        "the process died before"
    );
    sleep(PATIENCE);
    let endless = child.try_wait().unwrap().is_none();
    let _ = child.kill();
    child.wait().unwrap();
    endless
}

#[test]
fn kmalloc_2019_on_a_chunk_of_size_zero() {
    let mut heap = Fixture::<Kmem2019>::new(192);
    heap.kmalloc(usize::MAX - 7).unwrap();
    let kmalloc = || {
        heap.kmalloc(8);
    };
    assert!(is_endless(
        "endless::kmalloc_2019_on_a_chunk_of_size_zero",
        kmalloc
    ));
}

#[test]
fn what_returns_is_not_endless() {
    let mut heap = Fixture::<Kmem>::new(192);
    let block = heap.kmalloc(8).unwrap();
    let free = || heap.kfree(block);
    assert!(!is_endless("endless::what_returns_is_not_endless", free));
}
