//! Words for faults and the ends of runs.

use std::fmt;

use super::{offset, one_line, outcome};
use crate::run::RunEnd;
use crate::run::fault::{Fault, Panic, Place, SourceLine};

/// What there should be in the place of a fault, and the fault.
pub(super) fn of(unit: u64, what: &Fault) -> (String, String) {
    let expected = match what {
        Fault::Store { heap_bytes, .. } => format!("stores inside the heap's {heap_bytes} bytes"),
        Fault::Answer { .. } => "an answer that fits the op".to_owned(),
        Fault::Record { observed, ops } if observed > ops => format!("a record of {ops} ops"),
        Fault::Signal { .. } | Fault::Trap { .. } => "no access that traps".to_owned(),
        _ => "a complete record".to_owned(),
    };
    (expected, fault(unit, what))
}

/// A fault in words.
#[must_use]
pub fn fault(unit: u64, fault: &Fault) -> String {
    let end = |end| self::end(unit, end);
    match fault {
        Fault::Signal { number, at, source } => {
            format!("{}{}", Signal(*number, *at), In(source))
        }
        Fault::Trap { cause, at, source } => {
            let cause = trap(*cause).map_or_else(|| format!("trap {cause:#x}"), str::to_owned);
            format!("{cause}{}{}", At(*at), In(source))
        }
        Fault::Store {
            offset: at,
            heap_bytes,
        } => {
            let place = match at < heap_bytes {
                true => "in another owner's page",
                false => "behind the heap's end",
            };
            format!("a store at {}, {place}", offset(unit, at.cast_signed()))
        }
        Fault::Answer { outcome: answer } => outcome(*answer),
        Fault::Record { observed, ops } if observed > ops => format!("one of {observed}"),
        Fault::Record { observed, ops } => format!("no complete record: {observed} of {ops} ops"),
        Fault::WorkerSilent => "the worker process exited without reporting a result".to_owned(),
        Fault::GuestSilent => "the guest replied without a record".to_owned(),
        Fault::GuestDied { said } => format!("the guest died: {}", one_line(said)),
        Fault::GuestContradicts {
            observed,
            begun,
            ops,
            end: how,
        } => format!(
            "the guest's record cannot be believed: {observed} of {ops} ops observed, {begun} \
             begun, {}",
            end(how)
        ),
        Fault::GuestDamaged { end: how } => {
            format!("the guest itself was damaged: {}", end(how))
        }
        Fault::NotAlone { among, alone } => {
            format!("{}; run alone: {}", end(among), end(alone))
        }
    }
}

/// A signal by its number, and the place accessed if it is about one. Written without memory, since
/// a signal handler writes it.
pub(crate) struct Signal(pub u64, pub Option<Place>);

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 as i32 {
            libc::SIGSEGV => "SIGSEGV",
            libc::SIGBUS => "SIGBUS",
            libc::SIGILL => "SIGILL",
            libc::SIGFPE => "SIGFPE",
            libc::SIGABRT => "SIGABRT",
            _ => "a signal",
        })?;
        At(self.1).fmt(f)
    }
}

/// The names of the privileged specification, table "Machine cause register values after trap".
/// What physical memory protection denies is an access fault, what page tables deny a page fault.
fn trap(cause: u64) -> Option<&'static str> {
    Some(match cause {
        0 => "instruction address misaligned",
        1 => "instruction access fault",
        2 => "illegal instruction",
        3 => "breakpoint",
        4 => "load address misaligned",
        5 => "load access fault",
        6 => "store address misaligned",
        7 => "store access fault",
        12 => "instruction page fault",
        13 => "load page fault",
        15 => "store page fault",
        _ => return None,
    })
}

/// The place accessed, behind a space; nothing if none was.
struct At(Option<Place>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            None => Ok(()),
            Some(Place::Heap(offset @ ..0)) => {
                write!(f, " at heap-{:#x}", offset.unsigned_abs())
            }
            Some(Place::Heap(offset)) => write!(f, " at heap+{offset:#x}"),
            Some(Place::Null(0)) => f.write_str(" at null"),
            Some(Place::Null(offset)) => write!(f, " at null+{offset:#x}"),
            Some(Place::Guest) => f.write_str(" in the guest's own memory, or its stack is full"),
            Some(Place::Mailbox) => f.write_str(" in the mailbox"),
            Some(Place::Far) => f.write_str(" far outside the heap"),
        }
    }
}

/// The line of code, behind a comma; nothing if it is not known.
struct In<'a>(&'a Option<SourceLine>);

impl fmt::Display for In<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .as_ref()
            .map_or(Ok(()), |line| write!(f, ", at {line}"))
    }
}

/// A panic in words.
#[must_use]
pub fn panic(what: &Panic) -> String {
    format!("{}{}", one_line(&what.message), In(&what.source))
}

/// How a run ended, with what is known of why.
#[must_use]
pub fn end(unit: u64, end: &RunEnd) -> String {
    match end {
        RunEnd::Completed => "completed".to_owned(),
        RunEnd::Lost => "the heap was lost".to_owned(),
        RunEnd::Hung => "hung".to_owned(),
        RunEnd::Panicked(what) => panic(what),
        RunEnd::Faulted(what) => fault(unit, what),
    }
}
