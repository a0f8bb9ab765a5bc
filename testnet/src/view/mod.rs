//! A flock as a person sees it: rows, a table, commands to try next.

mod flock;
mod hints;
mod runs;
mod table;

pub use flock::{FlockView, NodeRow};
pub use hints::{commands_of_target, commands_to_try};
pub use runs::{Runs, runs_line};
pub use table::flock_table;

/// How many characters of a key or digest are shown.
const SHORT: usize = 10;

/// The first characters of a key or digest.
#[must_use]
pub fn short(hex: &str) -> &str {
    hex.get(..SHORT).unwrap_or(hex)
}

/// Bytes as MiB with one decimal.
#[must_use]
pub fn mebibytes(bytes: u64) -> String {
    // Tenths in integers: exact, and no float is needed for a display.
    let tenths = (bytes * 10 + 512 * 1024) / (1024 * 1024);
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_cut_and_short_ones_left_alone() {
        assert_eq!(short("0123456789abcdef"), "0123456789");
        assert_eq!(short("ab"), "ab");
    }

    #[test]
    fn memory_is_rounded_to_a_tenth() {
        assert_eq!(mebibytes(12 * 1024 * 1024 + 300 * 1024), "12.3 MiB");
        assert_eq!(mebibytes(0), "0.0 MiB");
    }
}
