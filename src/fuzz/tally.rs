//! How many ops this process has executed, and in how long, for whoever compares fuzz targets.
//!
//! libFuzzer counts inputs, which says nothing where one target's inputs are longer than another's.
//! The count goes to the file that `KMEM_RIG_TALLY` names, every few inputs, since libFuzzer exits
//! without running destructors. It uses nothing but `std`: the yardstick in `fuzz/plain` includes
//! this file and must not be slowed by the rig.

use std::cell::RefCell;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::Instant;

/// The variable that names the file.
pub const VARIABLE: &str = "KMEM_RIG_TALLY";
/// Inputs between two writes: a system call among so many costs nothing that could be measured.
const INPUTS: u32 = 256;

struct Tally {
    ops: u64,
    inputs: u32,
    first: Instant,
    file: Option<File>,
}

thread_local! {
    static TALLY: RefCell<Option<Tally>> = const { RefCell::new(None) };
}

/// Counts the ops of one input. The clock starts at the first.
///
/// # Panics
/// When the file cannot be written.
pub fn add(ops: u64) {
    TALLY.with_borrow_mut(|tally| tally.get_or_insert_with(Tally::start).add(ops));
}

impl Tally {
    fn start() -> Self {
        let path = std::env::var_os(VARIABLE);
        Self {
            ops: 0,
            inputs: 0,
            first: Instant::now(),
            file: path.map(|path| File::create(path).expect("the tally's file can be created")),
        }
    }

    fn add(&mut self, ops: u64) {
        self.ops += ops;
        self.inputs += 1;
        if self.inputs == INPUTS {
            self.inputs = 0;
            self.write();
        }
    }

    /// Ops and nanoseconds, each of a fixed width, so that every write covers the one before.
    fn write(&self) {
        let Some(file) = &self.file else { return };
        let line = format!("{:020} {:020}\n", self.ops, self.first.elapsed().as_nanos());
        let written = file.write_all_at(line.as_bytes(), 0);
        written.expect("the tally's file can be written");
    }
}
