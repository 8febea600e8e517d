//! Rows as JUnit XML, in the dialect that Jenkins, GitLab and others read.
//!
//! A trace file is a suite, a run of it on one subject and one side a test case, which fails if its
//! verdict is not as expected. No times: what a run takes depends on the machine's other work and
//! says nothing about the allocator.

use std::fmt::Write;

use crate::regression::replay::{Row, Summary};
use crate::report::xml::escaped;

/// The whole document.
#[must_use]
pub fn document(rows: &[Row], summary: &Summary) -> String {
    let Summary {
        runs, unexpected, ..
    } = summary;
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites name=\"kmem-rig replay\" tests=\"{runs}\" failures=\"{unexpected}\" errors=\"0\">\n"
    );
    for suite in rows.chunk_by(|one, next| one.trace == next.trace) {
        write_suite(&mut text, suite);
    }
    text.push_str("</testsuites>\n");
    text
}

fn write_suite(text: &mut String, rows: &[Row]) {
    let failures = rows.iter().filter(|row| !row.passes()).count();
    let (name, tests) = (escaped(&rows[0].trace), rows.len());
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\">"
    );
    for row in rows {
        let (subject, on) = (row.subject, row.on.name());
        let case = format!("<testcase name=\"{subject} on {on}\" classname=\"{name}\"");
        let _ = match row.passes() {
            true => writeln!(text, "    {case}/>"),
            false => writeln!(text, "    {case}>\n{}    </testcase>", failure(row)),
        };
    }
    text.push_str("  </testsuite>\n");
}

fn failure(row: &Row) -> String {
    let (kind, verdict) = (
        row.rule.unwrap_or(row.verdict),
        escaped(&row.verdict_in_words()),
    );
    let mut text = format!("the trace expects: {}\n", row.wanted());
    if let (Some(expected), Some(observed)) = (&row.expected, &row.observed) {
        text += &format!("expected: {expected}\nobserved: {observed}\n");
    }
    let text = escaped(&text);
    format!("      <failure type=\"{kind}\" message=\"{verdict}\">{text}</failure>\n")
}
