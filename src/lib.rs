//! The rig: draws traces, runs them on two sides, judges what was observed, and makes finds small.
//!
//! ```text
//! bytes --generate--> Trace --execute(subject)--> observations --judge(model)--> verdict
//!   ^ libFuzzer         |                                                          |
//!                       `-- the same Trace, in the guest --> the same judge        `- minimize
//! ```
//!
//! | to | read |
//! |---|---|
//! | know the subjects by name, and try those of others | [`registry`], [`adapter`] |
//! | draw and mutate traces | [`generate`], [`mutate`] |
//! | run them | [`executor`] (the interface), [`host`], [`guest`], [`in_process`] |
//! | judge them | [`rules`], [`model`], [`judge`], [`differential`] (host against guest) |
//! | run and shorten traces that do not fit into memory | [`long`] |
//! | make finds small and keep them | [`minimize`], [`regression`], [`finds`], [`triage`], [`reproducer`] |
//! | fuzz several targets for days | [`campaign`] |
//! | keep a fuzzer's corpus over versions | [`corpus`] |
//! | see every state of a small heap | [`explore`] |
//! | stop one before an op, under gdb | [`debug`] |
//! | see where a table differs from the model's | [`difference`] |
//! | the commands | [`cli`] over [`hunt`], [`replay`], [`triage`], [`listing`], [`report`], [`input`] |
//! | test an allocator of one's own | [`new`] (a workspace for it), [`fuzz`] (targets), [`testing`] |
//!
//! A trace, run on an allocator and judged:
//!
//! ```
//! use kmem_rig::host::Host;
//! use kmem_rig::{registry, regression::Regression};
//!
//! let text = "# kmem-rig trace v1\nheap 64 pages\na0 = alloc 24 align 64\nfree a0\n";
//! let regression = Regression::parse("aligned", text)?;
//! let entry = registry::by_name("kmem-2019")?;
//! let (_, verdict) = Host::new()?.verdict(entry, &regression.trace, regression.rules)?;
//! let finding = verdict.finding().expect("it ignores alignments");
//! assert_eq!((finding.rule().name(), finding.op), ("misaligned", 0));
//! # anyhow::Ok(())
//! ```
//!
//! What runs on both sides is in the crate `harness`; the allocators are in `kmem`.

pub use harness;
pub use harness::subjects;

mod execute;
pub mod fuzz;
pub mod generate;
pub mod hunt;
pub mod minimize;
mod oracle;
pub mod regression;
pub mod report;
pub mod run;
mod subject;
mod suggest;
pub mod testing;
mod trace;
pub mod wording;

// What only the command line uses.
#[cfg(feature = "cli")]
pub mod campaign;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "cli")]
pub mod cost;
#[cfg(feature = "cli")]
pub mod debug;
#[cfg(feature = "cli")]
pub mod explore;

// The public names of what lies in rooms.
#[cfg(feature = "cli")]
pub use campaign::duration;
pub use execute::{capacity, executor, guest, host, in_process, side};
#[cfg(feature = "cli")]
pub use fuzz::corpus;
pub use generate::mutate;
pub use oracle::{differential, judge, model, rules, violation};
pub use regression::{confirm, finds};
#[cfg(feature = "cli")]
pub use regression::{replay, triage};
pub use report::listing;
#[cfg(feature = "cli")]
pub use report::{difference, html, junit, reproducer, sarif};
pub use run::fault;
#[cfg(feature = "cli")]
pub use subject::new;
pub use subject::{adapter, registry};
pub use trace::{input, long};
pub use wording::{counted, printable};
