//! Times as people write them, on a command line or in a file.

use std::time::Duration;

use anyhow::{Result, anyhow};

/// Reads `20s`, `5m`, `2h`, `500ms`; a bare number counts seconds.
///
/// # Errors
/// When it is no such time, or longer than can be counted in milliseconds.
pub fn parse(text: &str) -> Result<Duration> {
    let split = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    let wrong = || anyhow!("expected a time such as 20s, 5m or 2h");
    let number: u64 = digits.parse().map_err(|_| wrong())?;
    let milliseconds = match unit {
        "ms" => Some(number),
        "" | "s" => number.checked_mul(1000),
        "m" => number.checked_mul(60_000),
        "h" => number.checked_mul(3_600_000),
        _ => None,
    };
    milliseconds.map(Duration::from_millis).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        let seconds = |text| parse(text).unwrap().as_secs_f64();
        assert_eq!(
            ["20s", "5m", "2h", "500ms", "7"].map(seconds),
            [20.0, 300.0, 7200.0, 0.5, 7.0]
        );
        for wrong in [
            "",
            "s",
            "5d",
            "-1s",
            "99999999999999999999s",
            "99999999999999999h",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
