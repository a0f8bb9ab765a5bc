//! The one place where the testnet becomes a node.

use std::ffi::OsString;
use std::process::ExitCode;

/// First argument with which this program is a node: `crux-testnet node run …`.
pub const NODE_VERB: &str = "node";

/// Runs the node's command line with `args`, which do not include a program name.
pub fn node(args: impl Iterator<Item = OsString>) -> ExitCode {
    crux_node::main_from(std::iter::once(OsString::from("crux-node")).chain(args))
}
