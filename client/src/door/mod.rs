//! How a process of a node serves gRPC on a unix socket in the data directory: the fulcrum its control API, the picket
//! that of services. With the feature `door`.
//!
//! | module | what it does |
//! |---|---|
//! | `socket` | the socket: path, mode, which users may connect |
//! | `limits` | how much is taken at once, from all callers together |
//! | `seats` | which connections are served, and which are closed |
//! | `calls` | how many calls of each kind are open |
//! | `whole` | a request counts once it arrived whole |
//! | `untaken` | answers that callers have not taken yet |
//! | `serve` | how an operation of the client's becomes a handler |

mod calls;
mod limits;
mod seats;
mod serve;
mod socket;
mod untaken;
mod whole;

pub use calls::{Calls, Counted};
pub use limits::{LONG_PER_CONNECTION, Limits, STREAMS_MAX};
pub use seats::{Line, Open, Seats};
pub use serve::{Answer, Serve, answered, handle};
pub use socket::{Connection, Socket};
