//! A node as the supervisor of the programs of a bench.

use crux_client::op::{AddService, Goal, Until};
use crux_crdt::service::{Config, Port, PortName, Ports};

use super::lives::{Program, System};
use crate::process::{BlobClient, NodeClient, NodeProcess};
use crate::{Error, sample};

/// A node that has the images, and the configs that it will be given.
pub(super) struct Ours {
    node: NodeClient,
    configs: Vec<Config>,
}

impl Ours {
    /// Puts the images. A program is not looked after by checks, as those of the peers are not.
    pub(super) async fn prepare(node: &NodeProcess, programs: &[Program]) -> Result<Self, Error> {
        let blobs = BlobClient::connect(node.spec()).await?;
        let mut configs = Vec::new();
        for (at, program) in programs.iter().enumerate() {
            let image = blobs.put(&program.image).await?;
            let mut fields = sample::fields(&format!("p{at}"), image)?;
            fields.ports = fixed(program.addr().port())?;
            fields.check.clear();
            configs.push(sample::config(fields)?);
        }
        Ok(Self { node: node.services(), configs })
    }
}

impl System for Ours {
    fn name(&self) -> &'static str {
        "crux"
    }

    async fn start(&mut self, at: usize) -> Result<(), Error> {
        let until = Until { goal: Goal::None, ..sample::until_up() };
        let op = AddService { config: self.configs[at].clone(), until };
        self.node.call(&op).await.map(drop)
    }
}

/// One port, of that number.
fn fixed(number: u16) -> Result<Ports, Error> {
    let name: PortName = sample::read(sample::PORT)?;
    let number = std::num::NonZeroU16::new(number);
    let number = number.ok_or_else(|| Error::Broken("0 is not a port".to_owned()))?;
    let mut ports = Ports::default();
    ports.push(name, Port::Number(number)).map_err(|error| Error::Broken(error.to_string()))?;
    Ok(ports)
}
