//! The programs that services run, and the configs that name them.

use core::time::Duration;

use crux_crdt::blob::{BlobId, Descriptor, Root};
use crux_crdt::service::{self, Check, Config, Fields, Port, Probe, Restart, UpdateBy};
use crux_protocol::picket::Image;

/// The services.
pub(super) const SERVICES: [&str; 3] = ["api", "job", "web"];
/// How many contents people have.
pub(super) const CONTENTS: u8 = 16;
/// And a target.
pub(super) const CONTENTS_OF_TARGET: u8 = 17;
/// A content with checks, and the same with another period.
pub(super) const CHECKED: [u8; 2] = [1, 16];

/// How a program behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Its port accepts after a fifth of a second; it ends upon SIGTERM.
    Good,
    /// It accepts, and ends with 1 after [`CRASHES_AFTER`].
    Crashes,
    /// It ends with 1 after 50 ms, and is tried every second.
    Hasty,
    /// It never accepts.
    NeverUp,
    /// It accepts, and no more after [`SICK_AFTER`].
    Sickens,
    /// It is not a program.
    NotSealable,
    /// It is another machine's program.
    NotExecutable,
    /// It ignores SIGTERM, unless its tree gets it.
    Stubborn,
    /// It ignores it always.
    Deaf,
    /// It leaves a child behind that ends when it is killed.
    Forks,
    /// It ends with 0 after three seconds.
    Job,
}

/// How long [`Content::Crashes`] lives.
pub(super) const CRASHES_AFTER: Duration = Duration::from_millis(500);
/// How long the port of [`Content::Sickens`] accepts.
pub(super) const SICK_AFTER: Duration = Duration::from_secs(8);
/// How long a port takes to accept.
pub(super) const ACCEPTS_AFTER: Duration = Duration::from_millis(200);

impl Content {
    /// Whether it can stay up.
    pub(super) const fn is_good(self) -> bool {
        matches!(self, Self::Good | Self::Stubborn | Self::Deaf | Self::Forks)
    }

    /// For how long it may be up, if it cannot stay so: the last one is seen by three checks.
    pub(super) const fn up_at_most(self) -> Duration {
        match self {
            Self::Crashes => Duration::from_millis(505),
            Self::Sickens => Duration::from_secs(16),
            _ => Duration::ZERO,
        }
    }

    /// How many checks it has to pass.
    pub(super) const fn checks(self) -> usize {
        if matches!(self, Self::Job | Self::Hasty) { 0 } else { 1 }
    }
}

/// How the program of an image behaves.
pub(super) fn of(blob: BlobId) -> Content {
    match blob.0[0] {
        2 => Content::Crashes,
        3 => Content::NeverUp,
        4 => Content::NotSealable,
        5 => Content::NotExecutable,
        8 => Content::Stubborn,
        10 => Content::Job,
        11 => Content::Deaf,
        12 => Content::Forks,
        14 => Content::Hasty,
        15 => Content::Sickens,
        _ => Content::Good,
    }
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// One of the configs of a service. 9 differs from 0 in its settings alone, and 16 from 1 in its period.
pub(super) fn content(service: usize, number: u8) -> (Config, Image) {
    let blob = match number {
        9 => 0,
        16 => 1,
        number => number,
    };
    let image = service::Image::Blob(BlobId([blob; 32]));
    let name = SERVICES[service].parse().expect("small letters make a name");
    let mut fields = Fields::new(name, image);
    (fields.period, fields.start_timeout) = (secs(2), secs(10));
    (fields.quit_timeout, fields.retry_failed) = (secs(3), secs(30));
    fields.drain = if number == 9 { Duration::from_millis(500) } else { secs(1) };
    fields.backoff_max = secs(5);
    fields.count = match number {
        7 => 2,
        13 => 3,
        _ => 1,
    };
    let http = || "http".parse().expect("small letters make a name");
    match number {
        6 => {
            let number = 8080 + u16::try_from(service).expect("a small number");
            let port = Port::Number(number.try_into().expect("not zero"));
            fields.ports.push(http(), port).expect("the first one");
        }
        10 => fields.restart = Restart::OnFailure,
        14 => fields.retry_failed = secs(1),
        _ => fields.ports.push(http(), Port::Auto).expect("the first one"),
    }
    if number == 16 {
        fields.period = Duration::from_millis(500);
    }
    if matches!(number, 1 | 15 | 16) {
        fields.check = vec![Check::new(Probe::Tcp { port: http() })];
    }
    if number == 13 {
        fields.update = Some(UpdateBy::Replace);
    }
    let descriptor = Descriptor { blob: BlobId([blob; 32]), root: Root([blob; 32]), size: 1 };
    let config = fields.try_into().expect("a valid config");
    (config, Image { descriptor, path: format!("blobs/{blob}") })
}
