//! The structure rules: what a chunk list must look like, for subjects that list their chunks.

use harness::observation::Observation;

use crate::judge::{Broken, Judge, evidence};
use crate::model::contract::Blocks;
use crate::model::exact::Placing;
use crate::rules::Rule;

impl<B: Blocks, E: Placing> Judge<B, E> {
    pub(super) fn broken_structure(&self, observation: &Observation) -> Option<Broken> {
        let offset = |at: u64| evidence::offset(self.declaration.unit, at.cast_signed());
        let walk = observation.walk.as_ref();
        if let Some((walk, at)) = walk.and_then(|walk| Some((walk, walk.broken_at?))) {
            return Some(Broken {
                rule: Rule::BrokenTable,
                expected: "chunks that end exactly where the next begins, up to the tail"
                    .to_owned(),
                observed: format!(
                    "the chunk at {} does not ({} walked)",
                    offset(at),
                    walk.chunks
                ),
            });
        }
        if let Some(line) = observation.table_line_wrong {
            return Some(Broken {
                rule: Rule::BrokenTable,
                expected: "a printed line for each chunk walked".to_owned(),
                observed: format!("line {} of the table is another", u64::from(line) + 1),
            });
        }
        let at = walk?.unmerged_at?;
        Some(Broken {
            rule: Rule::Unmerged,
            expected: "no free chunk behind a free one".to_owned(),
            observed: format!("one behind the free chunk at {}", offset(at)),
        })
    }
}
