//! Operations: what a node can be asked, each a plain value with the type of its answer.
//!
//! The same value is what the command line fills in, what the client sends, what the node's API hands
//! to the fulcrum, and what the answer's type hangs on all the way back:
//!
//! ```text
//!   node::cli ─ Register ──▶ Client ─ RegisterRequest ──▶ node::api ─ Register ──▶ fulcrum ─ Control ─▶ engine
//!            ◀─ Registered ─       ◀─ RegisterResponse ─           ◀─ Registered ─        ◀─ Answer ──
//! ```
//!
//! There is one file for each service of the API: [`control`], [`blobs`], [`documents`], [`proctor`] and
//! [`services`]. Each holds the operations with both of their conversions, and a table of calls at its top. The client
//! sends by that table, over the socket that the table names, and the node serves by it.
//!
//! # A new operation that changes state
//!
//! Besides the engine, which decides, five files know of it:
//!
//! | file | what it says |
//! |---|---|
//! | `proto/proto/crux/v1/control.proto` | the call and its two messages |
//! | `client/src/op/control.rs` | the struct and its answer, both conversions, a row of the table |
//! | `node/src/fulcrum/request.rs` | which event it is for the engine: a `From` |
//! | `node/src/cli/VERB.rs` | its arguments, and how the answer reads |
//! | `node/src/cli/mod.rs` | that there is such a verb |
//!
//! One that only reads the view has an `impl Serve` in `node/src/api/service.rs` in place of the `From`,
//! and its name in `Class::of` of `node/src/api/calls.rs`.
//! Types that several answers share are in [`model`](crate::model).

pub mod blobs;
pub mod control;
pub mod documents;
pub mod proctor;
pub mod services;

use std::future::Future;

use tonic::transport::Channel;

use crate::error::Error;
use crate::socket::Door;

pub use blobs::*;
pub use control::*;
pub use documents::*;
pub use proctor::*;
pub use services::*;

/// The longest answer in bytes. A service takes about 300, so this is some 200 000 services.
pub(crate) const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// Something to ask of a node, and the type of what it answers.
pub trait Op: Send + Sync + Sized + 'static {
    /// The node's answer.
    type Answer: Send + 'static;
}

/// An operation as messages: both directions of the request, and of the answer.
pub trait Wire: Op {
    /// The message that asks.
    type Request: Send + Sync + 'static;
    /// The message that answers.
    type Response: Send + 'static;

    /// The operation as a client writes it.
    fn to_wire(&self) -> Self::Request;

    /// The operation as a node reads it.
    ///
    /// # Errors
    /// The request is malformed; the hint says what to write instead.
    fn from_wire(wire: &Self::Request) -> Result<Self, Error>;

    /// The answer as a node writes it.
    fn answer_to_wire(answer: &Self::Answer) -> Self::Response;

    /// The answer as a client reads it.
    ///
    /// # Errors
    /// [`Kind::Internal`](crate::Kind::Internal) when it says what this version does not understand.
    fn answer_from_wire(wire: &Self::Response) -> Result<Self::Answer, Error>;
}

/// An operation that is one call of the API: a row of a table of calls.
pub trait Call: Wire {
    /// The effect of the call on the node.
    const EFFECT: Effect;
    /// The socket that serves it.
    const DOOR: Door;

    /// Makes the call.
    fn send(
        channel: Channel,
        call: tonic::Request<Self::Request>,
    ) -> impl Future<Output = Result<tonic::Response<Self::Response>, tonic::Status>> + Send;
}

/// The effect of a call: decides how long a client waits, and what a lost answer means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Only reads: a lost answer changed nothing.
    Reads,
    /// May change state: after a lost answer nobody can tell.
    Writes,
    /// As [`Effect::Writes`], and takes as long as it takes, as hashing does: a client sets no limit.
    Works,
}

/// Makes each row of a table of calls a [`Call`] over a stub.
macro_rules! calls_over {
    ($stub:ident at $door:ident: $($call:ident: $Op:ident, $effect:ident;)*) => {
        $(impl Call for $Op {
            const EFFECT: Effect = Effect::$effect;
            const DOOR: Door = Door::$door;

            async fn send(
                channel: Channel,
                call: tonic::Request<Self::Request>,
            ) -> Result<tonic::Response<Self::Response>, tonic::Status> {
                let stub = $stub::new(channel);
                stub.max_decoding_message_size(ANSWER_BYTES_MAX).$call(call).await
            }
        })*
    };
}
pub(crate) use calls_over;

/// A request without fields, in an impl of [`Wire`].
macro_rules! bare_request {
    ($Request:ident) => {
        type Request = v1::$Request;

        fn to_wire(&self) -> v1::$Request {
            v1::$Request {}
        }

        fn from_wire(_: &v1::$Request) -> Result<Self, Error> {
            Ok(Self)
        }
    };
}
pub(crate) use bare_request;

/// An answer that is only that it was done, in an impl of [`Wire`].
macro_rules! bare_answer {
    ($Response:ident) => {
        type Response = v1::$Response;

        fn answer_to_wire((): &()) -> v1::$Response {
            v1::$Response {}
        }

        fn answer_from_wire(_: &v1::$Response) -> Result<(), Error> {
            Ok(())
        }
    };
}
pub(crate) use bare_answer;

/// An answer whose own message answers, in an impl of [`Wire`].
macro_rules! whole_answer {
    () => {
        type Response = <Self::Answer as Message>::Wire;

        fn answer_to_wire(answer: &Self::Answer) -> Self::Response {
            answer.to_wire()
        }

        fn answer_from_wire(wire: &Self::Response) -> Result<Self::Answer, Error> {
            Message::from_wire(wire)
        }
    };
}
pub(crate) use whole_answer;
