//! Where a run takes place: host or guest, and what runs traces there.

use std::str::FromStr;

use anyhow::{Result, bail};
use harness::entry::Entry;
use serde::Serialize;

use crate::execute::capacity::Measured;
use crate::execute::executor::Executor;
use crate::execute::guest::Guest;
use crate::execute::host::Host;

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// This machine.
    Host,
    /// The riscv64 guest in QEMU.
    Qemu,
}

impl Side {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Host, Self::Qemu];

    /// The name on the command line, and in a trace.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Qemu => "qemu",
        }
    }
}

impl FromStr for Side {
    /// What was expected instead.
    type Err = &'static str;

    fn from_str(name: &str) -> std::result::Result<Self, Self::Err> {
        let named = Self::ALL.into_iter().find(|side| side.name() == name);
        named.ok_or("a side of `host`, `qemu`")
    }
}

/// The sides at hand.
pub struct Sides<'a> {
    /// The host, if it takes part.
    pub host: Option<&'a mut Host>,
    /// The guest, if it takes part.
    pub guest: Option<&'a mut Guest>,
}

impl Sides<'_> {
    /// What runs traces on a side.
    ///
    /// # Errors
    /// When the side takes no part.
    pub(crate) fn executor(&mut self, side: Side) -> Result<&mut Measured<dyn Executor>> {
        match (side, &mut self.host, &mut self.guest) {
            (Side::Host, Some(host), _) => Ok(*host),
            (Side::Qemu, _, Some(guest)) => Ok(*guest),
            _ => bail!("a run without a side"),
        }
    }

    /// Whether a side takes part, and has this subject.
    pub(crate) fn have(&mut self, side: Side, entry: &Entry) -> Result<bool> {
        match (side, &mut self.guest) {
            (Side::Host, _) => Ok(self.host.is_some()),
            (Side::Qemu, Some(guest)) => guest.has(entry),
            (Side::Qemu, None) => Ok(false),
        }
    }
}
