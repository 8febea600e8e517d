//! A find as a Rust test for the allocator's own test suite, without the rig.
//!
//! The test makes a heap over memory of its own, performs the trace's ops through the calls of
//! `GlobalAlloc` (and `kmalloc`, `kzmalloc`, `kfree` where the subject has them), and asserts what
//! a client of any allocator relies on. It fails as long as the bug is there: by an assertion that
//! starts with the rule's name, by the subject's panic, or by a signal where the subject stores or
//! loads outside its heap.
//!
//! What no call shows cannot be asserted. Of a rule about chunks the test asserts what comes of it:
//! that the emptied heap grants what the fresh one did. That is tried before it is promised.
//!
//! `reproducer/*.rs` is the part of the text that is the same for every trace.

use std::fmt::Write;

use anyhow::{Result, bail};
use harness::declaration::{Declaration, Reuse};
use harness::entry::Entry;
use harness::ground::DIRT;
use harness::observation::Outcome;
use harness::op::{Align, Op, OpKind};
use harness::text::write_op;
use harness::trace::Trace;

use crate::execute::host::Host;
use crate::oracle::judge::{Finding, Verdict};
use crate::oracle::rules::{Rule, RuleSet, Rules};
use crate::run::Run;
use crate::wording::Words;
use crate::wording::printable::printable;

const CLIENT: &str = include_str!("reproducer/client.rs");
const NATIVE: &str = include_str!("reproducer/native.rs");
const LAYOUTS: &str = include_str!("reproducer/layouts.rs");

/// What a test asserts, and how it came to be known.
struct Case {
    trace: Trace,
    run: Run,
    finding: Finding,
    /// The find as the rig tells it, where that is another one.
    instead_of: Option<Finding>,
}

/// Writes the test of a trace that a subject does not agree with. `name` becomes the test's.
///
/// # Errors
/// If the subject agrees, if what it breaks cannot be asserted by calls alone, or if the rig itself
/// cannot do its work.
pub fn write(
    host: &mut Host,
    entry: &Entry,
    name: &str,
    trace: &Trace,
    rules: Rules,
) -> Result<String> {
    let case = case(host, entry, trace, rules)?;
    Ok(text(&entry.declaration, name, &case))
}

fn case(host: &mut Host, entry: &Entry, trace: &Trace, rules: Rules) -> Result<Case> {
    let subject = entry.name();
    let (run, verdict) = host.verdict(entry, trace, rules)?;
    let Some(finding) = verdict.finding() else {
        bail!("{subject} agrees with this trace: there is nothing to assert");
    };
    let no = |why: &str| {
        let rule = finding.rule();
        format!("no test of calls alone can assert `{rule}` of {subject}: {why}")
    };
    let mut trace = trace.clone();
    trace.ops.truncate(finding.op + 1);
    if trace.clone().without_misuse() != trace {
        bail!(no(
            "the trace holds a client's misuse, after which nothing is promised"
        ));
    }
    if !trace.geometry.growth().is_none() {
        bail!(no(
            "the heap grows, and the test would have no page allocator"
        ));
    }
    match finding.rule() {
        Rule::Hang => bail!(no("the call never returns, so the test would not end")),
        Rule::HostGuest => bail!(no("it is about two machines")),
        Rule::Leak if finding.kind != OpKind::Capacity => {
            bail!(no("a refused free does not show through `dealloc`"))
        }
        Rule::Leak if entry.declaration.reuse == Reuse::Cached => {
            bail!(no("it keeps caches, so one capacity says nothing"))
        }
        _ => {}
    }
    if matches!(finding.rule().set(), RuleSet::Contract | RuleSet::Machine) {
        let (finding, instead_of) = (finding.clone(), None);
        return Ok(Case {
            trace,
            run,
            finding,
            instead_of,
        });
    }
    trace.ops.extend([Op::FreeAll, Op::Capacity]);
    let (run, visible) = host.verdict(entry, &trace, Rules::only(RuleSet::Contract))?;
    match visible {
        Verdict::Diverge(visible) if visible.kind == OpKind::Capacity => Ok(Case {
            trace,
            run,
            finding: visible,
            instead_of: Some(finding.clone()),
        }),
        _ => bail!(no("once all is freed, the heap is as good as new")),
    }
}

/// How a test makes a `kmem`: what it knows of its chunks lies beside the heap.
pub const NEW_KMEM: &str = "|start, bytes| {
    let side = vec![0_u64; Heap::side_bytes(bytes).div_ceil(8)].leak();
    // SAFETY: the memory is the heap's alone, and is never given back.
    unsafe { Heap::new(start, bytes, side.as_mut_ptr().cast()) }
}";

fn text(declaration: &Declaration, name: &str, case: &Case) -> String {
    let geometry = case.trace.geometry;
    let (heap, new_heap) = match declaration.name {
        "kmem-2019" => ("kmem::Kmem2019", "Heap::new"),
        "kmem" => ("kmem::Kmem", NEW_KMEM),
        _ => ("your_crate::YourHeap", "Heap::new"),
    };
    let fill = if declaration.region.zeroed { 0 } else { DIRT };
    let requests = if declaration.native { NATIVE } else { LAYOUTS };
    format!(
        "{}\
         #![allow(dead_code, unused_imports)]\n\n\
         use std::alloc::{{GlobalAlloc, Layout}};\n\n\
         // Your allocator: its type, and how one is made over so many bytes from an address.\n\
         type Heap = {heap};\n\
         const NEW_HEAP: unsafe fn(*mut u8, usize) -> Heap = {new_heap};\n\n\
         /// The heap, in bytes.\n\
         const HEAP_BYTES: usize = {};\n\
         /// Its address is a multiple of this.\n\
         const HEAP_ALIGN: usize = {};\n\
         /// What it holds before the allocator is made.\n\
         const FILL: u8 = {fill:#x};\n\
         /// What lies behind it.\n\
         const DIRT: u8 = {DIRT:#x};\n\n\
         #[test]\n\
         fn {}() {{\n{}}}\n\n\
         {CLIENT}{requests}",
        heading(declaration, case),
        geometry.bytes(),
        geometry.region_align(),
        identifier(name),
        calls(declaration, case),
    )
}

