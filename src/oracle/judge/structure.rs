//! The structure rules: what a chunk list must look like, for subjects that list their chunks.

use harness::observation::Observation;

use crate::oracle::judge::Judge;
use crate::oracle::model::contract::Blocks;
use crate::oracle::model::exact::Placing;
use crate::oracle::violation::{TableBreak, Violation};

impl<B: Blocks, E: Placing> Judge<B, E> {
    pub(super) fn broken_structure(&self, observation: &Observation) -> Option<Violation> {
        let walk = observation.walk.as_ref();
        if let Some((walk, offset)) = walk.and_then(|walk| Some((walk, walk.broken_at?))) {
            let chunks = walk.chunks;
            return Some(Violation::BrokenTable(TableBreak::Walk { offset, chunks }));
        }
        if let Some(line) = observation.table_line_wrong {
            return Some(Violation::BrokenTable(TableBreak::Line(line)));
        }
        let offset = walk?.unmerged_at?;
        Some(Violation::Unmerged { offset })
    }
}
