//! placeholder
pub mod guest;
pub mod judge;
pub mod model;
pub mod rules;
pub mod run;
