//! What the control API asks of the fulcrum, and what the fulcrum answers.
//!
//! Reading needs no request: the fulcrum publishes a [`View`](crate::view::View), and whoever reads
//! looks there. A request is something that changes state, or needs other nodes.

use std::time::Duration;

use crux_crdt::Principal;
use crux_crdt::blob::Descriptor;
use crux_crdt::name::{Label, ServiceName};
use crux_crdt::path::{Endpoint, FlockId, NetId};
use serde::Serialize;

use crate::view::Leader;

/// What the control API asks of the fulcrum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Publish a service of this node. Answered by [`Reply::Registered`] when durable.
    Register(Register),
    /// Withdraw a service of this node. Answered by [`Reply::Deregistered`] when durable.
    Deregister(Deregister),
    /// Offer these blobs and no others. Answered by [`Reply::Offered`] when durable.
    Offer(Vec<Descriptor>),
    /// Dial a member that is not linked. Answered by [`Reply::Reached`], before it is known whether
    /// it answers.
    Reach(Principal),
    /// Have every live member store the leader's claim. Answered by [`Reply::LeaderPinged`].
    LeaderPing,
    /// Retire a member that is not coming back. Answered by [`Reply::Forgotten`].
    Forget(NodeRef),
    /// Leave the flock and stop. Answered by [`Reply::Left`] when the act is durable and sent.
    Leave,
    /// Check what commonly goes wrong. Answered by [`Reply::Checked`].
    Doctor,
}

/// A service to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// The service.
    pub service: ServiceName,
    /// Its revision.
    pub rev: ServiceName,
    /// Where it is reached.
    pub endpoint: Endpoint,
    /// The horde it belongs to.
    pub horde: Label,
    /// Gone that long after the last register of the same; `None` stays until deregistered.
    pub lease: Option<Duration>,
    /// How many other members must have stored it before the answer.
    pub sync: u32,
}

/// A service to withdraw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deregister {
    /// The service.
    pub service: ServiceName,
    /// Its revision.
    pub rev: ServiceName,
    /// The horde it belongs to.
    pub horde: Label,
}

/// A node, as a person names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeRef {
    /// By the name shown.
    Name(Label),
    /// By its key.
    Principal(Principal),
}

/// What the fulcrum answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// To [`Request::Register`].
    Registered(Registered),
    /// To [`Request::Deregister`].
    Deregistered,
    /// To [`Request::Offer`].
    Offered,
    /// To [`Request::Reach`].
    Reached,
    /// To [`Request::LeaderPing`].
    LeaderPinged(LeaderPinged),
    /// To [`Request::Forget`]: who was retired.
    Forgotten(Principal),
    /// To [`Request::Leave`].
    Left,
    /// To [`Request::Doctor`].
    Checked(Vec<Check>),
}

/// A service was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// Where it stands.
    pub path: FlockId,
    /// Its instance name, unique in the flock.
    pub instance: String,
    /// Where it is reached.
    pub net_id: NetId,
}

/// What became of a leader ping.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaderPinged {
    /// Under whose claim it ran.
    pub leader: Leader,
    /// Who stored the claim durably, the leader included.
    pub accepted: Vec<Principal>,
    /// Who holds a greater claim, or did not answer.
    pub failed: Vec<Principal>,
}

/// One line of `doctor`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at, snake case.
    pub name: String,
    /// How it is.
    pub result: CheckResult,
    /// What was found.
    pub detail: String,
    /// What to do about it; `None` where nothing needs doing.
    pub hint: Option<String>,
}

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CheckResult {
    /// As it should be.
    Ok,
    /// Works, but look at it.
    Warn,
    /// Does not work.
    Fail,
}

impl CheckResult {
    /// The word used in JSON and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl NodeRef {
    /// 64 hex digits are a principal, all else is a name. A name has at most 63 characters, so the
    /// two never mix up.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(s: &str) -> Result<Self, crux_crdt::name::NameError> {
        match s.parse() {
            Ok(principal) => Ok(Self::Principal(principal)),
            Err(_) => s.parse().map(Self::Name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_no_name() {
        let key = "ab".repeat(32);
        assert_eq!(NodeRef::parse(&key), Ok(NodeRef::Principal(Principal([0xab; 32]))));
        assert_eq!(NodeRef::parse("abcd"), Ok(NodeRef::Name("abcd".parse().unwrap())));
        assert!(NodeRef::parse("AB").is_err());
        assert!(NodeRef::parse(&key[..63]).is_ok());
    }
}
