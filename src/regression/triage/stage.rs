//! How far a triage is, for those who wait for it.

/// How far a triage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage {
    /// What is done to them.
    pub task: &'static str,
    /// What they are.
    pub unit: &'static str,
    /// How many are done.
    pub done: u64,
    /// How many there are.
    pub all: u64,
}

impl Stage {
    /// A stage that begins.
    pub(super) const fn of(task: &'static str, unit: &'static str, all: usize) -> Self {
        let (done, all) = (0, all as u64);
        Self {
            task,
            unit,
            done,
            all,
        }
    }
}
