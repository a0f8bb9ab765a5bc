use core::fmt::Arguments;
use std::collections::{BTreeMap, VecDeque};

use crux_crdt::Principal;
use crux_crdt::fact::Kind;
use crux_protocol::flock::{Batch, Command, Event};
use crux_protocol::link;
use crux_protocol::time::Instant;

/// The history of a run, as text: its last lines, or all. Costs nothing while it is off.
#[derive(Debug, Default)]
pub(super) struct Trace {
    /// How many lines to keep.
    most: usize,
    lines: VecDeque<String>,
    names: BTreeMap<Principal, String>,
}

impl Trace {
    /// Keeps so many lines. Zero is off.
    pub(super) fn new(most: usize, names: BTreeMap<Principal, String>) -> Self {
        Self { most, lines: VecDeque::new(), names }
    }

    pub(super) fn call(&mut self, who: Principal, name: String) {
        self.names.insert(who, name);
    }

    pub(super) fn into_text(self) -> String {
        self.lines.into_iter().collect()
    }

    pub(super) fn text(&self) -> String {
        self.lines.iter().map(String::as_str).collect()
    }

    pub(super) fn line(&mut self, at: Instant, what: Arguments<'_>) {
        if self.most > 0 {
            let seconds = at.since_origin().as_secs_f64();
            if self.lines.len() >= self.most {
                self.lines.pop_front();
            }
            self.lines.push_back(format!("{seconds:12.6} {what}\n"));
        }
    }

    /// Notes an event of a host.
    pub(super) fn event(&mut self, at: Instant, host: usize, event: &Event) {
        if self.most == 0 {
            return;
        }
        match event {
            Event::Link(event) => {
                let text = self.link_event(event);
                self.line(at, format_args!("n{host} < {text}"));
            }
            Event::Persisted { ticket, result } => {
                self.line(at, format_args!("n{host} < Persisted {} {result:?}", ticket.0));
            }
            Event::Control { id, request } => {
                self.line(at, format_args!("n{host} < Control {} {request:?}", id.0));
            }
            Event::Recalled { record } => {
                let (author, marker) = (self.name(&record.author()), record.marker());
                self.line(at, format_args!("n{host} < Recalled {author} {}", marker.incarnation));
            }
            Event::Found { addr } => self.line(at, format_args!("n{host} < Found {addr}")),
            Event::Wake => self.line(at, format_args!("n{host} < Wake")),
        }
    }

    fn link_event(&self, event: &link::Event) -> String {
        use link::Event as E;
        match event {
            E::Connected { peer, outbound, member, .. } => {
                let (name, way) = (self.name(peer), if *outbound { "out" } else { "in" });
                format!("Connected {name} {way} {}", if *member { "open" } else { "shut" })
            }
            E::Dialled { id, peer, .. } => format!("Dialled {} {}", id.0, self.name(peer)),
            E::Disconnected { peer } => format!("Disconnected {}", self.name(peer)),
            E::Gossip { id, topic, from, data } => {
                format!("Gossip {} {topic:?} from {} {} B", id.0, self.name(from), data.len())
            }
            E::Request { id, peer, protocol, body } => {
                let kind = body.first().copied().unwrap_or_default();
                let name = self.name(peer);
                format!("Request {} {protocol:?}/{kind} of {name} {} B", id.0, body.len())
            }
            E::Response { id, peer, body } => {
                let kind = body.first().copied().unwrap_or_default();
                format!("Response {} /{kind} of {} {} B", id.0, self.name(peer), body.len())
            }
            E::RequestFailed { id, peer, failure } => {
                format!("RequestFailed {} to {} {failure:?}", id.0, self.name(peer))
            }
            E::Beat { peer, incarnation, counter } => {
                format!("Heartbeat of {} {incarnation}.{counter}", self.name(peer))
            }
            other => format!("{other:?}"),
        }
    }

    /// Notes a command of a host.
    pub(super) fn command(&mut self, at: Instant, host: usize, command: &Command) {
        if self.most == 0 {
            return;
        }
        let text = match command {
            Command::Link(command) => self.link_command(command),
            Command::Persist { ticket, batch } => {
                format!("Persist {} {} {:?}", ticket.0, counted(batch), batch.fence)
            }
            Command::Save(batch) => {
                format!("Save {}", counted(batch))
            }
            Command::Recall { author } => format!("Recall {}", self.name(author)),
            Command::Notice(notice) => format!("Notice: {notice}"),
            other => format!("{other:?}"),
        };
        self.line(at, format_args!("n{host} > {text}"));
    }

    fn link_command(&self, command: &link::Command) -> String {
        use link::Command as C;
        match command {
            C::Dial { id, addrs, expect } => {
                let expect = expect.as_ref().map_or_else(|| "anyone".into(), |p| self.name(p));
                format!("Dial {} {expect} at {}", id.0, addrs.join(" "))
            }
            C::Release { peer } => format!("Release {}", self.name(peer)),
            C::Disconnect { peer } => format!("Disconnect {}", self.name(peer)),
            C::Keep { peer } => format!("Keep {}", self.name(peer)),
            C::Admit { members } => format!("Admit {}", self.list(members.iter())),
            C::Observe { subjects } => format!("Observe {}", self.list(subjects.iter())),
            C::Publish { topic, data } => format!("Publish {topic:?} {} B", data.len()),
            C::Judge { id, verdict } => format!("Judge {} {verdict:?}", id.0),
            C::Request { id, peer, protocol, body } => {
                let kind = body.first().copied().unwrap_or_default();
                let name = self.name(peer);
                format!("Request {} {protocol:?}/{kind} to {name} {} B", id.0, body.len())
            }
            C::Reply { id, body } => {
                let kind = body.first().copied().unwrap_or_default();
                format!("Reply {} /{kind} {} B", id.0, body.len())
            }
            C::SetAddresses { peer, .. } => format!("SetAddresses {}", self.name(peer)),
            C::Find { peer } => format!("Find {}", self.name(peer)),
            C::Beat { incarnation, counter } => format!("Heartbeat {incarnation}.{counter}"),
            C::Provide { blob } => format!("Provide {blob}"),
            C::Withdraw { blob } => format!("Withdraw {blob}"),
            C::Seek { blob } => format!("Seek {blob}"),
        }
    }

    fn list<'a>(&self, who: impl Iterator<Item = &'a Principal>) -> String {
        who.map(|principal| self.name(principal)).collect::<Vec<_>>().join(" ")
    }

    fn name(&self, who: &Principal) -> String {
        self.names.get(who).cloned().unwrap_or_else(|| who.short())
    }
}

/// How many facts of each kind a batch has.
fn counted(batch: &Batch) -> String {
    let of = |kind: Kind| batch.facts.iter().filter(|fact| fact.kind() == kind).count();
    let counts = Kind::KNOWN.iter().map(|kind| format!("{} {kind}", of(*kind)));
    counts.collect::<Vec<_>>().join(" ")
}
