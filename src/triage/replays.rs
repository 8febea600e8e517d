//! How reliably a find breaks its rule: a minimised trace run again and again.

use anyhow::Result;
use harness::entry::Entry;
use harness::trace::Trace;

use crate::capacity::Measured;
use crate::executor::Executor;
use crate::judge::Finding;
use crate::rules::Rules;

/// How often a minimised trace is replayed on each side.
pub const REPLAYS: u32 = 10;

/// What became of [`REPLAYS`] replays on one side.
pub(super) struct Replays {
    /// The last one's verdict.
    pub(super) verdict: &'static str,
    /// How many broke the rule.
    pub(super) reproduced: u32,
}

impl Replays {
    pub(super) fn of(
        executor: &mut Measured<dyn Executor>,
        entry: &Entry,
        trace: &Trace,
        rules: Rules,
        finding: &Finding,
    ) -> Result<Self> {
        let mut replays = Self {
            verdict: "",
            reproduced: 0,
        };
        for _ in 0..REPLAYS {
            let (_, verdict) = executor.verdict(entry, trace, rules)?;
            let same = verdict
                .finding()
                .is_some_and(|found| found.rule() == finding.rule());
            replays.reproduced += u32::from(same);
            replays.verdict = verdict.name();
        }
        Ok(replays)
    }
}
