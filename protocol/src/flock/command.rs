use core::fmt;

use crux_crdt::Principal;
use crux_crdt::fact::{Fact, Gone};
use crux_crdt::record::ServiceKey;

use super::control::{Answer, ControlError, ControlId};
use crate::join::Refusal;
use crate::leader::Claim;
use crate::{dial, link};

/// Names a write in its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What is written to disk together.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    /// Each is merged into what is there under its kind and key.
    pub facts: Vec<Fact>,
    /// What is held no more; after the facts.
    pub gone: Vec<Gone>,
    /// The fence that is forgotten, if it is what is held. Before the new one counts.
    pub forgotten: Option<Claim>,
    /// The new fence: the greater of it and what is held counts.
    pub fence: Option<Claim>,
    /// What this node removed before it knew its past: added.
    pub removed: Vec<ServiceKey>,
}

impl Batch {
    /// Adds a fact. Its author is under its key, whatever was gone before.
    pub fn add(&mut self, fact: Fact) {
        if !self.gone.is_empty() {
            let (kind, key, author) = (fact.kind(), fact.key(), fact.author());
            self.gone.retain(|gone| (gone.kind, gone.key, gone.author) != (kind, key, author));
        }
        self.facts.push(fact);
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.facts.is_empty()
            && self.gone.is_empty()
            && self.forgotten.is_none()
            && self.fence.is_none()
            && self.removed.is_empty()
    }
}

/// What goes out.
#[derive(Debug)]
pub enum Command {
    /// To the network.
    Link(link::Command),
    /// Write, durably, and answer with [`super::Event::Persisted`].
    Persist {
        /// Names it in the answer.
        ticket: Ticket,
        /// What.
        batch: Batch,
    },
    /// Write when convenient. What is lost in a crash comes back from peers.
    Save(Batch),
    /// Read the record of this author, which departed, from the disk, and answer with
    /// [`super::Event::Recalled`] if it is there and whole.
    Recall {
        /// Its author.
        author: Principal,
    },
    /// Answer a control request.
    Answer {
        /// Which.
        id: ControlId,
        /// With what.
        result: Result<Answer, ControlError>,
    },
    /// What is shown may have changed.
    Changed,
    /// Tell the person who runs this node.
    Notice(Notice),
    /// Stop the node.
    Stop(StopReason),
}

