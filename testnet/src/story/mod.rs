//! The demo: a story on a real flock, each step checked and timed.
//!
//! 1. Five nodes with one secret, and nothing else in common, become one flock.
//! 2. A gRPC server registers on one node; another node finds it by wildcard, and it is called.
//! 3. The leader is killed with `kill -9`; the others agree on the next one.
//! 4. The old leader comes back, and the new one stays.
//! 5. A sixth node comes late and has everything.
//! 6. A member lies, about the term that it leads with and about blobs, and nothing comes of it.
//! 7. A program runs on three nodes, and a fourth one finds and calls it: over the end of its process, of the
//!    fulcrum and of the picket beside it, and over an update that is bad.
//! 8. Every process is killed, and all start again, the programs too.
//! 9. All stop and start again in another order, and everything is still there.
//! 10. All stop in order, and no program is left.
//!
//! The story of a target is another one: [`tell_target`].

mod caller;
mod chapter;
mod greeter;
mod liar;
mod script;
mod services;
mod target;

pub use chapter::Chapter;
pub use greeter::Greeter;
pub use script::{NODES, tell};
pub use target::tell_target;
