//! How observations leave a process that may die, and how host and guest talk.
//!
//! | to | read |
//! |---|---|
//! | leave what a run did in shared memory | [`transcript`] |
//! | write an observation as words | [`observation_record`] |
//! | hand traces to the guest and take answers | [`mailbox`] |

pub mod mailbox;
pub mod observation_record;
pub mod transcript;
