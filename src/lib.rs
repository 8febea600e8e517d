//! placeholder
pub mod executor;
pub mod guest;
pub mod host;
pub mod judge;
pub mod model;
pub mod rules;
pub mod run;
