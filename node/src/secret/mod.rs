//! The initial secret, and the keys of the operator and of users: how they look, how they are kept.
//!
//! Each is one line: a prefix with a version, the bytes in base 32 with a checksum, and `-end`. The
//! end mark tells a line that was cut off from one that was mistyped, and a word that a person made
//! up is neither. The secret's line holds all that the genesis needs: the flock's name, the
//! operator's public key if there is one, and 32 random bytes. Any number of nodes started with the
//! same line are one flock.
//!
//! Nothing here prints a secret: `Debug` shows the flock, errors show positions. A node reads the
//! secret once, derives [`FlockKeys`] from it, and wipes every copy, those on the stack too: afterwards
//! neither its bytes nor its line are in the process's memory (`node/tests/edge/memory.rs` looks).

mod error;
mod file;
mod handed;
mod handover;
mod keys;
mod line;
mod operator;
mod parts;
mod signer;
mod string;
mod trace;
mod user;

pub use error::SecretError;
pub(crate) use file::{begin, read_line, write_new_on};
pub use file::{read_secret, write_new};
pub use handover::{SECRET_FD, SECRET_VAR, take_from_process};
pub use keys::FlockKeys;
pub(crate) use line::Format;
pub use operator::OperatorKey;
pub use parts::Parts;
pub use signer::{Signer, Takes};
pub use string::SecretString;
pub(crate) use trace::leave_no_trace;
pub use user::{UserKey, UserPublic};

/// 32 bytes from the system's random source.
///
/// # Errors
/// [`crate::Kind::Io`] when the system has none.
pub(crate) fn random() -> Result<zeroize::Zeroizing<[u8; 32]>, crate::Error> {
    use rand::TryRng as _;
    let mut bytes = zeroize::Zeroizing::new([0; 32]);
    rand::rngs::SysRng.try_fill_bytes(&mut *bytes).map_err(|err| {
        crate::Error::new(crate::Kind::Io, err.to_string())
            .augment("the system's random source")
            .with_fault(crate::error::Fault::Environment)
    })?;
    Ok(bytes)
}