/// Something the person who runs a node may want to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// A member is shown alive, suspect or dead.
    Liveness {
        /// The member's name.
        node: String,
        /// What it is now.
        liveness: crate::liveness::Liveness,
    },
    /// Another leader is seen, or none.
    Leader(Option<(String, Claim)>),
    /// This node led, and another one leads now under a greater term.
    LeadLost {
        /// The other one.
        node: String,
        /// Its claim.
        claim: Claim,
    },
    /// A member was admitted.
    Admitted(Principal),
    /// An entry of `--join` leads nowhere. Told once for each entry and outcome, and again after ten
    /// minutes.
    Seed(dial::Seed),
    /// A join failed.
    JoinFailed {
        /// With whom.
        peer: Principal,
        /// Why.
        refusal: Refusal,
        /// Whether this node was the one that wanted to join.
        joining: bool,
    },
    /// Somebody at this address is of another flock, or has another secret.
    OtherFlock {
        /// Where.
        addr: String,
    },
    /// The peer at this address runs another version of Crux. Told once for each.
    OtherVersion {
        /// Where.
        addr: String,
        /// What showed it.
        what: String,
    },
    /// A peer sent something that lies or is malformed.
    Misbehaved {
        /// The peer that passed it on.
        peer: Principal,
        /// What was wrong.
        what: String,
    },
    /// Two records of one author have the same marker: it signed twice, or runs twice.
    SignedTwice(Principal),
    /// This node took over what it said before it lost its disk.
    Recovered {
        /// The incarnation it had.
        incarnation: u64,
        /// What this node had registered until now, and did not say then: each as
        /// [`ServiceKey`] prints. It is gone.
        lost: Vec<String>,
    },
    /// This run stops for another one of its identity. What it registered since its start, and whether a
    /// member stored it for the other run to take over.
    HandedOver {
        /// Each as [`ServiceKey`] prints.
        services: Vec<String>,
        /// Whether a member stored it.
        stored: bool,
    },
    /// This run stops for another one of its identity, which may still have these.
    RemovedInVain {
        /// Each as [`ServiceKey`] prints.
        services: Vec<String>,
    },
    /// Another run of this identity stopped for this one, which took over what was registered there.
    TookOver {
        /// Each as [`ServiceKey`] prints.
        services: Vec<String>,
        /// Where the other run was reached.
        from: Vec<String>,
    },
    /// This run stops for another one of its identity, which is not seen to have these: they were registered
    /// here before the start.
    LeftBehind {
        /// Each as [`ServiceKey`] prints.
        services: Vec<String>,
    },
    /// Another run of this identity stopped for this one. It had these since before its start, and this run
    /// has not.
    NotTakenOver {
        /// Each as [`ServiceKey`] prints.
        services: Vec<String>,
        /// Where the other run was reached.
        from: Vec<String>,
    },
    /// What was registered on another run of this identity, which ended, and is not taken over.
    LostWithTwin {
        /// Each as [`ServiceKey`] prints.
        services: Vec<String>,
        /// Where the other run was reached.
        from: Vec<String>,
    },
    /// The disk is full; registrations and joins are refused until there is room.
    ReadOnly,
    /// The disk takes writes again.
    Writable,
    /// The replica is full: something that other members hold was not taken in.
    ReplicaFull {
        /// Where it is full, in bytes.
        bytes: usize,
    },
    /// The name this node claims is held by another member.
    NameLost {
        /// The name.
        name: String,
        /// The member that holds it.
        holder: Principal,
    },
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Liveness { node, liveness } => write!(f, "{node} is {liveness}"),
            Self::Leader(None) => f.write_str("no leader"),
            Self::Leader(Some((node, claim))) => {
                let who = claim.principal.short();
                write!(f, "{node} ({who}) leads under term {}", claim.n)
            }
            Self::LeadLost { node, claim } => {
                let who = claim.principal.short();
                write!(
                    f,
                    "this node no longer leads: {node} ({who}) leads under the greater term {}",
                    claim.n
                )
            }
            Self::Admitted(who) => write!(f, "{} is a member", who.short()),
            Self::Seed(seed) => {
                write!(
                    f,
                    "could not join through {}, which is tried again: {}",
                    seed.addr, seed.outcome
                )
            }
            Self::JoinFailed { peer, refusal, joining: true } => {
                write!(f, "could not join through {}: {refusal}", peer.short())
            }
            Self::JoinFailed { peer, refusal, joining: false } => {
                write!(f, "refused {}: {refusal}", peer.short())
            }
            Self::OtherFlock { addr } => {
                write!(f, "{addr} answers, but not to us: another flock or another secret")
            }
            Self::OtherVersion { addr, what } => {
                write!(f, "peer at {addr} runs another version: {what}; upgrade one of them")
            }
            Self::Misbehaved { peer, what } => write!(f, "{} sent {what}", peer.short()),
            Self::SignedTwice(who) => {
                write!(
                    f,
                    "{} signed two records under one marker: is its key in use twice?",
                    who.short()
                )
            }
            Self::Recovered { incarnation, lost } => {
                write!(
                    f,
                    "took over what this node said at incarnation {incarnation}, from its peers"
                )?;
                if lost.is_empty() {
                    return Ok(());
                }
                write!(f, "; gone, since it was not said then: {}", lost.join(", "))
            }
            Self::HandedOver { services, stored: true } => write!(
                f,
                "members stored what was registered here since the start, for the continuing node to \
                 take over: {}",
                services.join(", ")
            ),
            Self::HandedOver { services, stored: false } => write!(
                f,
                "lost: no member stored what was registered here since the start: {}; register it again \
                 on the continuing node",
                services.join(", ")
            ),
            Self::RemovedInVain { services } => write!(
                f,
                "the continuing node does not know that this one deregistered {}",
                services.join(", ")
            ),
            Self::LeftBehind { services } => write!(
                f,
                "registered here before the start, and lost unless the continuing node has it, too: {}",
                services.join(", ")
            ),
            Self::NotTakenOver { services, from } => write!(
                f,
                "a copy of this node at {} stopped, and had since before its start what this node has not: \
                 {}; register again what is missed",
                places(from),
                services.join(", ")
            ),
            Self::TookOver { services, from } => write!(
                f,
                "a copy of this node at {} stopped; took over what was registered there: {}",
                places(from),
                services.join(", ")
            ),
            Self::LostWithTwin { services, from } => write!(
                f,
                "lost: a copy of this node at {} ended, and this node did not take over {}",
                places(from),
                services.join(", ")
            ),
            Self::ReadOnly => {
                f.write_str("the disk is full: this node is read-only until there is room")
            }
            Self::Writable => f.write_str("the disk takes writes again"),
            Self::ReplicaFull { bytes } => write!(
                f,
                "the replica is full at {} MiB: this node takes in no further members, and may show \
                 less than others do; `crux-node doctor` says who brought most",
                bytes >> 20
            ),
            Self::NameLost { name, holder } => {
                write!(
                    f,
                    "the name {name} is held by {}; start with another --name",
                    holder.short()
                )
            }
        }
    }
}

fn places(of: &[String]) -> String {
    if of.is_empty() { "an unknown address".to_owned() } else { of.join(", ") }
}

/// Why a node stops by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopReason {
    /// It left the flock, as asked.
    Left,
    /// Its identity runs elsewhere, and goes on there.
    Cloned {
        /// Where the other one says it is; empty if no record of it came.
        elsewhere: Vec<String>,
    },
}
