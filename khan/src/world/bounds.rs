//! The bounds of a world. They keep every sum of the solver within 64 bits, and its memory within reason.

/// At most that many nodes. Four times the 3,000 that the goals name, and the 10,000 that the simulator runs.
pub const NODES_MAX: usize = 16_384;

/// At most that many services are described, and at most that many are present. Four times the picks of a program,
/// because what other hordes run takes room too.
pub const SERVICES_MAX: usize = 1_024;

/// At most that many instances of a service on one node, and that many that a program wants in all. A guess: thirty
/// for each of 3,000 nodes.
pub const COUNT_MAX: u32 = 100_000;

/// No amount of a resource is greater: 2 million processors, or 2 PiB.
pub const AMOUNT_MAX: u64 = (1 << 31) - 1;

/// The name of a node has at most that many bytes.
pub const NAME_MAX: usize = 255;

/// A world has at most that many bytes of JSON. A node with ten services takes some 200: all of [`NODES_MAX`] have a quarter
/// of it.
pub const BYTES_MAX: usize = 16 * 1024 * 1024;
