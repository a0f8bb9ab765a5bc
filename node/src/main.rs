//! The node and its commands. Everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    crux_node::main()
}
