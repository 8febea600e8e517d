//! What the sanitizers' runtimes ask for by symbol, so that a plain `cargo fuzz run` has it too.

#![allow(unsafe_code, reason = "it defines what sanitizers look for by name")]

use std::ffi::{CStr, c_char};

/// What AddressSanitizer is told before the user's `ASAN_OPTIONS`.
///
/// - A fake stack would cost each call in instrumented code.
/// - Freed memory of the rig is kept back from reuse until it is 16 MiB: the ordinary 256 MiB fill
///   hundreds of MiB before memory is flat.
/// - Of where memory was allocated and freed, two callers are told. The walk up the stack trusts a
///   register that optimised code uses for whatever it likes, so that ever new stacks were seen,
///   and each is recorded for ever.
const OPTIONS: &CStr =
    c"detect_stack_use_after_return=0:quarantine_size_mb=16:malloc_context_size=2";

// SAFETY: the name is the runtime's own for this signature, and nobody else defines it.
#[unsafe(no_mangle)]
extern "C" fn __asan_default_options() -> *const c_char {
    OPTIONS.as_ptr()
}

/// Whether instrumented code tells of each comparison (`fuzz/Cargo.toml` has it look here first).
/// The mutator draws sizes at the places that matter, so that what comparisons tell is worth less
/// than the third of the time that telling takes.
// SAFETY: the name is SanitizerCoverage's own for a word of this size, and nobody else defines it.
#[unsafe(no_mangle)]
static __sancov_should_track: u64 = 0;
