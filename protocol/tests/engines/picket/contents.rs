//! The programs of the random world, and their configs.

use crux_crdt::blob::BlobId;
use crux_crdt::service::{Check, Config, Port, Probe, Restart};
use crux_protocol::picket::{Image, Request};

use super::rig::{config, image, millis, secs, with_port};

pub(super) const SERVICES: [&str; 3] = ["api", "job", "web"];

/// How many contents there are.
pub(super) const CONTENTS: u8 = 11;

/// How a program behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    Good,
    Crashes,
    NeverUp,
    NotSealable,
    NotExecutable,
    /// It does not hear SIGTERM.
    Stubborn,
    /// It ends well after three seconds.
    Job,
}

impl Content {
    pub(super) fn is_good(self) -> bool {
        matches!(self, Self::Good | Self::Stubborn)
    }
}

pub(super) fn of(blob: BlobId) -> Content {
    match blob.0[0] {
        2 => Content::Crashes,
        3 => Content::NeverUp,
        4 => Content::NotSealable,
        5 => Content::NotExecutable,
        8 => Content::Stubborn,
        10 => Content::Job,
        _ => Content::Good,
    }
}

/// How many checks it has to pass.
pub(super) fn checks(blob: Option<BlobId>) -> usize {
    usize::from(blob.is_some_and(|blob| of(blob) != Content::Job))
}

/// One of the configs of a service. The last but one differs from the first in its settings alone.
pub(super) fn content(service: usize, number: u8) -> (Config, Image) {
    let blob = if number == 9 { 0 } else { number };
    let config = config(SERVICES[service], blob, |fields| {
        (fields.period, fields.start_timeout) = (secs(2), secs(10));
        (fields.quit_timeout, fields.retry_failed) = (secs(3), secs(30));
        fields.drain = if number == 9 { millis(500) } else { secs(1) };
        fields.backoff_max = secs(5);
        match number {
            6 => {
                let port = 8080 + u16::try_from(service).unwrap();
                let port = Port::Number(port.try_into().unwrap());
                fields.ports.push("http".parse().unwrap(), port).unwrap();
            }
            10 => fields.restart = Restart::OnFailure,
            _ => with_port(fields),
        }
        if number == 7 {
            fields.count = 2;
        }
        if number == 1 {
            let port = "http".parse().unwrap();
            fields.check = vec![Check::new(Probe::Tcp { port })];
        }
    });
    (config, image(blob))
}

pub(super) fn add(service: usize, number: u8) -> Request {
    let (config, image) = content(service, number);
    Request::Add { config: Box::new(config), image }
}

pub(super) fn update(service: usize, number: u8) -> Request {
    let (config, image) = content(service, number);
    Request::Update { config: Box::new(config), image }
}
