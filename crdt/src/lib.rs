//! Crux's replicated data: pure values and their merges.
//!
//! No clock, no randomness, no IO, no async. A type here is a value; what it may hold is checked
//! when it is made, and merging never fails.
//!
//! | module | what | merge rule | who may write |
//! |---|---|---|---|
//! | [`record`] | a node's statement about itself: header, profile, slots | greatest marker wins, whole | that node |
//! | [`act`] | membership statements | union | members |
//! | [`fact`] | the table of signed kinds: how each travels, is stored, and its set | – | – |
//! | [`document`] | what the operator, or a user with a grant, wants | greatest marker wins, one rival is kept | the operator, users |
//! | [`strew`] | one node's replica of all of it | both of the above | – |
//! | [`blob`] | a holder's statement about a file | none: each statement counts alone | a member that sealed it |
//! | [`lww`] | a last-writer-wins register over `crdts` | greatest marker | – |
//! | [`service`] | what a node runs: configs of services | none: a node's own | – |
//!
//! The rest serves them: [`canon`] (the one encoding that is signed), [`sign`] (verify, then decode),
//! [`hash`], [`fingerprint`], [`id`], and the names people use: [`name`], [`path`];
//! [`text`], what may be shown of what others wrote; and [`units`], how durations and sizes are written.
//!
//! Of the `crdts` crate only `LWWReg` is used. Its `Orswot` and `Map` drop an operation that arrives
//! before its predecessor, its `MVReg` carries a whole map's clock, and `LWWReg` itself diverges on
//! equal markers with different values, which [`lww`] rules out.
//!
//! Not here: causal delivery, tombstones, wall-clock ordering. None of them is needed.

pub mod act;
pub mod blob;
pub mod canon;
pub mod document;
pub mod fact;
pub mod fingerprint;
pub mod hash;
pub mod id;
#[cfg(any(test, feature = "test-utils"))]
pub mod laws;
pub mod lww;
pub mod merge;
pub mod name;
pub mod pack;
pub mod path;
#[cfg(feature = "planted")]
pub mod planted;
pub mod record;
pub mod service;
pub mod sign;
pub mod strew;
pub mod text;
pub mod units;

pub use id::{Digest, Principal};

/// Whether the engines are to make this mistake; see the module `planted`.
#[cfg(feature = "planted")]
#[doc(hidden)]
#[macro_export]
macro_rules! planted {
    ($bug:ident) => {
        $crate::planted::is_planted($crate::planted::Bug::$bug)
    };
}

/// No build without the feature `planted` makes a mistake on purpose.
#[cfg(not(feature = "planted"))]
#[doc(hidden)]
#[macro_export]
macro_rules! planted {
    ($bug:ident) => {
        false
    };
}
