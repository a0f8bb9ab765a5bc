//! Gossip: gossipsub with its traps closed, and the verdicts that are outstanding.

use std::collections::BTreeMap;
use std::time::Duration;

use crux_crdt::Digest;
use libp2p::PeerId;
use libp2p::gossipsub::{
    Behaviour, Config, ConfigBuilder, IdentTopic, IdentityTransform, Message, MessageAcceptance,
    MessageAuthenticity, MessageId, PeerScoreParams, PeerScoreThresholds, PublishError, TopicHash,
    TopicScoreParams, ValidationMode, WhitelistSubscriptionFilter,
};
use sha3::{Digest as _, Sha3_256};

use super::Error;
use super::limits::{GOSSIP_QUEUE_MAX, VERDICTS_MAX};
use crate::link::{GOSSIP_PAYLOAD_MAX, GossipId, Topic, Verdict};

/// Gossipsub, for the topics of this flock only.
pub(super) type Gossipsub = Behaviour<IdentityTransform, WhitelistSubscriptionFilter>;

/// The topics as gossipsub knows them.
#[derive(Debug, Clone)]
pub(super) struct Topics {
    of_flock: [(Topic, IdentTopic); Topic::ALL.len()],
}

impl Topics {
    /// The names hold the short id of the flock. It is the Noise prologue that keeps flocks apart;
    /// the name only makes a mistake visible.
    pub(super) fn new(genesis: &Digest) -> Self {
        let flock = genesis.short();
        let of_flock = Topic::ALL.map(|topic| {
            let name = match topic {
                Topic::Fact => "fact",
                Topic::Beat => "beat",
            };
            (topic, IdentTopic::new(format!("/crux/{name}/1/{flock}")))
        });
        Self { of_flock }
    }

    fn hashes(&self) -> impl Iterator<Item = TopicHash> {
        self.of_flock.iter().map(|(_, topic)| topic.hash())
    }

    fn of(&self, hash: &TopicHash) -> Option<Topic> {
        let mut topics = self.of_flock.iter();
        topics.find(|(_, topic)| topic.hash() == *hash).map(|(topic, _)| *topic)
    }
}

/// Builds gossipsub, subscribed to every topic.
pub(super) fn build(topics: &Topics) -> Result<Gossipsub, Error> {
    let setup = |error: &dyn std::fmt::Display| Error::Setup(error.to_string());
    let filter = WhitelistSubscriptionFilter(topics.hashes().collect());
    let mut gossipsub = Behaviour::new_with_subscription_filter(
        MessageAuthenticity::Anonymous,
        config().map_err(|error| setup(&error))?,
        filter,
    )
    .map_err(|error| setup(&error))?;
    gossipsub
        .with_peer_score(scores(topics), PeerScoreThresholds::default())
        .map_err(|error| setup(&error))?;
    for (_, topic) in &topics.of_flock {
        gossipsub.subscribe(topic).map_err(|error| setup(&format!("{error:?}")))?;
    }
    Ok(gossipsub)
}

fn config() -> Result<Config, libp2p::gossipsub::ConfigBuilderError> {
    ConfigBuilder::default()
        // Records carry their own signature, which is checked once per message by whoever judges
        // it; gossipsub would check its own on every copy.
        .validation_mode(ValidationMode::Anonymous)
        .message_id_fn(message_id)
        // Verified first, passed on after.
        .validate_messages()
        .flood_publish(false)
        // gossipsub measures its whole read buffer, which may hold 8 KiB of the next message: far
        // more than the payload has.
        .max_transmit_size(256 * 1024)
        // A receiver closes the stream over a control message that is too large, and the link is
        // dead after the fifth. 600 ids of 18 bytes are under 16 KiB, the default of others.
        .max_control_messages_sent(600)
        .max_control_message_size(64 * 1024)
        .connection_handler_queue_len(GOSSIP_QUEUE_MAX)
        // Each copy costs both ends some 50 µs, and the copies of one message queue up behind each
        // other: of 25 nodes on two cores the last has it after 7 ms with this mesh, and after
        // 10.6 ms with the default of 6, 5 and 12 (medians of three runs' medians of 400 messages).
        .mesh_n(5)
        .mesh_n_low(4)
        .mesh_n_high(8)
        // Adverts to peers outside the mesh repair what it lost; anti-entropy repairs it anyway, so
        // half the usual number of adverts is enough.
        .gossip_lazy(3)
        .gossip_factor(0.1)
        .heartbeat_interval(Duration::from_secs(1))
        .heartbeat_initial_delay(Duration::from_millis(500))
        .history_length(12)
        .history_gossip(6)
        .duplicate_cache_time(Duration::from_secs(120))
        // A node that was stopped for a while is pruned by everybody. A minute, the default, is
        // long to be without a mesh in a flock of three.
        .prune_backoff(Duration::from_secs(10))
        .graft_flood_threshold(Duration::from_secs(5))
        .build()
}

