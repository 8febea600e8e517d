//! What a user names: a trace as text, as bytes, in a console's output, or longer than memory.
//!
//! | to | read |
//! |---|---|
//! | read a file, whatever it holds | [`input`], and line by line [`input::lines`] |
//! | hold a trace that does not fit into memory | [`long`] |

pub mod input;
pub mod long;
