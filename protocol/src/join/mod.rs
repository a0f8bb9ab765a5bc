//! Joining: how two nodes that share the initial secret come to be members of one flock.
//!
//! **Invariant**: a principal is admitted by a member only after it proved, on a connection that
//! its own key secured, that it knows the join key (factor one), and answered with its key at the
//! address it states (factor two). Nothing in the exchange helps who lacks the key, and no message
//! of one exchange is worth anything in another.
//!
//! ```text
//!   J → S  Knock       do you know me?            J dialled; known both ways: dial again, done
//!   S → J  Standing    yes or no, with the acts that prove a yes
//!   J → S  Hello       nonce, name, addresses, agreement key, incarnation, alone?
//!   S → J  Challenge   nonce, HMAC(K, "S" ‖ T)    S proves knowledge first
//!   J → S  Proof       the hello and the nonce again, HMAC(K, "J" ‖ T)
//!   S ⇢ J  Callback    on a NEW connection to J's stated address; J signs it
//!   S → J  Welcome     S's admission of J; a field for the epoch, empty so far
//!   J → S  Admission   J's admission of S; both sides are members now and dial again
//! ```
//!
//! *T* is the hash of all that was said so far, with the flock and both principals in it, so that a
//! proof is bound to this channel. The callback goes only to a stated address whose IP is the one J
//! is seen from, or that is a host name, and only after J proved the key: S is no port scanner for
//! strangers.
//!
//! **Invariant**: a sponsor keeps nothing of a peer that did not prove the key, and tells it only
//! whether it is a member, and that the sponsor knows the key. The challenge is computed (`challenge`) from what J said, and computed
//! again when the proof comes. So strangers that know the flock id and no more take no joiner's place,
//! however many they are; of joiners that proved it there are [`Config::guests_max`] at most, and each
//! is forgotten with its last connection.
//!
//! A proof is worth something to the sponsor that made its challenge, from its joiner, for as long as
//! the challenge is recognized: 10 to 20 s, and not after a restart. Within that time the joiner may
//! send it again when the first is answered, which starts the callback again and nothing else. One callback
//! of a joiner is under way at a time: who proves the key again meanwhile, with another hello, takes
//! its own place, or waits.
//!
//! Where both sides knock at once, the one with the greater principal goes on and the other one
//! lets it in: two handshakes would take twice the connections and could end each other.
//!
//! A join admits both ways and there is no founder: equal nodes that start at once admit each other
//! pairwise, and two islands become one by one handshake. Who is alone comes to the other's flock,
//! whoever dialled, and leaves its claim to lead behind; where both are alone, J does. Where one
//! side knows the other as a member already, it *presents* the chain of admissions that says so,
//! and no handshake is needed (`chain` bounds what that costs).

mod chain;
mod challenge;
mod config;
mod joiner;
mod message;
mod path;
mod sponsor;
mod state;
mod transcript;

pub use chain::Chain;
pub use config::Config;
pub use message::{Hello, Refusal, Request, Response};
pub use path::{PATH_MAX, path};
pub(crate) use state::admits;
pub use state::{Facts, Output, State};
