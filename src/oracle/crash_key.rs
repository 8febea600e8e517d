//! What tells a violation from others in the tools that compare crashes.

use std::fmt;

use crate::oracle::rules::Rule;

/// What tells a find from others, whichever trace shows it, in the form in which ClusterFuzz
/// compares crash states exactly and not by likeness.
pub struct CrashKey<'a, Source> {
    /// The subject's name.
    pub subject: &'a str,
    /// The broken rule.
    pub rule: Rule,
    /// The line of code of a panic or a fault, where it is known.
    pub source: Option<Source>,
}

impl<Source: fmt::Display> fmt::Display for CrashKey<'_, Source> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FuzzerHash={}:{}", self.subject, self.rule)?;
        let source = self.source.as_ref();
        source.map_or(Ok(()), |source| write!(f, ":{source}"))
    }
}
