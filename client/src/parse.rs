//! Parsers of texts that people and clients write; an error says what to write instead. The command
//! line and the control API share them, so that both refuse the same in the same words.

use std::collections::BTreeMap;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use crux_crdt::Digest;
use crux_crdt::blob::BlobId;
use crux_crdt::document::{KEY_BYTES_MAX, Key};
use crux_crdt::name::{Label, NameError, ServiceName};
use crux_crdt::path::{Endpoint, Query};
use crux_crdt::record::{
    LABEL_KEY_BYTES_MAX, LABEL_VALUE_BYTES_MAX, SERVICE_LABELS_MAX, ServiceKey,
};
use crux_crdt::text::is_plain;

use crate::error::{Error, Kind};
use crate::model::{BlobRef, Glob, NodeRef, Prefix};

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
    let instead = Label::nearest(s).map_or(String::new(), |label| format!("Try {label}. "));
    let hint = format!(
        "{instead}It is lower-case letters, digits and `-`, at most {}, because it appears in DNS.",
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

/// The key of a registration on its node. An empty horde is the default horde; the ordinal is 0 where there
/// is one instance.
///
/// # Errors
/// [`Kind::InvalidName`], [`Kind::InvalidArgument`] for the ordinal.
pub fn service_key(
    horde: &str,
    service: &str,
    rev: &str,
    ordinal: u32,
) -> Result<ServiceKey, Error> {
    Ok(ServiceKey {
        horde: self::horde(horde)?,
        service: service_name("the service name", service)?,
        rev: service_name("the revision", rev)?,
        ordinal: ordinal.try_into().map_err(|_| {
            Error::new(Kind::InvalidArgument, format!("invalid ordinal {ordinal}")).with_hint(
                "It is a number from 0 to 65535; leave it out where there is one instance.",
            )
        })?,
    })
}

/// A label of a registration, written as `key=value`. [`labels`] checks the rest of it.
///
/// # Errors
/// [`Kind::InvalidArgument`]
pub fn label_pair(s: &str) -> Result<(String, String), Error> {
    let pair = s.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    pair.ok_or_else(|| invalid_label(format!("there is no `=` in the label {s:?}")))
}

/// The labels of a registration, each key once.
///
/// # Errors
/// [`Kind::InvalidArgument`]: there are too many, a key is given twice or not a name, or a value is too long
/// or not plain text.
pub fn labels(
    pairs: impl IntoIterator<Item = (String, String)>,
) -> Result<BTreeMap<String, String>, Error> {
    let mut labels = BTreeMap::new();
    for (key, value) in pairs {
        if key.len() > LABEL_KEY_BYTES_MAX || key.parse::<ServiceName>().is_err() {
            return Err(invalid_label(format!("invalid key {key:?} of a label")));
        }
        if value.len() > LABEL_VALUE_BYTES_MAX || !value.chars().all(is_plain) {
            return Err(invalid_label(format!("invalid value of the label {key}")));
        }
        if labels.contains_key(&key) {
            return Err(invalid_label(format!("the label {key} is given twice")));
        }
        labels.insert(key, value);
        if labels.len() > SERVICE_LABELS_MAX {
            return Err(invalid_label(format!("more than {SERVICE_LABELS_MAX} labels")));
        }
    }
    Ok(labels)
}

fn invalid_label(message: String) -> Error {
    Error::new(Kind::InvalidArgument, message).with_hint(format!(
        "As in zone=b. A key is a letter, then letters, digits, `_`, `-` and `.`, at most \
         {LABEL_KEY_BYTES_MAX} bytes; a value is at most {LABEL_VALUE_BYTES_MAX} bytes of plain text; at \
         most {SERVICE_LABELS_MAX} labels."
    ))
}

/// Where a service is reached. An unspecified address (`0.0.0.0`, `[::]`) is one to listen at, and leads no
/// caller anywhere.
///
/// # Errors
/// [`Kind::InvalidPath`]
pub fn endpoint(s: &str) -> Result<Endpoint, Error> {
    let endpoint: Endpoint = s.parse().map_err(|err| {
        Error::from(err)
            .augment("the address")
            .with_hint("As in 127.0.0.1:9000, [::1]:9000 or host.example.org:9000.")
    })?;
    match endpoint.host.ip().filter(|ip| ip.to_canonical().is_unspecified()) {
        Some(ip) => Err(Error::new(Kind::InvalidPath, format!("no client can reach {ip}"))
            .augment("the address")
            .with_hint(
                "It means every address of the machine that listens. Give the one at which clients reach \
                 the service; `members` shows those of nodes.",
            )),
        None => Ok(endpoint),
    }
}

/// A query. A bare word is a service's name; with `/` or `*` it is a path, which begins with the flock.
///
/// # Errors
/// [`Kind::InvalidName`] for a word, [`Kind::InvalidPath`] for a path.
pub fn query(s: &str) -> Result<Query, Error> {
    if !s.is_empty() && !s.contains(['/', '*']) {
        let service = service_name("the name of the service", s)?;
        return Ok(Query { service: Some(service), ..Query::default() });
    }
    s.parse().map_err(|err| {
        Error::from(err).augment("the query").with_hint(
            "As in ntp3, which is a service, or /dev/main/*/ntp3, where what is left out at the end \
             matches anything.",
        )
    })
}

/// A node's name or its principal.
///
/// # Errors
/// [`Kind::InvalidName`]
pub fn node(s: &str) -> Result<NodeRef, Error> {
    NodeRef::parse(s).map_err(|err| {
        Error::from(err).augment("the node").with_hint(
            "Give a node's name, or its principal: all of it, or its first digits, 4 or more.",
        )
    })
}

/// A pattern of kinds of events, as in `plugin.*`.
///
/// # Errors
/// [`Kind::InvalidArgument`]
pub fn kind_glob(s: &str) -> Result<Glob, Error> {
    s.parse().map_err(|err: crate::error::UnknownWord| {
        Error::new(Kind::InvalidArgument, format!("invalid kind of event {s:?}: {err}"))
            .with_hint("`events` without `--kind` shows all kinds; a `*` is any text.")
    })
}

/// A blob's id.
///
/// # Errors
/// [`Kind::InvalidArgument`]
pub fn blob(s: &str) -> Result<BlobId, Error> {
    s.parse().map_err(|err| {
        blob_error(&err).with_hint("It is what `openssl dgst -sha3-256 FILE` prints after the `=`.")
    })
}

/// The id of a plan.
///
/// # Errors
/// [`Kind::InvalidArgument`]
pub fn plan_id(s: &str) -> Result<Digest, Error> {
    s.parse().map_err(|err: crux_crdt::id::ParseIdError| {
        let message = format!("invalid id of a plan: {err}");
        Error::new(Kind::InvalidArgument, message).with_hint(
            "It is the field `id` that `plan --json` prints, and the last line of `plan`.",
        )
    })
}

/// A blob's id, or its first digits.
///
/// # Errors
/// [`Kind::InvalidArgument`]
pub fn blob_ref(s: &str) -> Result<BlobRef, Error> {
    if let Ok(prefix) = Prefix::parse(s) {
        return Ok(BlobRef::Prefix(prefix));
    }
    let id = s.parse().map_err(|err| {
        blob_error(&err).with_hint(
            "It is what `openssl dgst -sha3-256 FILE` prints after the `=`: all of it, or its first digits, \
             4 or more.",
        )
    });
    id.map(BlobRef::Id)
}

fn blob_error(err: &crux_crdt::id::ParseIdError) -> Error {
    Error::new(Kind::InvalidArgument, err.to_string()).augment("the blob")
}

/// The key of a document.
///
/// # Errors
/// [`Kind::InvalidName`]
pub fn document_key(s: &str) -> Result<Key, Error> {
    Key::new(s).map_err(|err| {
        Error::new(Kind::InvalidName, err.to_string()).augment("the key of the document").with_hint(format!(
            "It is KIND/NAME, as in target/main: a kind of lower-case letters, digits, `_` and `-`, then names of \
             letters, digits and `._@:+-`, with a `/` between; at most {KEY_BYTES_MAX} bytes."
        ))
    })
}

/// A kind of documents, or the beginning of their keys; an empty one is that of all.
///
/// # Errors
/// [`Kind::InvalidName`]
pub fn document_prefix(s: &str) -> Result<String, Error> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "._@:+-/".contains(c);
    if s.len() <= KEY_BYTES_MAX && s.chars().all(allowed) {
        return Ok(s.to_owned());
    }
    let found: String = s.chars().take(KEY_BYTES_MAX).collect();
    Err(Error::new(Kind::InvalidName, format!("invalid prefix {found:?}"))
        .augment("the keys of documents")
        .with_hint("Give a kind, as in target, or the beginning of keys, as in secret/main/."))
}

/// A path on the node's machine, as it goes over the wire.
///
/// # Errors
/// [`Kind::InvalidArgument`] when it is not valid UTF-8.
pub fn path_text(path: &Path) -> Result<String, Error> {
    let path = path.to_str().map(str::to_owned);
    path.ok_or_else(|| Error::new(Kind::InvalidArgument, "the path is not valid UTF-8"))
}

/// How long a registration lasts.
///
/// # Errors
/// [`Kind::InvalidArgument`] when that is zero.
pub fn lease(lease: Duration) -> Result<Duration, Error> {
    if lease.is_zero() {
        return Err(Error::new(Kind::InvalidArgument, "a lease of no time")
            .with_hint("Leave the lease out to stay until deregistered."));
    }
    Ok(lease)
}