/// What the test is about, as the file's documentation.
fn heading(declaration: &Declaration, case: &Case) -> String {
    let told = case.instead_of.as_ref().unwrap_or(&case.finding);
    let (subject, rule, op) = (declaration.name, told.rule(), told.op);
    let (kind, words) = (
        told.kind.name(),
        Words::of(&told.violation, declaration.unit),
    );
    let mut text = format!("//! {subject} breaks `{rule}` at op {op} ({kind}): {words}.\n");
    if case.instead_of.is_some() {
        text.push_str(
            "//! What its client sees of that, once all is freed: the heap has shrunk.\n",
        );
    }
    text.push_str(match case.finding.rule() {
        Rule::Panic => "//! The test fails by that panic.\n",
        Rule::Fault => "//! The test fails by a signal, if no assertion comes first.\n",
        _ => "",
    });
    text.push_str(
        "//!\n//! Written by `kmem-rig show --rust`; it needs nothing but the allocator.\n",
    );
    // Of what a panic says, a compiler denies signs that a terminal obeys, even in a comment.
    printable(&text).into_owned()
}

/// The trace's ops as calls of the client.
fn calls(declaration: &Declaration, case: &Case) -> String {
    let Case {
        trace,
        run,
        finding,
        ..
    } = case;
    let mut text = "    let mut client = Client::new();\n".to_owned();
    let mut issued = 0;
    for (index, op) in trace.ops.iter().enumerate() {
        let mut line = String::new();
        // Writing to a string cannot fail.
        let _ = write_op(&mut line, op, &mut issued);
        let outcome = run.observations.get(index).map(|observed| observed.outcome);
        let call = match outcome {
            // The handle is used up all the same.
            Some(Outcome::NotExpressible) if matches!(op, Op::Alloc { .. }) => {
                Some("client.blocks.push(None)".to_owned())
            }
            Some(Outcome::NotExpressible) => None,
            _ => call(declaration, op),
        };
        let _ = match call {
            Some(call) => writeln!(text, "    {call}; // {index}: {line}"),
            None => writeln!(text, "    // {index}: {line}"),
        };
    }
    if finding.rule() == Rule::SpuriousOom {
        let expected = Words::of(&finding.violation, declaration.unit).expected;
        let _ = writeln!(text, "    client.assert_granted({expected:?});");
    }
    text
}

/// The call that an op stands for; `None` if it asks for nothing.
fn call(declaration: &Declaration, op: &Op) -> Option<String> {
    Some(match *op {
        Op::Alloc {
            size,
            align: None,
            zeroed,
        } if declaration.native => {
            let entry = if zeroed { "kzmalloc" } else { "kmalloc" };
            format!("client.{entry}({size})")
        }
        Op::Alloc {
            size,
            align,
            zeroed,
        } => {
            let entry = if zeroed { "alloc_zeroed" } else { "alloc" };
            let align = align.unwrap_or(Align::DEFAULT).bytes();
            format!("client.{entry}({size}, {align})")
        }
        Op::Realloc { handle, size } => format!("client.realloc({}, {size})", handle.0),
        Op::Free { handle } => format!("client.free({})", handle.0),
        Op::FreeAll => "client.free_all()".to_owned(),
        Op::Capacity => "client.assert_whole()".to_owned(),
        Op::FreeNull => declaration
            .native
            .then(|| "client.free_null()".to_owned())?,
        // Nothing is called, and misuse was turned down before.
        Op::Table | Op::FreeInterior { .. } | Op::FreeWild { .. } | Op::Write { .. } => {
            return None;
        }
    })
}

/// The name as a Rust identifier.
fn identifier(name: &str) -> String {
    let letters = name.chars().map(|c| {
        if c.is_ascii_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '_'
        }
    });
    // Neither empty nor a keyword, and not starting with a digit.
    letters.fold("trace_".to_owned(), |mut name, letter| {
        name.push(letter);
        name
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oracle::violation::Violation;
    use crate::run::RunEnd;
    use crate::run::fault::Panic;
    use harness::geometry::Geometry;

    #[test]
    fn what_a_panic_says_is_no_instruction() {
        let case = Case {
            trace: Trace::new(Geometry::published()),
            run: Run {
                observations: Vec::new(),
                tables: Vec::new(),
                end: RunEnd::Completed,
            },
            finding: Finding {
                violation: Violation::Panic(Panic::saying("\u{202e}gnorw \u{1b}[2J")),
                op: 0,
                kind: OpKind::Alloc,
            },
            instead_of: None,
        };
        let text = text(&Declaration::new("broken"), "broken", &case);
        assert!(
            text.contains("observed \\u{202e}gnorw \\u{1b}[2J.\n"),
            "{text}"
        );
        assert!(!text.contains(['\u{202e}', '\u{1b}']));
    }
}
