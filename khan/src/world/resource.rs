//! Resources, which instances take and nodes have.

use core::fmt;

/// Something that a node has a limited amount of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// Processors, in thousandths.
    Cpu,
    /// Memory, in MiB.
    Memory,
    /// Places for instances.
    Places,
}

impl Resource {
    /// All of them, in the order in which amounts are written.
    pub const ALL: [Self; 3] = [Self::Cpu, Self::Memory, Self::Places];
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Places => "instances",
        })
    }
}

/// An amount of each resource, in the order of [`Resource::ALL`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Amounts(pub [u64; 3]);

impl Amounts {
    /// The greatest of them.
    pub fn greatest(self) -> u64 {
        self.0.into_iter().max().unwrap_or_default()
    }

    /// Whether all are 0.
    pub fn is_nothing(self) -> bool {
        self.greatest() == 0
    }

    /// Adds so many times another amount.
    pub fn add(&mut self, other: Self, times: u32) {
        for (mine, its) in self.0.iter_mut().zip(other.0) {
            *mine += its * u64::from(times);
        }
    }

    /// Subtracts so many times another amount, which was added before.
    pub fn subtract(&mut self, other: Self, times: u32) {
        for (mine, its) in self.0.iter_mut().zip(other.0) {
            *mine -= its * u64::from(times);
        }
    }
}

/// The amount of each resource that a node has, in the order of [`Resource::ALL`]; `None`: no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Room(pub [Option<u64>; 3]);

impl Room {
    /// The greatest limit.
    pub fn greatest(self) -> u64 {
        self.0.into_iter().flatten().max().unwrap_or_default()
    }

    /// Whether an instance of this weight fits beside what is used. A resource that it takes nothing of does not
    /// keep it out, even where more is used than there is.
    pub fn fits(&self, used: Amounts, weight: Amounts) -> bool {
        self.lacks(used, weight).next().is_none()
    }

    /// For how many instances of this weight there is room beside what is used.
    pub fn holds(&self, used: Amounts, weight: Amounts) -> u32 {
        let rows = self.0.into_iter().zip(used.0.into_iter().zip(weight.0));
        let limits = rows
            .filter_map(|(room, (used, weight))| room?.saturating_sub(used).checked_div(weight));
        limits.min().map_or(u32::MAX, |limit| u32::try_from(limit).unwrap_or(u32::MAX))
    }

    /// The resources of which too little is left for an instance of this weight.
    pub fn lacks(&self, used: Amounts, weight: Amounts) -> impl Iterator<Item = Resource> {
        let rows =
            Resource::ALL.into_iter().zip(self.0.into_iter().zip(used.0.into_iter().zip(weight.0)));
        rows.filter_map(|(resource, (room, (used, weight)))| {
            let lacks = weight > 0 && room.is_some_and(|room| used + weight > room);
            lacks.then_some(resource)
        })
    }

    /// The greatest share of a resource that is used, in 1/10,000.
    pub fn load(&self, used: Amounts) -> u64 {
        let shares = self.0.into_iter().zip(used.0);
        let limited =
            shares.filter_map(|(room, used)| Some(used.saturating_mul(10_000) / room?.max(1)));
        limited.max().unwrap_or_default()
    }
}
