//! Leaves no trace of a secret on the stack and in registers.
//!
//! Values that wipe themselves wipe the place where they end. Each move, and each function that hashes,
//! leaves copies in frames that are no longer used, and nobody wipes those. A copy of 32 bytes also
//! leaves halves of them in vector registers, which calls into shared libraries then save on the stack.

use std::hint::black_box;

use crux_protocol::genesis::{Genesis, InitialSecret, JoinKey};
use zeroize::Zeroizing;

use super::line::Format;

/// How much of the stack is wiped: several times what reading and hashing a line takes in a debug
/// build, and an eighth of what the smallest thread of this program has.
const STACK_BYTES: usize = 256 * 1024;

/// Does work with a secret, and wipes the registers and the part of the stack that it used. What it
/// returns should be the secret no longer.
pub(crate) fn leave_no_trace<T>(work: impl FnOnce() -> T) -> T {
    let done = run(work);
    run(decoy);
    wipe();
    done
}

/// In a frame of its own, below which all is wiped.
#[inline(never)]
fn run<T>(work: impl FnOnce() -> T) -> T {
    work()
}

/// All that is done with a secret, with one of zeros: what it leaves in registers is worth nothing.
fn decoy() {
    let format = Format { prefix: "crux", version: 1 };
    let line = format.encode(&[0; 64]);
    let secret = format.decode(&line).map_or([0; 32], |content| {
        let mut secret = [0; 32];
        secret.copy_from_slice(&content[..32]);
        secret
    });
    let secret = InitialSecret::new(Zeroizing::new(black_box(secret)));
    let flock = "zero".parse().map(|flock| Genesis::new(flock, None, &secret));
    drop(black_box((JoinKey::initial(&secret), flock)));
}

#[inline(never)]
fn wipe() {
    let mut stack = [0_u8; STACK_BYTES];
    black_box(&mut stack);
}
