//! The rules a subject is judged by. Their identifiers are part of the interface.

use std::fmt;
use std::str::FromStr;

use crate::suggest::did_you_mean;

/// A rule, in order of precedence: if one op breaks several, the first is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// A request larger than the whole heap was granted; nothing else is then judged.
    ImpossibleSuccess,
    /// A block leaves the heap.
    OutOfBounds,
    /// A block shares bytes with a live one.
    Overlap,
    /// A block's offset is no multiple of the alignment asked for.
    Misaligned,
    /// A live block's bytes changed behind the client's back.
    Corrupted,
    /// A zeroed block holds a byte that is not 0.
    NotZeroed,
    /// A realloc did not carry the contents over.
    ReallocLostContents,
    /// Null although the request must fit.
    SpuriousOom,
    /// The empty heap no longer grants what the fresh one did.
    Leak,
    /// The chunk walk does not end exactly at the tail, or the printed table contradicts it.
    BrokenTable,
    /// Two adjacent free chunks.
    Unmerged,
    /// Another offset than the policy's.
    Placement,
    /// A chunk list that differs from the exact model's.
    Table,
    /// A misuse was not refused although that is promised.
    MisuseAccepted,
    /// A misuse changed state although that is excluded.
    MisuseDamage,
    /// The subject panicked.
    Panic,
    /// A memory access that traps: a signal on the host, a trap in the guest.
    Fault,
    /// An op did not return in time.
    Hang,
    /// Host and guest disagree on outcomes, offsets or digests.
    HostGuest,
}

/// A set of rules that is switched on and off together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RuleSet {
    /// What every client of an allocator relies on.
    Contract,
    /// What a chunk list must look like.
    Structure,
    /// What a subject with a declared policy promises to the byte.
    Policy,
    /// What a subject promises about its client's errors.
    Misuse,
    /// Crashes, hangs, and host against guest: always judged.
    Machine,
}

impl Rule {
    /// Every rule, in order of precedence.
    pub const ALL: [Self; 19] = [
        Self::ImpossibleSuccess,
        Self::OutOfBounds,
        Self::Overlap,
        Self::Misaligned,
        Self::Corrupted,
        Self::NotZeroed,
        Self::ReallocLostContents,
        Self::SpuriousOom,
        Self::Leak,
        Self::BrokenTable,
        Self::Unmerged,
        Self::Placement,
        Self::Table,
        Self::MisuseAccepted,
        Self::MisuseDamage,
        Self::Panic,
        Self::Fault,
        Self::Hang,
        Self::HostGuest,
    ];

