//! The program as a service of a node.

use std::fmt::Display;
use std::str::FromStr;
use std::time::Duration;

use crux_client::model::Settled;
use crux_client::op::{AddService, Until};
use crux_crdt::blob::BlobId;
use crux_crdt::service::{Check, Config, Fields, Image, Port, PortName, Probe};

use crate::Error;
use crate::process::{BlobClient, NodeProcess};

/// The name of the program's port.
pub const PORT: &str = "http";
/// How long a node has until the service is up.
pub const UP_WITHIN: Duration = Duration::from_secs(30);
/// How long callers have to turn elsewhere; the default is longer than a story or a bench should take.
const DRAIN: Duration = Duration::from_millis(200);

/// A service that runs the program of a blob: it is up once it answers.
///
/// # Errors
///
/// [`Error::Broken`] when there cannot be a service of that name.
pub fn fields(name: &str, image: BlobId) -> Result<Fields<Image>, Error> {
    let mut fields = Fields::new(read(name)?, Image::Blob(image));
    let port: PortName = read(PORT)?;
    let check = Probe::Http { path: "/".to_owned(), port: port.clone() };
    let pushed = fields.ports.push(port, Port::Auto);
    pushed.map_err(|error| Error::Broken(error.to_string()))?;
    (fields.check, fields.drain) = (vec![Check::new(check)], DRAIN);
    Ok(fields)
}

/// The config of these fields.
///
/// # Errors
///
/// [`Error::Broken`] with the rules that they break.
pub fn config(fields: Fields<Image>) -> Result<Config, Error> {
    Config::try_from(fields).map_err(|errors| Error::Broken(format!("the config: {errors}")))
}

/// For what to wait after a request that starts something.
#[must_use]
pub fn until_up() -> Until {
    Until { within: UP_WITHIN, ..Until::default() }
}

/// Has a node run [the program](super::PROGRAM) under that name; returns when it is up.
///
/// # Errors
///
/// [`Error::Refused`] with what the node says.
pub async fn add(node: &NodeProcess, name: &str) -> Result<Settled, Error> {
    let image = BlobClient::connect(node.spec()).await?.put(super::PROGRAM).await?;
    let op = AddService { config: config(fields(name, image)?)?, until: until_up() };
    node.services().call(&op).await
}

/// A name, or another word that is checked.
///
/// # Errors
///
/// [`Error::Broken`] with the word and what is wrong with it.
pub fn read<T: FromStr<Err: Display>>(text: &str) -> Result<T, Error> {
    text.parse().map_err(|error| Error::Broken(format!("{text:?}: {error}")))
}
