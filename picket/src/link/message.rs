use std::collections::BTreeMap;
use std::ffi::OsString;

use crux_client::model::ServiceStatus;
use crux_client::{Error, Kind};
use crux_crdt::Principal;
use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::name::{Label, ServiceName};
use crux_crdt::path::Endpoint;
use crux_crdt::record::ServiceKey;
use crux_protocol::picket::{Goals, Order, OwnedRow};
use serde::{Deserialize, Serialize};

use super::Hello;
use crate::{assignment, text};

/// A message of the picket to the fulcrum.
///
/// `seq` numbers the requests that are answered: each end numbers its own. The answers come in any order; a number is
/// not used twice on one link.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromPicket {
    /// The first message.
    Hello(Hello),
    /// Registers a service of this node, without a lease, or replaces what the key had. Answered by
    /// [`FromFulcrum::Done`] when it is durable.
    Register {
        /// The number of the request.
        seq: u64,
        /// Its name on the node.
        #[serde(with = "Key")]
        key: ServiceKey,
        /// Where it is reached.
        #[serde(with = "text::one")]
        endpoint: Endpoint,
        /// Free labels.
        labels: BTreeMap<String, String>,
    },
    /// Removes a registration. Answered by [`FromFulcrum::Done`] when that is durable; one that is not there
    /// counts as removed.
    Withdraw {
        /// The number of the request.
        seq: u64,
        /// Its name on the node.
        #[serde(with = "Key")]
        key: ServiceKey,
    },
    /// How all services are that the picket runs: those that are up, too. The last one holds; until there is one, what
    /// the node's record says holds.
    Health {
        /// Those that are registered, each key once.
        services: Vec<Stated>,
        /// Everything that has a health of its own, registered or not, by name: services, instances, paths. Whether
        /// it serves.
        named: BTreeMap<String, bool>,
    },
    /// All blobs that services need: they are not evicted. The last list holds. A blob that is to be kept MUST
    /// be in it before it is asked for.
    Pins {
        /// Each once.
        #[serde(with = "text::many")]
        blobs: Vec<BlobId>,
    },
    /// Fetches a blob if it is missing here. Answered by [`FromFulcrum::ImageReady`] or
    /// [`FromFulcrum::ImageFailed`].
    Image {
        /// The number of the request.
        seq: u64,
        /// Which one.
        #[serde(with = "text::one")]
        blob: BlobId,
    },
    /// Everything that the target placed here: right after the fulcrum said that it is ready, and when it changes. The
    /// last list holds.
    Owned {
        /// The order of the goals that the picket accepted last; none: there never were any.
        #[serde(with = "assignment::order")]
        order: Option<Order>,
        /// Each with another key: all but the count.
        #[serde(with = "assignment::rows")]
        rows: Vec<OwnedRow>,
    },
    /// The answer to [`FromFulcrum::Goals`].
    Done {
        /// The number of the request.
        seq: u64,
        /// Whether they are accepted: durable, and being enacted.
        outcome: Result<(), Failure>,
    },
    /// Has the settings read again, as SIGHUP does with a node alone.
    Reload,
    /// Stops the node in order, without leaving.
    Stop,
}

/// A message of the fulcrum to the picket.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum FromFulcrum {
    /// The first message: which messages it knows, and its process.
    Hello {
        /// See [`super::VERSION`].
        version: u32,
        /// Its process id.
        pid: u32,
    },
    /// It serves from now on.
    Ready(Ready),
    /// A request was carried out, or was not.
    Done {
        /// The number of the request.
        seq: u64,
        /// Whether it was done.
        outcome: Result<(), Failure>,
    },
    /// A blob is here, sealed.
    ImageReady {
        /// The number of the request.
        seq: u64,
        /// Its hashes and its size.
        #[serde(with = "Described")]
        descriptor: Descriptor,
        /// The file; only to be read.
        path: OsString,
    },
    /// A blob is not here.
    ImageFailed {
        /// The number of the request.
        seq: u64,
        /// Why.
        failure: Failure,
    },
    /// All goals of the target for this node, as one set. Answered by [`FromPicket::Done`].
    Goals {
        /// The number of the request.
        seq: u64,
        /// The set.
        #[serde(with = "assignment::goals")]
        goals: Goals,
    },
    /// The last message: why it ends by itself. It has printed that. Its exit code alone does not tell an eviction,
    /// which is final, from a full disk, which is not.
    Ends {
        /// Why.
        failure: Failure,
    },
}

/// How a service is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stated {
    /// Its name on the node.
    #[serde(with = "Key")]
    pub key: ServiceKey,
    /// How it is.
    #[serde(with = "text::one")]
    pub status: ServiceStatus,
}

/// The node, as a fulcrum that serves describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ready {
    /// The node's key.
    #[serde(with = "text::one")]
    pub principal: Principal,
    /// The node, as it is shown.
    #[serde(with = "text::one")]
    pub node: Label,
    /// The flock's name.
    #[serde(with = "text::one")]
    pub flock: Label,
    /// Where others reach the node; not empty.
    #[serde(with = "text::many")]
    pub addresses: Vec<Endpoint>,
}

