//! Everything to and from the messages of `crux.v1`: here and nowhere else.
//!
//! Both directions of a value stand side by side, so that they cannot drift apart: the node writes
//! with the same impl that its clients read with. Whatever comes in is parsed here, once; behind this
//! edge there are no strings that may or may not be names.
//!
//! | trait | of |
//! |---|---|
//! | [`Message`] | what answers are made of: one message each |
//! | [`Wire`](crate::op::Wire) | operations: the message of the request and that of the answer |
//!
//! Errors travel as `google.rpc.Status`; see [`to_status`].

mod detail;
mod documents;
pub(crate) mod field;
mod model;
mod proctor;
mod services;
mod status;

pub use status::{from_status, to_status};

use crate::error::Error;

/// A value that is one message on the wire.
pub trait Message: Sized {
    /// The message.
    type Wire;

    /// The value as a message.
    fn to_wire(&self) -> Self::Wire;

    /// The message as a value.
    ///
    /// # Errors
    /// [`Kind::Internal`](crate::Kind::Internal) when it says what this version does not understand.
    fn from_wire(wire: &Self::Wire) -> Result<Self, Error>;
}
