//! Paths: the place of a service in the flock, its address, and the key it answers with.
//!
//! | type | form |
//! |---|---|
//! | [`FlockId`] | `/flock/horde/node/service/rev` |
//! | [`Query`] | a `FlockId` with `*` in any part |
//! | [`NetId`] | `/rev/principal/net/host:port` |
//! | [`KeyId`] | `/rev/principal/keys/fingerprint` |
//! | [`Endpoint`] | `host:port` |
//!
//! Parsing accepts a few spellings of a host and of a query; printing gives exactly one. A
//! caller that needs unique bytes prints the parsed value and compares.

mod endpoint;
mod error;
mod flock_id;
mod host;
mod key_id;
mod net_id;
mod query;

pub use endpoint::Endpoint;
pub use error::{EndpointError, HostError, PathError};
pub use flock_id::FlockId;
pub use host::{DnsName, Host};
pub use key_id::KeyId;
pub use net_id::NetId;
pub use query::Query;

/// What a string gives to an error: at most 80 characters, because errors are kept and printed.
fn cut(s: &str) -> String {
    s.chars().take(80).collect()
}
