//! `qemu-exec`: a cargo runner for bare-metal riscv64 programs.
//!
//! The console goes to stdout as it comes. What the runner itself has to say goes to stderr.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use qemu_exec::{Ended, Error, Exit, Machine};

/// What `timeout` of coreutils exits with, so that scripts know it.
const EXIT_DEADLINE: u8 = 124;
/// Usage or environment; clap uses the same.
const EXIT_ENVIRONMENT: u8 = 2;
/// 1 TiB: far above any guest, far below what would overflow in bytes.
const RAM_MIB_MAX: u64 = 1 << 20;
/// As many as `virt` has.
const HARTS_MAX: i64 = 512;
/// What a shell adds to the number of the signal that killed a program.
const EXIT_SIGNAL_BASE: i32 = 128;

const AFTER_HELP: &str = "\
Exit code: what the guest gave the test device at 0x100000 (0x5555: 0; 0x3333 | code << 16: the
code's low eight bits, so 256 reads as 0); 124 at the deadline; 128 + n if signal n killed QEMU;
2 for wrong usage or a missing QEMU or image. QEMU exits with 1 if it refuses its arguments.

As a cargo runner, in .cargo/config.toml:
  [target.riscv64gc-unknown-none-elf]
  runner = \"qemu-exec --deadline 10s\"
and then, with the last of two equal options counting:
  cargo run -- --deadline 2s -- -d int

By hand:
  qemu-exec --deadline 10s --ram-mib 16 kernel.elf -- -d int,guest_errors";

/// Runs a bare-metal riscv64 program in QEMU's virt machine.
#[derive(Parser)]
// The last one counts: `cargo run -- --deadline 1s` must win over the runner's own configuration.
#[command(version, after_help = AFTER_HELP, args_override_self = true)]
struct Arguments {
    /// Wall time the guest has: a number with ms, s or m.
    #[arg(long, value_name = "TIME", default_value = "60s", value_parser = parse_duration)]
    deadline: Duration,
    /// Let the guest's clock count instructions, 2^N nanoseconds each.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(0..=10))]
    icount: Option<u8>,
    /// Harts. Without firmware each of them runs the program from its start.
    #[arg(long, value_name = "N", default_value = "1")]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=HARTS_MAX))]
    harts: u32,
    /// RAM in MiB.
    #[arg(long, value_name = "N", default_value = "128")]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=RAM_MIB_MAX))]
    ram_mib: u64,
    /// The QEMU to run instead of qemu-system-riscv64 from PATH.
    #[arg(long, value_name = "PATH")]
    qemu: Option<PathBuf>,
    /// An ELF, or a raw binary to be placed at 0x80000000.
    image: PathBuf,
    /// More arguments for QEMU.
    #[arg(last = true)]
    qemu_args: Vec<OsString>,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("qemu-exec: {error}");
            ExitCode::from(EXIT_ENVIRONMENT)
        }
    }
}

fn run(arguments: &Arguments) -> Result<u8, Error> {
    let mut machine = Machine::new(&arguments.image)
        .harts(arguments.harts)
        .ram_bytes(arguments.ram_mib << 20)
        .icount(arguments.icount)
        // All of it is shown, none of it is read here.
        .serial_bytes_max(0)
        .tee(true);
    if let Some(program) = &arguments.qemu {
        machine = machine.program(program);
    }
    for arg in &arguments.qemu_args {
        machine = machine.arg(arg);
    }
    match machine.start()?.wait(arguments.deadline)? {
        Ended::Exited(Exit::Code(code)) => Ok(low_byte(code)),
        Ended::Exited(exit @ Exit::Signal(signal)) => {
            eprintln!("qemu-exec: QEMU was {exit}");
            Ok(low_byte(EXIT_SIGNAL_BASE + signal))
        }
        Ended::DeadlineExceeded => {
            eprintln!("qemu-exec: no end within {:?}: killed", arguments.deadline);
            Ok(EXIT_DEADLINE)
        }
    }
}

/// Exit codes have eight bits, here as in the test device.
fn low_byte(code: i32) -> u8 {
    code as u8
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let error = || format!("`{text}` is no time: write 500ms, 60s or 2m");
    let ms_per_unit: u64 = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return Err(error()),
    };
    let count: u64 = digits.parse().map_err(|_| error())?;
    count
        .checked_mul(ms_per_unit)
        .map(Duration::from_millis)
        .ok_or_else(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_arguments_are_well_formed() {
        <Arguments as clap::CommandFactory>::command().debug_assert();
    }

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "60", "s", "-1s", "1.5s", "1h", "99999999999999999999s"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
        assert!(parse_duration("18446744073709551615m").is_err());
    }
}
