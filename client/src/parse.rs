//! What people and clients write, parsed with an error that says what to write instead. The command
//! line and the control API share it, so that both refuse the same in the same words.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use crux_crdt::blob::BlobId;
use crux_crdt::name::{Label, NameError, ServiceName};
use crux_crdt::path::{Endpoint, Query};

use crate::error::{Error, Kind};
use crate::model::NodeRef;

/// A name of a service or a revision; `what` says which.
///
/// # Errors
/// [`Kind::InvalidName`]
pub fn service_name(what: &str, s: &str) -> Result<ServiceName, Error> {
    let hint = format!(
        "It is a letter, then letters, digits, `_`, `-` and `.`; at most {} bytes.",
        ServiceName::MAX
    );
    name(what, s, hint)
}

/// A name of a flock or horde; `what` says which.
///
/// # Errors
/// [`Kind::InvalidName`]
pub fn label(what: &str, s: &str) -> Result<Label, Error> {
    let hint = format!(
        "It is lower-case letters, digits and `-`, at most {}, because it appears in DNS.",
        Label::MAX
    );
    name(what, s, hint)
}

fn name<T: FromStr<Err = NameError>>(what: &str, s: &str, hint: String) -> Result<T, Error> {
    s.parse().map_err(|err| Error::from(err).augment(what).with_hint(hint))
}

/// A horde; an empty one is the default horde.
///
/// # Errors
/// [`Kind::InvalidName`]
pub fn horde(s: &str) -> Result<Label, Error> {
    if s.is_empty() { Ok(Label::main_horde()) } else { label("the horde", s) }
}

/// Where a service is reached.
///
/// # Errors
/// [`Kind::InvalidPath`]
pub fn endpoint(s: &str) -> Result<Endpoint, Error> {
    s.parse().map_err(|err| {
        Error::from(err)
            .augment("the address")
            .with_hint("As in 127.0.0.1:9000, [::1]:9000 or host.example.org:9000.")
    })
}

/// A query.
///
/// # Errors
/// [`Kind::InvalidPath`]
pub fn query(s: &str) -> Result<Query, Error> {
    s.parse().map_err(|err| {
        Error::from(err)
            .augment("the query")
            .with_hint("As in /dev/main/*/ntp3; what is left out at the end matches anything.")
    })
}

/// A node's name or its principal.
///
/// # Errors
/// [`Kind::InvalidName`]
pub fn node(s: &str) -> Result<NodeRef, Error> {
    NodeRef::parse(s).map_err(|err| {
        Error::from(err)
            .augment("the node")
            .with_hint("Give a node's name, or its principal in 64 hex digits.")
    })
}

/// A blob's id.
///
/// # Errors
/// [`Kind::InvalidArgument`]
pub fn blob(s: &str) -> Result<BlobId, Error> {
    s.parse().map_err(|err: crux_crdt::id::ParseIdError| {
        Error::new(Kind::InvalidArgument, err.to_string())
            .augment("the blob")
            .with_hint("It is what `openssl dgst -sha3-256 FILE` prints after the `=`.")
    })
}

/// A path on the node's machine, as it goes over the wire.
///
/// # Errors
/// [`Kind::InvalidArgument`] when it is no text.
pub fn path_text(path: &Path) -> Result<String, Error> {
    let path = path.to_str().map(str::to_owned);
    path.ok_or_else(|| Error::new(Kind::InvalidArgument, "the path is no text"))
}

/// How long a registration lasts.
///
/// # Errors
/// [`Kind::InvalidArgument`] when that is no time at all.
pub fn lease(lease: Duration) -> Result<Duration, Error> {
    if lease.is_zero() {
        return Err(Error::new(Kind::InvalidArgument, "a lease of no time")
            .with_hint("Leave the lease out to stay until deregistered."));
    }
    Ok(lease)
}
