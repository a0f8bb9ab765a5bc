use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crux_crdt::path::Endpoint;
use crux_crdt::sign::{Ed25519, Identity};
use crux_crdt::{Digest, Principal};
use crux_node::clock;
use crux_node::secret::SecretString;
use crux_protocol::context::{Apart, Context};
use crux_protocol::flock::{self, Command, ControlId, Event, Parts};
use crux_protocol::genesis::{Genesis, InitialSecret, JoinKey};
use crux_protocol::link;
use crux_protocol::net::{self, Net};
use crux_protocol::time::Instant;
use tokio::time::sleep;

use super::filter::{Filter, Scene};
use crate::Error;

/// What a member is started with.
pub(super) struct Start {
    /// Its key.
    pub(super) seed: [u8; 32],
    /// The flock's secret.
    pub(super) secret: SecretString,
    /// Where it listens; port 0 is any.
    pub(super) listen: SocketAddr,
    /// The node that it joins.
    pub(super) join: Vec<String>,
}

/// The real engine on the real network, with a filter between.
pub(super) struct Member<F> {
    identity: Arc<Identity>,
    context: Context,
    state: flock::State,
    net: Net,
    filter: F,
    sent: u64,
    asked: u64,
}

impl<F: Filter> Member<F> {
    /// Listens. Nothing was sent yet.
    pub(super) async fn start(start: Start, mut filter: F) -> Result<Self, Error> {
        let Start { seed, secret, listen, join } = start;
        let (initial, flock) = flock_of(&secret);
        let identity = Arc::new(Identity::from_seed(&seed));
        let me = identity.principal();
        let (verifier, sharing) = (Arc::new(Ed25519), Arc::new(Apart));
        let context = Context { flock, operator: None, me, verifier, sharing };
        let restored = filter.restored(&identity, &context);
        let network = net::Config::new(seed, flock, vec![listen]);
        let broken = |what: &dyn std::fmt::Display| Error::Broken(format!("a liar: {what}"));
        let net = net::spawn(network).await.map_err(|error| broken(&error))?;
        let at = net.listening.first().copied().unwrap_or(listen);
        let mut config =
            flock::Config::new(vec![Endpoint::try_from(at).map_err(|error| broken(&error))?]);
        config.join = join;
        let parts = Parts {
            identity: identity.clone(),
            join_key: JoinKey::initial(&initial),
            restored,
            seed: rand::random(),
        };
        let state = flock::State::new(config, context.clone(), parts, clock::now());
        Ok(Self { identity, context, state, net, filter, sent: 0, asked: 0 })
    }

    /// Runs until the network ends.
    pub(super) async fn run(mut self) {
        self.give(Event::Wake).await;
        loop {
            let now = clock::now();
            if self.filter.deadline() <= now {
                self.wake(now).await;
            }
            let due = self.state.deadline().min(self.filter.deadline());
            tokio::select! {
                event = self.net.events.recv() => match event {
                    Some(event) => self.hear(event).await,
                    None => return,
                },
                Some(event) = self.net.bulk.recv() => self.hear(event).await,
                // At least a moment, so that whatever is due does not spin.
                () = sleep(due.since(now).max(Duration::from_millis(1))) => {
                    self.give(Event::Wake).await;
                }
            }
        }
    }

    async fn hear(&mut self, event: link::Event) {
        let heard = self.filtered(clock::now(), |filter, scene| filter.hear(event, scene)).await;
        if let Some(event) = heard {
            self.give(Event::Link(event)).await;
        }
    }

    async fn wake(&mut self, now: Instant) {
        self.filtered(now, Filter::wake).await;
    }

    /// Lets the filter act, and then does what it put in.
    async fn filtered<T>(
        &mut self,
        now: Instant,
        act: impl FnOnce(&mut F, &mut Scene<'_>) -> T,
    ) -> T {
        let (mut out, mut controls) = (Vec::new(), Vec::new());
        let mut scene = Scene {
            identity: &self.identity,
            context: &self.context,
            state: &self.state,
            now,
            out: &mut out,
            controls: &mut controls,
            sent: &mut self.sent,
        };
        let result = act(&mut self.filter, &mut scene);
        for command in out {
            self.send(command).await;
        }
        for request in controls {
            self.asked += 1;
            let id = ControlId(self.asked);
            Box::pin(self.give(Event::Control { id, request })).await;
        }
        result
    }

    /// Gives the engine an event and does what follows: the disk is memory and answers at once.
    async fn give(&mut self, event: Event) {
        let mut events = vec![event];
        while let Some(event) = events.pop() {
            for command in self.state.handle(event, clock::now()) {
                match command {
                    Command::Link(command) => {
                        let said = self
                            .filtered(clock::now(), |filter, scene| filter.say(command, scene))
                            .await;
                        if let Some(command) = said {
                            self.send(command).await;
                        }
                    }
                    Command::Persist { ticket, .. } => {
                        events.push(Event::Persisted { ticket, result: Ok(()) });
                    }
                    // Nobody waits for its answers, and it does not stop because it was told to.
                    _ => {}
                }
            }
        }
    }

    async fn send(&self, command: link::Command) {
        // The network ended: so does the loop.
        self.net.commands.send(command).await.ok();
    }
}

/// What a secret is taken apart into: the part that joins need, and the flock id.
pub(super) fn flock_of(secret: &SecretString) -> (InitialSecret, Digest) {
    let parts = secret.parts();
    let initial = InitialSecret::new(parts.secret.clone());
    let operator = parts.operator.map(Principal);
    let flock = Genesis::new(parts.flock.clone(), operator, &initial).flock_id();
    (initial, flock)
}
