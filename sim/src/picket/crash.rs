use core::fmt;
use std::collections::BTreeMap;

use rand::RngExt as _;
use rand::rngs::StdRng;

/// A point at which the picket may die.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Point {
    /// Nothing of the service config is written.
    DesiredWriteBefore,
    /// It is written and flushed beside the old one.
    DesiredRenameBefore,
    /// It has the name, and the directory is not flushed.
    DesiredRenameAfter,
    /// It is durable, and the engine does not know.
    DesiredWriteAfter,
    /// The same of the record of an instance.
    RecordWriteBefore,
    RecordRenameBefore,
    RecordRenameAfter,
    RecordWriteAfter,
    /// There is no keeper.
    SpawnBefore,
    /// Keeper and program run, and the engine does not know.
    SpawnAfter,
    /// A record is to be deleted, and is there.
    ForgetBefore,
    /// It is deleted, and the directory is not flushed.
    ForgetAfter,
    /// The tree of an instance is to be killed, and lives.
    KillBefore,
    /// It is gone, and the engine does not know.
    KillAfter,
}

impl Point {
    pub(super) const ALL: [Self; 14] = [
        Self::DesiredWriteBefore,
        Self::DesiredRenameBefore,
        Self::DesiredRenameAfter,
        Self::DesiredWriteAfter,
        Self::RecordWriteBefore,
        Self::RecordRenameBefore,
        Self::RecordRenameAfter,
        Self::RecordWriteAfter,
        Self::SpawnBefore,
        Self::SpawnAfter,
        Self::ForgetBefore,
        Self::ForgetAfter,
        Self::KillBefore,
        Self::KillAfter,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::DesiredWriteBefore => "desired.write.before",
            Self::DesiredRenameBefore => "desired.rename.before",
            Self::DesiredRenameAfter => "desired.rename.after",
            Self::DesiredWriteAfter => "desired.write.after",
            Self::RecordWriteBefore => "record.write.before",
            Self::RecordRenameBefore => "record.rename.before",
            Self::RecordRenameAfter => "record.rename.after",
            Self::RecordWriteAfter => "record.write.after",
            Self::SpawnBefore => "spawn.before",
            Self::SpawnAfter => "spawn.after",
            Self::ForgetBefore => "forget.before",
            Self::ForgetAfter => "forget.after",
            Self::KillBefore => "kill.before",
            Self::KillAfter => "kill.after",
        }
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The picket dies at a point, the Nth time that it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Crash {
    point: Point,
    nth: u32,
    /// The machine loses its power with it.
    power: bool,
}

/// The crashes of one run, in their order: each is waited for once the one before has happened.
#[derive(Debug, Default)]
pub(super) struct Plan {
    waiting: Vec<Crash>,
    reached: BTreeMap<Point, u32>,
}

impl Plan {
    /// One crash, and for every second seed another one after it.
    pub(super) fn draw(seed: u64, rng: &mut StdRng) -> Self {
        let at = usize::try_from(seed % (2 * Point::ALL.len() as u64)).unwrap_or(0);
        let (point, power) = (Point::ALL[at / 2], at % 2 == 1);
        let mut waiting = vec![Crash { point, nth: rng.random_range(1..=3), power }];
        if rng.random_bool(0.5) {
            let point = Point::ALL[rng.random_range(0..Point::ALL.len())];
            let (nth, power) = (rng.random_range(1..=3), rng.random_bool(0.3));
            waiting.insert(0, Crash { point, nth, power });
        }
        Self { waiting, reached: BTreeMap::new() }
    }

    /// A point is reached. Whether the picket dies there, and if so whether the power is lost.
    pub(super) fn reach(&mut self, point: Point) -> Option<bool> {
        let count = self.reached.entry(point).or_default();
        *count += 1;
        let crash = self.waiting.last().filter(|it| it.point == point && it.nth <= *count)?;
        let power = crash.power;
        self.waiting.pop();
        self.reached.clear();
        Some(power)
    }

    /// Nothing dies any more.
    pub(super) fn end(&mut self) {
        self.waiting.clear();
    }
}