/// The first 16 bytes of SHA3-256(topic ‖ data). Short, so that many fit into an IHAVE; of the
/// contents, so that it is the same whoever publishes.
fn message_id(message: &Message) -> MessageId {
    let mut hash = Sha3_256::new();
    hash.update(message.topic.as_str().as_bytes());
    hash.update(&message.data);
    MessageId::from(&hash.finalize()[..16])
}

/// Scores: a slow peer and one that sends rubbish leave the mesh, nothing else counts.
fn scores(topics: &Topics) -> PeerScoreParams {
    let topic = TopicScoreParams {
        topic_weight: 1.0,
        time_in_mesh_weight: 0.0,
        first_message_deliveries_weight: 0.0,
        // Quiet topics are the rule here; nobody is to deliver a minimum.
        mesh_message_deliveries_weight: 0.0,
        mesh_failure_penalty_weight: 0.0,
        // Squared: three rejected messages within seconds are −90, below the graylist.
        invalid_message_deliveries_weight: -10.0,
        invalid_message_deliveries_decay: 0.9,
        ..TopicScoreParams::default()
    };
    PeerScoreParams {
        topics: topics.hashes().map(|hash| (hash, topic.clone())).collect(),
        // Many nodes behind one address, or on one machine, are no attack.
        ip_colocation_factor_weight: 0.0,
        // A promise is broken by any machine that is busy for three seconds.
        behaviour_penalty_threshold: 10.0,
        behaviour_penalty_weight: -1.0,
        retain_score: Duration::from_secs(60),
        ..PeerScoreParams::default()
    }
}

/// Gossip on its way between gossipsub and the engine.
#[derive(Debug)]
pub(super) struct Gossip {
    topics: Topics,
    hashes: BTreeMap<Topic, TopicHash>,
    /// Messages without a verdict.
    unjudged: BTreeMap<GossipId, (MessageId, PeerId)>,
    next: u64,
}

impl Gossip {
    pub(super) fn new(topics: Topics) -> Self {
        let hashes = topics.of_flock.iter();
        let hashes = hashes.map(|(topic, name)| (*topic, name.hash())).collect();
        Self { topics, hashes, unjudged: BTreeMap::new(), next: 0 }
    }

    /// Publishes. That nobody is there, or that it is known already, is no error.
    pub(super) fn publish(&self, gossipsub: &mut Gossipsub, topic: Topic, data: Vec<u8>) {
        if data.len() > GOSSIP_PAYLOAD_MAX {
            tracing::debug!(?topic, length = data.len(), "too large to gossip");
            return;
        }
        match gossipsub.publish(self.hashes[&topic].clone(), data) {
            Ok(_) | Err(PublishError::NoPeersSubscribedToTopic | PublishError::Duplicate) => {}
            Err(error) => tracing::debug!(?topic, %error, "not gossiped"),
        }
    }

    /// Takes a message in. Returns what to tell the engine, unless it is refused here.
    pub(super) fn receive(
        &mut self,
        gossipsub: &mut Gossipsub,
        id: MessageId,
        from: PeerId,
        message: Message,
    ) -> Option<(GossipId, Topic, Vec<u8>)> {
        let topic = self.topics.of(&message.topic).ok_or(MessageAcceptance::Ignore);
        let fits = message.data.len() <= GOSSIP_PAYLOAD_MAX;
        let topic = topic.and_then(|topic| fits.then_some(topic).ok_or(MessageAcceptance::Reject));
        let topic = match topic {
            Ok(topic) => topic,
            // Of a topic that this build does not know nothing is held against the peer.
            Err(refusal) => {
                gossipsub.report_message_validation_result(&id, &from, refusal);
                return None;
            }
        };
        while self.unjudged.len() >= VERDICTS_MAX {
            // Its verdict will find nothing. It is not passed on from here, others do.
            if let Some((_, (id, from))) = self.unjudged.pop_first() {
                gossipsub.report_message_validation_result(&id, &from, MessageAcceptance::Ignore);
            }
        }
        let gossip = GossipId(self.next);
        self.next += 1;
        self.unjudged.insert(gossip, (id, from));
        Some((gossip, topic, message.data))
    }

    /// Carries out a verdict. A second one on the same message does nothing.
    pub(super) fn judge(&mut self, gossipsub: &mut Gossipsub, id: GossipId, verdict: Verdict) {
        let Some((id, from)) = self.unjudged.remove(&id) else {
            return;
        };
        let acceptance = match verdict {
            Verdict::Accept => MessageAcceptance::Accept,
            Verdict::Ignore => MessageAcceptance::Ignore,
            Verdict::Reject => MessageAcceptance::Reject,
        };
        gossipsub.report_message_validation_result(&id, &from, acceptance);
    }
}
