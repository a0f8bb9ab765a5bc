//! How an operation becomes a handler: read, carried out, written.

use std::future::Future;

use crate::op::{Op, Wire};
use crate::wire::to_status;
use tonic::{Response, Status};

use crate::Error;

/// The result of a handler.
pub type Answer<T> = Result<Response<T>, Status>;

/// Carries out an operation.
pub trait Serve<O: Op> {
    /// The answer.
    fn serve(&self, op: O) -> impl Future<Output = Result<O::Answer, Error>> + Send;
}

/// The handler of an operation's call.
pub async fn handle<O: Wire>(
    service: &(impl Serve<O> + Sync),
    wire: &O::Request,
) -> Answer<O::Response> {
    let answer = async { service.serve(O::from_wire(wire)?).await };
    answered(answer.await.map(|answer| O::answer_to_wire(&answer)))
}

/// A handler's result as gRPC wants it.
pub fn answered<T>(result: Result<T, Error>) -> Answer<T> {
    result.map(Response::new).map_err(|err| to_status(&err))
}
