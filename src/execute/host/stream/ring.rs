//! Ops and what they did, on their way from a worker to its parent, which judges them meanwhile.
//!
//! The worker writes down each op as it begins it, and then what it did. It waits where the parent
//! is so many ops behind as there is room for; of a parent that waits, it knows nothing.

use std::ops::ControlFlow;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};
use std::time::Duration;

use harness::observation::Observation;
use harness::observation_record::{OBSERVATION_WORDS, decode_observation, encode_observation};
use harness::op::Op;
use harness::record::{OP_BYTES, decode_op, encode_op};
use harness::stream::Witness;

use crate::execute::host::shared::Shareable;
use crate::execute::host::supervised::{Common, Pace};

/// Ops that the parent may be behind: as many as are run in some naps.
const ROOM: usize = 4096;
/// How long one side waits before it looks again for what the other has done.
pub const NAP: Duration = Duration::from_micros(50);
const OP_WORDS: usize = OP_BYTES / size_of::<u64>();

/// The shared memory.
#[repr(C)]
pub struct Ring {
    begun: AtomicU64,
    observed: AtomicU64,
    /// Ops that the parent needs no more.
    taken: AtomicU64,
    records: [Record; ROOM],
}

/// An op, and what it did.
#[repr(C)]
struct Record {
    op: [AtomicU64; OP_WORDS],
    observation: [AtomicU64; OBSERVATION_WORDS],
}

// SAFETY: atomics throughout, of which zero is a value.
unsafe impl Shareable for Ring {}

impl Ring {
    fn record(&self, op: u64) -> &Record {
        &self.records[op as usize % ROOM]
    }

    /// Ops of which it is known what they did.
    pub fn observed(&self) -> u64 {
        self.observed.load(Acquire)
    }

    /// The op of this number, if it was begun.
    pub fn op(&self, number: u64) -> Option<Op> {
        (number < self.begun.load(Acquire)).then(|| {
            let words = self.record(number).op.each_ref();
            let mut bytes = [0; OP_BYTES];
            let words = words.map(|word| word.load(Relaxed).to_le_bytes());
            bytes.copy_from_slice(words.as_flattened());
            decode_op(&bytes)
        })
    }

    /// What the op of this number did, and which it was; `None` if the record is none. It is not
    /// kept.
    pub fn take(&self, number: u64) -> Option<(Op, Observation)> {
        let words = self.record(number).observation.each_ref();
        let words = words.map(|word| word.load(Relaxed));
        let taken = (self.op(number)?, decode_observation(&words)?);
        self.taken.store(number + 1, Release);
        Some(taken)
    }
}

/// The worker's end.
pub struct Sender<'a> {
    ring: &'a Common<Ring>,
    begun: u64,
    /// What is known of [`Ring::taken`].
    taken: u64,
}

impl<'a> Sender<'a> {
    /// Sends the ops of a run from its first one on.
    pub const fn new(ring: &'a Common<Ring>) -> Self {
        Self {
            ring,
            begun: 0,
            taken: 0,
        }
    }

    /// Shows the watch that this process does not stand still.
    fn move_on(&self) {
        // Nobody else writes it, so it need not be one indivisible step.
        let progress = self.ring.progress();
        progress.store(progress.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

impl Witness for Sender<'_> {
    fn begin(&mut self, op: &Op) {
        let mut pace = Pace::SOON;
        while self.begun - self.taken >= ROOM as u64 {
            self.move_on();
            pace.pause();
            self.taken = self.ring.taken.load(Acquire);
        }
        let bytes = encode_op(op);
        let (words, _) = bytes.as_chunks();
        for (to, word) in self.ring.record(self.begun).op.iter().zip(words) {
            to.store(u64::from_le_bytes(*word), Relaxed);
        }
        self.begun += 1;
        self.ring.begun.store(self.begun, Release);
        self.move_on();
    }

    fn observe(&mut self, _: &Op, observation: &Observation) -> ControlFlow<()> {
        let words = encode_observation(observation);
        let record = self.ring.record(self.begun - 1);
        for (to, word) in record.observation.iter().zip(words) {
            to.store(word, Relaxed);
        }
        self.ring.observed.store(self.begun, Release);
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use harness::observation::Outcome;

    use super::*;
    use crate::execute::host::supervised::Supervised;

    #[test]
    fn ops_arrive_in_their_order_however_far_the_parent_is_behind() {
        let ops = 3 * ROOM as u64;
        let op = |number| Op::Alloc {
            size: number,
            align: None,
            zeroed: false,
        };
        let mut worker = Supervised::<Ring>::new().unwrap();
        let started = worker.start(Duration::from_millis(20), 0, |ring| {
            let mut sender = Sender::new(ring);
            for number in 0..ops {
                sender.begin(&op(number));
                let placed = Observation::of(Outcome::Placed(number as i64));
                assert!(sender.observe(&op(number), &placed).is_continue());
            }
            sender.begin(&op(ops));
        });
        started.unwrap();
        let mut taken = 0;
        let ended = worker.attend(Pace::every(NAP), |ring| {
            // The worker is stopped by a full ring, and then by none.
            thread::sleep(Duration::from_millis(u64::from(taken < ops / 2)));
            for _ in 0..500.min(ring.observed() - taken) {
                let (asked, seen) = ring.take(taken).unwrap();
                let placed = Outcome::Placed(taken as i64);
                assert_eq!((asked, seen.outcome), (op(taken), placed));
                taken += 1;
            }
            ControlFlow::Continue(())
        });
        assert!(ended.unwrap());
        while taken < ops {
            assert!(worker.take(taken).is_some());
            taken += 1;
        }
        assert_eq!(worker.observed(), ops);
        assert_eq!((worker.op(ops), worker.op(ops + 1)), (Some(op(ops)), None));
    }
}
