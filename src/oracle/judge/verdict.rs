//! What judging a run comes to.

use harness::op::OpKind;

use crate::oracle::rules::Rule;
use crate::oracle::violation::Violation;

/// A rule that an op broke.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which, with the evidence.
    pub violation: Violation,
    /// The op that broke it, counted from 0.
    pub op: usize,
    /// What sort of call that was.
    pub kind: OpKind,
}

impl Finding {
    /// The rule.
    #[must_use]
    pub const fn rule(&self) -> Rule {
        self.violation.rule()
    }
}

/// What a run comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// No judged rule was broken.
    Agree,
    /// The subject went on, wrongly.
    Diverge(Finding),
    /// The subject panicked or made an access that trapped.
    Crash(Finding),
    /// An op did not return.
    Hang(Finding),
}

impl Verdict {
    /// Every word that [`Self::name`] can be.
    pub const NAMES: [&str; 4] = ["agree", "diverge", "crash", "hang"];

    /// The word people and regressions use.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Agree => "agree",
            Self::Diverge(_) => "diverge",
            Self::Crash(_) => "crash",
            Self::Hang(_) => "hang",
        }
    }

    /// The broken rule, unless it is [`Verdict::Agree`].
    #[must_use]
    pub const fn finding(&self) -> Option<&Finding> {
        match self {
            Self::Agree => None,
            Self::Diverge(finding) | Self::Crash(finding) | Self::Hang(finding) => Some(finding),
        }
    }
}

impl From<Option<Finding>> for Verdict {
    fn from(finding: Option<Finding>) -> Self {
        match finding {
            None => Self::Agree,
            Some(finding) => match finding.rule() {
                Rule::Panic | Rule::Fault => Self::Crash(finding),
                Rule::Hang => Self::Hang(finding),
                _ => Self::Diverge(finding),
            },
        }
    }
}
