//! Starts `crux-testnet`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    crux_testnet::main_from(std::env::args_os())
}
