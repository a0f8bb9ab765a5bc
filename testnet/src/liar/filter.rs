use crux_crdt::sign::Identity;
use crux_protocol::context::Context;
use crux_protocol::flock::{Control, Restored, State};
use crux_protocol::link::{self, Protocol, RequestId};
use crux_protocol::time::Instant;

/// The ids of a filter's own requests begin here: the engine counts its own from 1.
const OWN_IDS: u64 = 1 << 62;

/// What a filter sees of its member, and what it puts in.
pub(super) struct Scene<'a> {
    /// Its key.
    pub(super) identity: &'a Identity,
    /// Its flock.
    pub(super) context: &'a Context,
    /// Its honest engine.
    pub(super) state: &'a State,
    /// Now.
    pub(super) now: Instant,
    /// Goes out to the network, past the engine.
    pub(super) out: &'a mut Vec<link::Command>,
    /// Is asked of the engine, as a person would.
    pub(super) controls: &'a mut Vec<Control>,
    /// How many requests the filter sent.
    pub(super) sent: &'a mut u64,
}

impl Scene<'_> {
    /// Sends a request past the engine.
    pub(super) fn request(
        &mut self,
        peer: crux_crdt::Principal,
        protocol: Protocol,
        body: Vec<u8>,
    ) -> RequestId {
        *self.sent += 1;
        let id = RequestId(OWN_IDS + *self.sent);
        self.out.push(link::Command::Request { id, peer, protocol, body });
        id
    }
}

/// The one thing that a liar changes. Every method's default is honest.
pub(super) trait Filter {
    /// What its engine finds on its disk at the start.
    fn restored(&mut self, _identity: &Identity, _context: &Context) -> Restored {
        Restored::default()
    }

    /// Something comes in. `None`: the engine never learns of it.
    fn hear(&mut self, event: link::Event, _scene: &mut Scene<'_>) -> Option<link::Event> {
        Some(event)
    }

    /// Something goes out. `None`: the network never learns of it.
    fn say(&mut self, command: link::Command, _scene: &mut Scene<'_>) -> Option<link::Command> {
        Some(command)
    }

    /// Time passed.
    fn wake(&mut self, _scene: &mut Scene<'_>) {}

    /// When it wants to be woken.
    fn deadline(&self) -> Instant {
        Instant::NEVER
    }
}
