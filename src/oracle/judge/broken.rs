//! What tells a find of a subject from its others.
//!
//! Places in the code are compared to the line, of faults too: within one program an instruction
//! has one line, and of some forty planted defects no fault was met at two. For another machine, or
//! by another build, a load may be laid to a line nearby, so only places that one program has told
//! are compared.

use harness::op::OpKind;

use super::Finding;
use crate::oracle::rules::Rule;
use crate::run::fault::SourceLine;

/// What a trace breaks, and where.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Broken {
    /// The rule.
    pub rule: Rule,
    /// The kind of op; `None`: any.
    pub kind: Option<OpKind>,
    /// The line of code of a panic or a fault; `None`: any, since it is not known.
    pub source: Option<SourceLine>,
}

impl Broken {
    /// Whether a finding is of this, and known to be: one without a place is not of one that has
    /// one.
    #[must_use]
    pub fn is(&self, finding: &Finding) -> bool {
        let found = Self::from(finding);
        self.may_be(&found) && (self.source.is_none() || found.source.is_some())
    }

    /// Whether the two are the same, as far as is known.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        let kinds = self.kind.zip(other.kind);
        let sources = self.source.as_ref().zip(other.source.as_ref());
        self.rule == other.rule
            && kinds.is_none_or(|(one, another)| one == another)
            && sources.is_none_or(|(one, another)| one == another)
    }
}

impl From<&Finding> for Broken {
    fn from(finding: &Finding) -> Self {
        Self {
            rule: finding.rule(),
            kind: Some(finding.kind),
            source: finding.violation.source().cloned(),
        }
    }
}
