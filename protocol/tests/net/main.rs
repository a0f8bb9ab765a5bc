//! The network, node to node: over the memory transport, and over loopback where the system has a
//! say. Every wait is for a condition and has a deadline; nothing sleeps.

#![cfg(feature = "net")]

mod beats;
mod book;
mod dials;
mod gate;
mod gossip;
mod harness;
mod links;
mod load;
mod pieces;
mod providers;
mod requests;
mod told;
mod traps;
