//! The verdict that a trace expects of a subject: `expect SUBJECT [on host|qemu] VERDICT [RULE] [at
//! OP]`.

use std::fmt;
use std::str::FromStr;

use crate::execute::side::Side;
use crate::oracle::judge::Verdict;
use crate::oracle::rules::Rule;

/// What stands behind `expect`.
const FORM: &str = "`SUBJECT [on host|qemu] VERDICT [RULE] [at OP]`";

/// The verdict expected of a subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expectation {
    /// The subject's name.
    pub subject: String,
    /// The one side that it is expected on; `None`: on both, and that they do the same.
    pub on: Option<Side>,
    /// The verdict's name.
    pub verdict: String,
    /// The rule broken, where it is named.
    pub rule: Option<Rule>,
    /// The op that breaks it, where it is named.
    pub op: Option<usize>,
}

impl Expectation {
    /// The expectation that says exactly what a verdict says, on both sides.
    #[must_use]
    pub fn of(subject: &str, verdict: &Verdict) -> Self {
        Self {
            subject: subject.to_owned(),
            on: None,
            verdict: verdict.name().to_owned(),
            rule: verdict.finding().map(|finding| finding.rule()),
            op: verdict.finding().map(|finding| finding.op),
        }
    }

    /// The same of one side, or of both.
    #[must_use]
    pub fn on(self, on: Option<Side>) -> Self {
        Self { on, ..self }
    }

    /// The same at the op at which a verdict says so; `None` if it says something else.
    pub(super) fn moved_to(self, verdict: &Verdict) -> Option<Self> {
        let op = self.op.and(verdict.finding().map(|finding| finding.op));
        let moved = Self { op, ..self };
        moved.is_met_by(verdict).then_some(moved)
    }

    /// Whether a verdict, on a side of which it speaks, is as expected.
    #[must_use]
    pub fn is_met_by(&self, verdict: &Verdict) -> bool {
        let found = Self::of(&self.subject, verdict);
        self.verdict == found.verdict
            && self.rule.is_none_or(|rule| found.rule == Some(rule))
            && self.op.is_none_or(|op| found.op == Some(op))
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject)?;
        self.on
            .map_or(Ok(()), |side| write!(f, " on {}", side.name()))?;
        write!(f, " {}", self.verdict)?;
        self.rule.map_or(Ok(()), |rule| write!(f, " {rule}"))?;
        self.op.map_or(Ok(()), |op| write!(f, " at {op}"))
    }
}

impl FromStr for Expectation {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut words = text.split_whitespace().peekable();
        let subject = words.next().ok_or(FORM)?.to_owned();
        let on = match words.next_if_eq(&"on") {
            None => None,
            Some(_) => {
                let side = words.next().unwrap_or_default().parse();
                Some(side.map_err(|sides| format!("{FORM} with {sides}"))?)
            }
        };
        let verdict = words.next().filter(|word| Verdict::NAMES.contains(word));
        let verdict = verdict
            .ok_or_else(|| format!("{FORM} with a verdict of `{}`", Verdict::NAMES.join("`, `")))?
            .to_owned();
        let rule = words
            .next_if(|word| *word != "at")
            .map(str::parse)
            .transpose()?;
        let op = match words.next() {
            None => None,
            Some("at") => {
                let number = words.next().and_then(|word| word.parse().ok());
                Some(number.ok_or_else(|| format!("{FORM} with an op's number behind `at`"))?)
            }
            Some(_) => return Err(FORM.to_owned()),
        };
        if words.next().is_some() {
            return Err(FORM.to_owned());
        }
        Ok(Self {
            subject,
            on,
            verdict,
            rule,
            op,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_read_as_they_print() {
        for text in [
            "kmem agree",
            "kmem-2019 diverge misaligned at 0",
            "kmem-2019 hang",
            "kmem-2019 crash fault",
            "kmem-2019 diverge at 3",
            "kmem-2019 on host crash fault at 2",
            "kmem on qemu agree",
        ] {
            assert_eq!(text.parse::<Expectation>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn errors_say_what_could_stand_there() {
        let error = |text: &str| text.parse::<Expectation>().unwrap_err();
        let verdicts = "with a verdict of `agree`, `diverge`, `crash`, `hang`";
        assert_eq!(error("kmem fine"), format!("{FORM} {verdicts}"));
        assert_eq!(error("kmem on host"), format!("{FORM} {verdicts}"));
        for text in ["kmem on guest agree", "kmem on", "kmem on agree"] {
            assert_eq!(error(text), format!("{FORM} with a side of `host`, `qemu`"));
        }
        assert!(error("kmem diverge nonsense").starts_with("a rule (`imp"));
        assert!(error("kmem diverge leak at x").contains("an op's number behind `at`"));
        for text in [
            "",
            "kmem agree leak 3",
            "kmem diverge leak at 3 4",
            "kmem agree on host",
        ] {
            assert!(
                error(text).contains("rule") || error(text) == FORM,
                "{text}"
            );
        }
    }
}
