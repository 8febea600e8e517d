//! How a guest ended.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

/// How the QEMU process ended.
///
/// Weak evidence on its own. The `virt` test device hands a failing guest's code to `exit`, which
/// keeps its low eight bits: *fail with 256* reads as 0. A guest that resets the machine reads as
/// 0 too, and QEMU itself exits with 1 when it refuses its arguments, like a guest that fails
/// with 1: then [`Serial::errors`](crate::Serial::errors) says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// It exited: 0 to 255, the test device's code if the guest wrote one.
    Code(i32),
    /// A signal killed it.
    Signal(i32),
}

impl Exit {
    /// Whether the code is 0. See the type's warning before believing it.
    pub fn success(self) -> bool {
        self == Exit::Code(0)
    }

    pub(crate) fn from_status(status: ExitStatus) -> Exit {
        match (status.code(), status.signal()) {
            (Some(code), _) => Exit::Code(code),
            (None, Some(signal)) => Exit::Signal(signal),
            // Neither stop nor continue is asked for when waiting, so nothing else is reported.
            (None, None) => unreachable!("a reaped process neither exited nor was killed"),
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "exited with code {code}"),
            Exit::Signal(signal) => write!(f, "killed by signal {signal}"),
        }
    }
}

/// What [`Guest::wait`](crate::Guest::wait) saw first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// QEMU ended in time.
    Exited(Exit),
    /// It did not, and has been killed and reaped.
    DeadlineExceeded,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_status_is_a_code_or_a_signal() {
        assert_eq!(Exit::from_status(ExitStatus::from_raw(0)), Exit::Code(0));
        assert_eq!(
            Exit::from_status(ExitStatus::from_raw(3 << 8)),
            Exit::Code(3)
        );
        assert_eq!(Exit::from_status(ExitStatus::from_raw(9)), Exit::Signal(9));
        assert!(Exit::Code(0).success());
        assert!(!Exit::Code(1).success());
        assert!(!Exit::Signal(9).success());
        assert_eq!(Exit::Signal(9).to_string(), "killed by signal 9");
    }
}
