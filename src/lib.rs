//! placeholder
pub mod rules;
pub mod run;
