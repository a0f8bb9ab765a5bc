use crux_crdt::record::{Header, Marker, Profile, Record};
use crux_crdt::sign::Signed;
use crux_protocol::fact::gossiped;
use crux_protocol::link::{Command, Topic};

use super::super::filter::Scene;

/// How far above its honest record a liar signs, so that no honest change is above its lie.
const ABOVE: u64 = 1_000_000;

/// The liar's own record with another profile, signed by it. `None`: it has no record yet.
pub(super) fn forged(
    scene: &Scene<'_>,
    number: u64,
    change: impl FnOnce(&mut Profile),
) -> Option<Record> {
    let own = scene.state.strew().record(&scene.context.me)?;
    let mut profile = own.profile().clone();
    change(&mut profile);
    let honest = own.header().value();
    let seq = honest.marker.seq.max(ABOVE) + number;
    let header = Header {
        marker: Marker { seq, ..honest.marker },
        profile_hash: profile.hash(),
        ..honest.clone()
    };
    let header = Signed::sign(header, &scene.context.flock, scene.identity);
    Record::new(header, profile, own.slots().clone()).ok()
}

/// Gossips a record as its author does.
pub(super) fn gossip(record: &Record) -> Command {
    Command::Publish {
        topic: Topic::Fact,
        data: gossiped(&std::sync::Arc::new(record.clone()).into(), |_| false),
    }
}
