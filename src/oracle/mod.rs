//! Whether what was observed is right: rules, models, and the fold that holds runs against them.
//!
//! | to | read |
//! |---|---|
//! | know the rules and their sets | [`rules`] |
//! | have a broken rule as a value | [`violation`] |
//! | name a violation for tools that compare crashes | [`crash_key`] |
//! | judge a run | [`judge`] |
//! | know what a correct allocator does | [`model`] |
//! | hold the host against the guest | [`differential`] |

pub mod crash_key;
pub mod differential;
pub mod judge;
pub mod model;
pub mod rules;
pub mod violation;