    /// The identifier.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ImpossibleSuccess => "impossible-success",
            Self::OutOfBounds => "out-of-bounds",
            Self::Overlap => "overlap",
            Self::Misaligned => "misaligned",
            Self::Corrupted => "corrupted",
            Self::NotZeroed => "not-zeroed",
            Self::ReallocLostContents => "realloc-lost-contents",
            Self::SpuriousOom => "spurious-oom",
            Self::Leak => "leak",
            Self::BrokenTable => "broken-table",
            Self::Unmerged => "unmerged",
            Self::Placement => "placement",
            Self::Table => "table",
            Self::MisuseAccepted => "misuse-accepted",
            Self::MisuseDamage => "misuse-damage",
            Self::Panic => "panic",
            Self::Fault => "fault",
            Self::Hang => "hang",
            Self::HostGuest => "host-guest",
        }
    }

    /// What it means to break it, in a sentence.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::ImpossibleSuccess => "A request larger than the whole heap was granted.",
            Self::OutOfBounds => "A block leaves the heap.",
            Self::Overlap => "A block shares bytes with a live one.",
            Self::Misaligned => "A block's offset is no multiple of the alignment asked for.",
            Self::Corrupted => "A live block's bytes changed behind the client's back.",
            Self::NotZeroed => "A zeroed block holds a byte that is not 0.",
            Self::ReallocLostContents => "A realloc did not carry the contents over.",
            Self::SpuriousOom => "Null although the request must fit.",
            Self::Leak => "The empty heap no longer grants what the fresh one did.",
            Self::BrokenTable => {
                "The chunks do not end at the tail, or the table contradicts them."
            }
            Self::Unmerged => "Two free chunks are neighbours.",
            Self::Placement => "A block lies elsewhere than the policy places it.",
            Self::Table => "The chunks are others than the exact model's.",
            Self::MisuseAccepted => "A misuse was not refused although that is promised.",
            Self::MisuseDamage => "A misuse changed state although that is excluded.",
            Self::Panic => "The subject panicked.",
            Self::Fault => "The subject made a memory access that traps.",
            Self::Hang => "An op did not return in time.",
            Self::HostGuest => "Host and guest disagree.",
        }
    }

    /// The set the rule is judged with.
    #[must_use]
    pub const fn set(self) -> RuleSet {
        match self {
            Self::ImpossibleSuccess
            | Self::OutOfBounds
            | Self::Overlap
            | Self::Misaligned
            | Self::Corrupted
            | Self::NotZeroed
            | Self::ReallocLostContents
            | Self::SpuriousOom
            | Self::Leak => RuleSet::Contract,
            Self::BrokenTable | Self::Unmerged => RuleSet::Structure,
            Self::Placement | Self::Table => RuleSet::Policy,
            Self::MisuseAccepted | Self::MisuseDamage => RuleSet::Misuse,
            Self::Panic | Self::Fault | Self::Hang | Self::HostGuest => RuleSet::Machine,
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Rule {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|rule| rule.name() == name)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name);
                let meant = did_you_mean(name, names.into_iter());
                format!("a rule (`{}`){meant}", names.join("`, `"))
            })
    }
}

/// Which sets are judged; machine rules always are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    contract: bool,
    structure: bool,
    policy: bool,
    misuse: bool,
}

impl Rules {
    /// Every set.
    pub const ALL: Self = Self {
        contract: true,
        structure: true,
        policy: true,
        misuse: true,
    };
    /// Machine rules alone.
    pub const MACHINE: Self = Self {
        contract: false,
        structure: false,
        policy: false,
        misuse: false,
    };

    /// One set, and machine rules.
    #[must_use]
    pub fn only(set: RuleSet) -> Self {
        Self {
            contract: set == RuleSet::Contract,
            structure: set == RuleSet::Structure,
            policy: set == RuleSet::Policy,
            misuse: set == RuleSet::Misuse,
        }
    }

    /// Whether a set is judged.
    #[must_use]
    pub const fn judges(self, set: RuleSet) -> bool {
        match set {
            RuleSet::Contract => self.contract,
            RuleSet::Structure => self.structure,
            RuleSet::Policy => self.policy,
            RuleSet::Misuse => self.misuse,
            RuleSet::Machine => true,
        }
    }
}

impl FromStr for Rules {
    type Err = String;

    /// Reads `contract,structure,policy,misuse` or any part of it; `machine` may be named too.
    fn from_str(text: &str) -> Result<Self, String> {
        let mut rules = Self::MACHINE;
        for name in text.split(',').map(str::trim) {
            match name {
                "contract" => rules.contract = true,
                "structure" => rules.structure = true,
                "policy" => rules.policy = true,
                "misuse" => rules.misuse = true,
                "machine" => {}
                _ => {
                    return Err(
                        "rule sets (`contract`, `structure`, `policy`, `misuse`, `machine`), \
                         separated by commas"
                            .to_owned(),
                    );
                }
            }
        }
        Ok(rules)
    }
}

impl fmt::Display for Rules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sets = [
            (self.contract, "contract"),
            (self.structure, "structure"),
            (self.policy, "policy"),
            (self.misuse, "misuse"),
        ];
        let names: Vec<_> = sets
            .iter()
            .filter(|(on, _)| *on)
            .map(|(_, name)| *name)
            .collect();
        f.write_str(if names.is_empty() { "machine" } else { "" })?;
        f.write_str(&names.join(","))
    }
}
