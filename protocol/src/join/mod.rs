//! Joining: how two nodes that share the initial secret become members of one flock.
//!
//! **Invariant**: a member admits a principal only after the principal proved, on a connection that
//! its own key secured, that it knows the join key (factor one), and answered with its key at the
//! address it states (factor two). Nothing in the exchange helps a peer without the join key, and no
//! message of one exchange is of use in another.
//!
//! ```text
//!   J → S  Knock       do you know me?            J dialled; known both ways: dial again, done
//!   S → J  Standing    yes or no, with the acts that prove a yes
//!   J → S  Hello       nonce, name, addresses, agreement key, incarnation, alone?, after
//!   S → J  Challenge   nonce, HMAC(K, "S" ‖ T)    S proves knowledge first
//!   J → S  Proof       the hello and the nonce again, HMAC(K, "J" ‖ T)
//!   S ⇢ J  Callback    on a NEW connection to J's stated address; J signs it
//!   S → J  Welcome     S's admission of J; a field for the epoch, empty so far
//!   J → S  Admission   J's admission of S; both sides are members now and dial again
//! ```
//!
//! J is the joiner and S its sponsor. *T*, the transcript, is the hash of all messages so far, with the
//! flock and both principals in it, so that a proof is bound to this channel. S calls back only after J
//! proved the join key, and only at a stated address that has the IP of J's connection or is a host
//! name: so S scans no ports for strangers.
//!
//! **Invariant**: a sponsor stores nothing of a peer that did not prove the join key, and tells it only
//! whether it is a member, and that the sponsor knows the key. The sponsor computes the challenge
//! (`challenge`) from J's message, and computes it a second time when the proof arrives. So strangers
//! that know only the flock id take no joiner's place, however many they are. Of joiners that proved
//! the key there are [`Config::guests_max`] at most, and each is forgotten with its last connection.
//!
//! A proof is valid at the sponsor that made its challenge, from the joiner it was made for, for as long
//! as the sponsor recognizes the challenge: 10 to 20 s, and not after a restart. Within that time the
//! joiner may send it again when the first one is answered, which starts the callback again and nothing
//! else. One callback of a joiner is open at a time: a joiner that proves the key again meanwhile, with
//! another hello, takes its own place, or waits.
//!
//! A join key excludes the evicted principals in its `after`; that of the initial secret, the only one that this build has,
//! excludes nobody. The hello names the list, so that it is in *T*; a sponsor refuses another list than its own key has,
//! and either side takes an admission only if it names the same list.
//!
//! If both sides knock at once, the one with the greater principal continues and the other one lets it
//! in: two handshakes would take twice the connections and could end each other.
//!
//! A join admits both ways and there is no founder: equal nodes that start at once admit each other
//! pairwise, and two islands become one by one handshake. A lone node joins the other side's flock,
//! whichever of them dialled, and drops its own term; where both are alone, J does. If one side knows
//! the other as a member already, it *presents* the chain of admissions that proves it, and no
//! handshake is needed (`chain` bounds what that costs).

mod acts;
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
pub(crate) use state::admits_under;
pub use state::{Facts, Output, State};