/// An error on its way from the fulcrum: what a picket and its callers need of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The name of its [`Kind`].
    pub kind: String,
    /// The message, with its context.
    pub text: String,
    /// The way out, for a person.
    pub hint: Option<String>,
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Self {
        let hint = error.hint().map(str::to_owned);
        Self { kind: error.kind().as_str().to_owned(), text: error.to_string(), hint }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        let kind = Kind::from_name(&failure.kind).unwrap_or(Kind::Internal);
        let error = Self::new(kind, failure.text);
        failure.hint.into_iter().fold(error, Self::with_hint)
    }
}

/// How a [`ServiceKey`] is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "ServiceKey")]
struct Key {
    #[serde(with = "text::one")]
    horde: Label,
    #[serde(with = "text::one")]
    service: ServiceName,
    #[serde(with = "text::one")]
    rev: ServiceName,
    ordinal: u16,
}

/// How a [`Descriptor`] is written.
#[derive(Serialize, Deserialize)]
#[serde(remote = "Descriptor")]
struct Described {
    #[serde(with = "text::one")]
    blob: BlobId,
    #[serde(with = "text::one")]
    root: Root,
    size: u64,
}

#[cfg(test)]
mod tests {
    use std::os::unix::ffi::OsStringExt as _;

    use super::*;
    use crate::assignment::testing;

    fn key() -> ServiceKey {
        let name = |text: &str| text.parse().unwrap();
        ServiceKey { horde: Label::main_horde(), service: name("web"), rev: name("v1"), ordinal: 3 }
    }

    fn of_picket() -> Vec<FromPicket> {
        let labels = BTreeMap::from([("a".to_owned(), "b \"c\"".to_owned())]);
        let endpoint: Endpoint = "n1.example:80".parse().unwrap();
        vec![
            FromPicket::Hello(Hello {
                version: 7,
                picket: 2,
                settings: serde_json::json!({"a": [1, "x"]}),
            }),
            FromPicket::Register { seq: u64::MAX, key: key(), endpoint, labels },
            FromPicket::Withdraw { seq: 2, key: key() },
            FromPicket::Health {
                services: vec![Stated { key: key(), status: ServiceStatus::Down }],
                named: BTreeMap::from([("web".to_owned(), false)]),
            },
            FromPicket::Pins { blobs: vec![BlobId([3; 32]), BlobId([4; 32])] },
            FromPicket::Image { seq: 3, blob: BlobId([5; 32]) },
            FromPicket::Owned { order: None, rows: Vec::new() },
            FromPicket::Owned { order: Some(testing::order(4)), rows: testing::rows() },
            FromPicket::Done { seq: 4, outcome: Ok(()) },
            FromPicket::Reload,
            FromPicket::Stop,
        ]
    }

    fn of_fulcrum() -> Vec<FromFulcrum> {
        let error = Error::new(Kind::Busy, "too much").augment("doing it").with_hint("wait");
        let ready = Ready {
            principal: Principal([1; 32]),
            node: "n1".parse().unwrap(),
            flock: "dev".parse().unwrap(),
            addresses: vec!["127.0.0.1:7117".parse().unwrap()],
        };
        let descriptor = Descriptor { blob: BlobId([1; 32]), root: Root([2; 32]), size: 3 };
        // Paths are bytes.
        let path = OsString::from_vec(vec![b'/', 0xff, b'x']);
        vec![
            FromFulcrum::Hello { version: 1, pid: 4 },
            FromFulcrum::Ready(ready),
            FromFulcrum::Done { seq: 1, outcome: Ok(()) },
            FromFulcrum::Done { seq: 1, outcome: Err(Failure::from(&error)) },
            FromFulcrum::ImageReady { seq: 2, descriptor, path },
            FromFulcrum::ImageFailed { seq: 3, failure: Failure::from(&error) },
            FromFulcrum::Goals { seq: 4, goals: testing::goals() },
            FromFulcrum::Ends { failure: Failure::from(&error) },
        ]
    }

    #[test]
    fn messages_read_back_to_the_same() {
        for message in of_picket() {
            let json = serde_json::to_vec(&message).unwrap();
            assert_eq!(serde_json::from_slice::<FromPicket>(&json).unwrap(), message);
        }
        for message in of_fulcrum() {
            let json = serde_json::to_vec(&message).unwrap();
            assert_eq!(serde_json::from_slice::<FromFulcrum>(&json).unwrap(), message);
        }
    }

    #[test]
    fn a_failure_keeps_the_kind_the_text_and_the_hint() {
        let error = Error::new(Kind::DiskFull, "no room").augment("registering");
        let read = Error::from(Failure::from(&error));
        assert_eq!((read.kind(), read.to_string()), (Kind::DiskFull, error.to_string()));
        assert_eq!(read.hint(), error.hint());
        let newer = Failure { kind: "of_a_newer".to_owned(), text: "x".to_owned(), hint: None };
        assert_eq!(Error::from(newer).kind(), Kind::Internal);
    }
}
