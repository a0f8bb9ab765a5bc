//! Where log lines go: to standard error, so that standard output stays for answers.

use tracing_subscriber::EnvFilter;

use crate::config::{Config, LogFormat};

/// Starts logging as configured. Does nothing where somebody already did, as in tests.
pub fn init(config: &Config) {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(&config.log))
        .with_writer(std::io::stderr)
        // Told to standard error as well, which panics where that is what failed: a full disk.
        .log_internal_errors(false);
    let started = match config.log_format {
        LogFormat::Text => builder.with_ansi(ansi()).try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    drop(started);
}

/// Colour only for a terminal, and only for those who want it.
fn ansi() -> bool {
    use std::io::IsTerminal as _;
    std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none()
}
