//! What a fuzz target says when its process ends, and what ClusterFuzz knows its finds by.

use std::fmt;

use harness::transcript::{End, FILE_BYTES, MESSAGE_BYTES, Transcript};

use super::{CURRENT, TRANSCRIPT};
use crate::execute::host;
use crate::oracle::crash_key::CrashKey;
use crate::oracle::rules::Rule;
use crate::wording::Signal;

/// Writes the input under way and its end, before the process dies of it. Called by signal
/// handlers, so it only tries the lock, which the thread under way holds for reading.
pub(super) fn tell_crash(out: &mut dyn fmt::Write) -> fmt::Result {
    let (Ok(current), Some(transcript)) = (CURRENT.try_read(), TRANSCRIPT.get()) else {
        return Ok(());
    };
    let Some((subject, trace)) = &*current else {
        return Ok(());
    };
    let rule = match transcript.end() {
        End::Panicked => Rule::Panic,
        End::Faulted => Rule::Fault,
        End::Hung | End::None => Rule::Hang,
        End::Completed | End::Lost | End::Stopped => return Ok(()),
    };
    let subject = subject.name;
    let has_place = rule == Rule::Panic && transcript.place().is_some();
    let source = has_place.then_some(PanicLine(transcript));
    write!(out, "{subject} crashes: {rule}: ")?;
    match rule {
        Rule::Panic => {
            write_text::<MESSAGE_BYTES>(out, transcript.message())?;
            if let Some(source) = &source {
                write!(out, ", at {source}")?;
            }
        }
        Rule::Fault => {
            let (number, at) = host::signal_of(transcript.fault(), trace.geometry);
            write!(out, "{}", Signal(number, at))?;
        }
        _ => out.write_str("an op did not return")?,
    }
    writeln!(out, "\n{trace}")?;
    tell_key(out, subject, rule, source)
}

/// The line of a panic, written without memory.
struct PanicLine<'a>(&'a Transcript);

impl fmt::Display for PanicLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((file, line)) = self.0.place() else {
            return Ok(());
        };
        write_text::<FILE_BYTES>(f, file)?;
        write!(f, ":{line}")
    }
}

/// Writes bytes as far as they are text, of which there are at most `MAX`.
fn write_text<const MAX: usize>(
    out: &mut dyn fmt::Write,
    bytes: impl Iterator<Item = u8>,
) -> fmt::Result {
    let mut text = [0; MAX];
    let length = text.iter_mut().zip(bytes).map(|(at, byte)| *at = byte);
    let length = length.count();
    let mut chunks = text[..length].utf8_chunks();
    chunks.try_for_each(|chunk| out.write_str(chunk.valid()))
}

/// Tells ClusterFuzz what to know the crash by: the stack is the same for all. It takes the quoted
/// text of a line in the form that Rust's panics had before 1.73 for the first line of a crash
/// state.
pub(super) fn tell_key(
    out: &mut dyn fmt::Write,
    subject: &str,
    rule: Rule,
    source: Option<impl fmt::Display>,
) -> fmt::Result {
    let key = CrashKey {
        subject,
        rule,
        source,
    };
    writeln!(out, "thread '{subject}' panicked at '{key}'")
}
