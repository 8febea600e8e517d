//! The mode that the guest itself runs in, settled at boot: it decides how a subject is kept within
//! its bounds, where traps go, and who wakes a hart that sleeps.

#![allow(unsafe_code, reason = "it is the machine's side of a kernel")]

use core::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// The mode of the guest's own code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// Machine mode; there is no firmware.
    Machine,
    /// Supervisor mode, under a firmware that speaks SBI.
    Supervisor,
}

/// It lies among the constants: written before those are closed, and readable in every mode.
#[unsafe(link_section = ".settled.privilege")]
static SUPERVISOR: AtomicBool = AtomicBool::new(false);

/// Settles it. Before protection is set up: afterwards the store would trap.
pub fn settle(privilege: Privilege) {
    SUPERVISOR.store(privilege == Privilege::Supervisor, Relaxed);
}

/// The mode of this boot.
pub fn privilege() -> Privilege {
    match SUPERVISOR.load(Relaxed) {
        false => Privilege::Machine,
        true => Privilege::Supervisor,
    }
}
