//! How observations leave a process that may die, and how host and guest talk.
//!
//! | to | read |
//! |---|---|
//! | leave what a run did in shared memory | [`transcript`] |
//! | hand traces to the guest and take answers | [`mailbox`] |

pub mod mailbox;
pub mod transcript;
