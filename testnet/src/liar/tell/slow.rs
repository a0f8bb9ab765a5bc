//! It answers comparisons late, and with differences that never end.
//!
//! Its roots are never twice the same, so that there always is something to compare. A range that it
//! is asked about has parts that differ, every time; what it is to send of them it has not. Each
//! answer takes nearly as long as the asker's patience.

use std::collections::VecDeque;
use std::time::Duration;

use crux_crdt::Digest;
use crux_crdt::fact::Kind;
use crux_protocol::link::{Command, Event, Protocol, ReplyId};
use crux_protocol::sync::{Aside, Piece, Request, Response, Roots};
use crux_protocol::time::Instant;

use super::super::filter::{Filter, Scene};
use crate::output::say;

/// How long an answer takes: less than the 10 s after which a request is lost.
const LATE: Duration = Duration::from_secs(8);
/// How often it says that its roots differ.
const PERIOD: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Slow {
    next: Instant,
    owed: VecDeque<(Instant, ReplyId, Vec<u8>)>,
    held: bool,
}

impl Slow {
    fn answer(&mut self, id: ReplyId, request: Request, scene: &mut Scene<'_>) {
        let body = match request {
            Request::Roots { .. } => {
                let body = Response::encode_roots(&roots(), &Aside::default());
                scene.out.push(Command::Reply { id, body });
                return;
            }
            Request::Ranges { ranges, .. } => {
                let parts: Vec<_> =
                    ranges.iter().map(|(bounds, _)| Piece::Range(*bounds, digest())).collect();
                Response::encode_pieces(&parts)
            }
            Request::Facts { kind, .. } => Response::encode_facts(kind, Vec::new()),
            Request::Store(_) => Response::encode_stored(false),
            Request::Beacons(_) => Response::encode_beacons(&[]),
        };
        if !self.held {
            self.held = true;
            say("holds a session");
        }
        self.owed.push_back((scene.now + LATE, id, body));
    }
}

impl Filter for Slow {
    fn hear(&mut self, event: Event, scene: &mut Scene<'_>) -> Option<Event> {
        let Event::Request { id, protocol: Protocol::Sync, body, .. } = &event else {
            return Some(event);
        };
        let Ok(request) = Request::decode(body) else { return Some(event) };
        self.answer(*id, request, scene);
        None
    }

    fn wake(&mut self, scene: &mut Scene<'_>) {
        while let Some((_, id, body)) = self.owed.pop_front_if(|(due, ..)| *due <= scene.now) {
            scene.out.push(Command::Reply { id, body });
        }
        if self.next <= scene.now {
            self.next = scene.now + PERIOD;
            for peer in scene.state.linked() {
                let aside = Aside::default();
                let request = Request::Roots { roots: roots(), aside, urgent: true };
                scene.request(peer, Protocol::Sync, request.encode());
            }
        }
    }

    fn deadline(&self) -> Instant {
        let owed = self.owed.front().map_or(Instant::NEVER, |(due, ..)| *due);
        self.next.min(owed)
    }
}

fn digest() -> Digest {
    Digest(rand::random())
}

fn roots() -> Roots {
    Roots::new(Kind::KNOWN.iter().map(|kind| (*kind, digest())))
}
