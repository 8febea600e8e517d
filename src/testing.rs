//! Regressions in a test suite of one's own: each is run on the host and in the guest, must come to
//! the verdict that it expects on both, and gives an account to compare with a snapshot.
//!
//! ```no_run
//! # use kmem_rig::harness::entry::Entry;
//! # fn own() -> &'static [Entry] { &[] }
//! for replayed in kmem_rig::testing::replay("regressions", own())? {
//!     // insta::assert_snapshot!(replayed.name, replayed.account);
//! }
//! # anyhow::Ok(())
//! ```

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use harness::entry::Entry;

use crate::execute::capacity::Measured;
use crate::execute::executor::Executor;
use crate::execute::guest::{Guest, find_image};
use crate::execute::host::Host;
use crate::execute::side::Side;
use crate::oracle::differential::compare;
use crate::oracle::judge::Verdict;
use crate::regression::{Expectation, Regression};
use crate::report;
use crate::report::listing;
use crate::run::RunOptions;
use crate::subject::{adapter, registry};
use crate::trace::input;

/// A regression that came out as it should.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The regression's name: its file's without folder and extension.
    pub name: String,
    /// What each subject did, call by call, the same on both sides.
    pub account: String,
}

/// Replays every regression of a folder with these subjects beside the rig's. The guest is the
/// image that `KMEM_RIG_GUEST` names, else the one in the target folder.
///
/// # Errors
/// When an adapter is wrong, a verdict is another than expected, the two sides differ, or there is
/// no regression, no guest, or an expectation of nothing.
pub fn replay(folder: impl AsRef<Path>, own: &'static [Entry]) -> Result<Vec<Replayed>> {
    let folder = folder.as_ref();
    registry::install(own)?;
    let mut host = Host::new()?;
    adapter::check_all(own, &mut host)?;
    let mut guest = Guest::start(&find_image(None)?)?;
    let files = input::files(&[folder.to_owned()])?;
    ensure!(!files.is_empty(), "no regression in {}", folder.display());
    let replayed = files.iter().map(|path| {
        let regression = Regression::load(path)?;
        replay_one(&regression, &mut host, &mut guest).with_context(|| path.display().to_string())
    });
    replayed.collect()
}

fn replay_one(regression: &Regression, host: &mut Host, guest: &mut Guest) -> Result<Replayed> {
    let Regression {
        name,
        trace,
        rules,
        expectations,
        ..
    } = regression;
    ensure!(
        !expectations.is_empty(),
        "it expects nothing of any subject"
    );
    for expected in expectations {
        let entry = registry::by_name(&expected.subject)?;
        let (on_host, hosts) = host.verdict(entry, trace, *rules)?;
        let (in_guest, guests) = guest.verdict(entry, trace, *rules)?;
        for (on, side, verdict) in [
            (Side::Host, "on the host", &hosts),
            (Side::Qemu, "in the guest", &guests),
        ] {
            ensure!(
                expected.on.is_some_and(|other| other != on) || expected.is_met_by(verdict),
                "expected `{expected}`, and {side} it was `{}`",
                Expectation::of(entry.name(), verdict)
            );
        }
        if expected.on.is_none()
            && let Some(differs) = compare(&entry.declaration, trace, &on_host, &in_guest)
        {
            bail!(report::one_line(
                &entry.declaration,
                &Verdict::Diverge(differs)
            ));
        }
    }
    let (account, guests) = (account(regression, host)?, account(regression, guest)?);
    ensure!(
        account == guests,
        "the guest's account is another:\n{guests}\nthe host's:\n{account}"
    );
    Ok(Replayed {
        name: name.clone(),
        account,
    })
}

/// What a regression does to each subject it expects something of on both sides: verdict, ops and
/// tables.
///
/// # Errors
/// When there is no such subject, or the rig itself cannot do its work.
pub fn account(regression: &Regression, executor: &mut Measured<dyn Executor>) -> Result<String> {
    let options = RunOptions {
        tables: true,
        ..RunOptions::STRICT
    };
    let trace = &regression.trace;
    let mut text = String::new();
    let on_both = |expected: &&Expectation| expected.on.is_none();
    for expected in regression.expectations.iter().filter(on_both) {
        let entry = registry::by_name(&expected.subject)?;
        let run = executor.run(entry, trace, options)?;
        let verdict = executor.judge(entry, trace, &run, regression.rules)?;
        let verdict = Expectation::of(entry.name(), &verdict);
        let listing = listing::of_run(trace, &run);
        writeln!(text, "== {verdict}\n{listing}")?;
    }
    Ok(text)
}
