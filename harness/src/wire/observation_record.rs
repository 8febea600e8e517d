//! The fixed-size binary record of an observation.

use crate::observation::{Contents, Observation, Outcome, WalkDigest};
use crate::trace::op::Handle;

/// Words of an observation's record.
pub const OBSERVATION_WORDS: usize = 12;

/// An outcome's first word. Numbers alone, so that the guest needs no jump table, which costs QEMU
/// more than some branches.
const fn tag(outcome: &Outcome) -> u64 {
    match outcome {
        Outcome::Placed(_) => 1,
        Outcome::Null => 2,
        Outcome::Done => 3,
        Outcome::Refused => 4,
        Outcome::Capacity(_) => 5,
        Outcome::NotExpressible => 6,
        Outcome::NoBlock => 7,
    }
}

/// The record of an observation. Optional numbers are stored plus one, 0 meaning none.
#[must_use]
#[inline]
pub fn encode_observation(observation: &Observation) -> [u64; OBSERVATION_WORDS] {
    let Observation {
        outcome,
        contents,
        walk,
        table_line_wrong,
    } = *observation;
    let value = match outcome {
        Outcome::Placed(offset) => offset as u64,
        Outcome::Capacity(bytes) => bytes,
        _ => 0,
    };
    let (handle, byte) = contents
        .corrupted
        .map_or((0, 0), |(h, byte)| (u64::from(h.0) + 1, byte));
    let some = |number: Option<u64>| number.map_or(0, |number| number + 1);
    let walked = walk.map_or(0, |walk| u64::from(walk.chunks) + 1);
    [
        tag(&outcome),
        value,
        handle,
        byte,
        some(contents.not_zeroed),
        some(contents.realloc_lost),
        some(contents.stray_store),
        walked,
        some(walk.and_then(|walk| walk.broken_at)),
        some(walk.and_then(|walk| walk.unmerged_at)),
        walk.map_or(0, |walk| walk.hash),
        some(table_line_wrong.map(u64::from)),
    ]
}

/// The observation of a record; `None` if it is none, as in memory that was never written or that
/// a guest has overwritten.
#[must_use]
pub fn decode_observation(words: &[u64; OBSERVATION_WORDS]) -> Option<Observation> {
    let [
        tag,
        value,
        handle,
        byte,
        zero,
        realloc,
        stray,
        walked,
        broken,
        unmerged,
        hash,
        line,
    ] = *words;
    let outcome = match tag {
        1 => Outcome::Placed(value as i64),
        2 => Outcome::Null,
        3 => Outcome::Done,
        4 => Outcome::Refused,
        5 => Outcome::Capacity(value),
        6 => Outcome::NotExpressible,
        7 => Outcome::NoBlock,
        _ => return None,
    };
    let narrow = |number: Option<u64>| number.map(u32::try_from).transpose().ok();
    let some = |number: u64| number.checked_sub(1);
    let contents = Contents {
        corrupted: narrow(some(handle))?.map(|handle| (Handle(handle), byte)),
        not_zeroed: some(zero),
        realloc_lost: some(realloc),
        stray_store: some(stray),
    };
    let walk = narrow(some(walked))?.map(|chunks| WalkDigest {
        broken_at: some(broken),
        unmerged_at: some(unmerged),
        chunks,
        hash,
    });
    Some(Observation {
        outcome,
        contents,
        walk,
        table_line_wrong: narrow(some(line))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_observation_decodes_to_itself_and_garbage_to_none() {
        let contents = Contents {
            corrupted: Some((Handle(0), 9)),
            not_zeroed: Some(0),
            realloc_lost: None,
            stray_store: Some(192),
        };
        let walk = WalkDigest {
            broken_at: None,
            unmerged_at: Some(0),
            chunks: 3,
            hash: u64::MAX,
        };
        let full = Observation {
            outcome: Outcome::Placed(-8),
            contents,
            walk: Some(walk),
            table_line_wrong: Some(0),
        };
        let outcomes = [
            Outcome::Placed(-8),
            Outcome::Null,
            Outcome::Done,
            Outcome::Refused,
            Outcome::Capacity(7),
            Outcome::NotExpressible,
            Outcome::NoBlock,
        ];
        for observation in outcomes.map(Observation::of).into_iter().chain([full]) {
            assert_eq!(
                decode_observation(&encode_observation(&observation)),
                Some(observation)
            );
        }
        assert_eq!(decode_observation(&[0; OBSERVATION_WORDS]), None);
        assert_eq!(decode_observation(&[u64::MAX; OBSERVATION_WORDS]), None);
    }
}
