//! `target upgrade`

use std::collections::BTreeMap;

use crux_client::Client;
use crux_client::op::{GetStatus, HeldBlobs};
use crux_client::parse;
use crux_client::socket::Door;
use crux_crdt::document::{Earlier, Target};
use crux_crdt::name::{Label, ServiceName};
use crux_crdt::path::Query;
use crux_crdt::service::{Config, Image};

use super::current::{Current, State, earlier};
use super::image::Images;
use super::write::{Next, Writer};
use super::{AnySigner, Ui, Wait, Writing, horde};
use crate::cli::output::block_on;
use crate::error::{Error, Kind};
use crate::services::Place;

/// The form of both queries.
const FORM: &str =
    "As in `target upgrade /dev/main/*/web/v3 /dev/main/*/web/v4`, with `*` for the node.";

/// Change revisions of services in the target
///
/// FROM and TO are paths as `services` prints them, with `*` for the node: each service of the target that FROM matches
/// gets the revision in TO. With --image it runs that program; without, it is what an earlier generation had under
/// that revision.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Services of the target, as in /dev/main/*/web/v3; `*` in any part
    from: String,
    /// The same with the new revision, as in /dev/main/*/web/v4
    to: String,
    /// The new program: a blob's id or the first digits of it, or a file
    #[arg(long, value_name = "ID|PATH")]
    image: Option<String>,
    /// Line that `target history` shows beside the generation, at most 256 bytes; FROM and TO by default
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    #[command(flatten)]
    signer: AnySigner,
    #[command(flatten)]
    how: Writing,
}

/// The revisions that are meant.
#[derive(Debug)]
struct Revisions {
    from: Query,
    to: ServiceName,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let revisions = Revisions::read(&args.from, &args.to, &horde())?;
    let place = args.image.as_deref().map(|word| {
        Place::of_word(word)
            .map_err(|why| Error::new(Kind::InvalidArgument, why).augment("--image"))
    });
    let place = place.transpose()?;
    let signer = args.signer.read(None, ui)?;
    let writer = Writer::begin(signer, horde(), args.how, ui)?;
    let (before, target) = block_on(async {
        let client = ui.connect_at(Door::Control, args.how.wait.timeout).await?;
        revisions.check_flock(&client).await?;
        let current = State::read(&client, writer.horde()).await?.needed(writer.horde())?;
        let mut images = Images::new(&client, args.how.wait);
        let image = match &place {
            Some(place) => Some(Image::Blob(images.blob(place).await?)),
            None => None,
        };
        let note = args.note.clone().unwrap_or_else(|| format!("{} to {}", args.from, args.to));
        let mut next = Next::of(&current.target, note);
        revisions.apply(&mut next, &current, image, (&client, args.how.wait)).await?;
        let target = next.target(writer.horde(), Some(&current))?;
        if !writer.is_dry() {
            images.put(ui).await?;
        }
        Ok((State::Current(Box::new(current)), target))
    })?;
    writer.write(&before, &target, "Upgraded", ui).map(drop)
}

impl Revisions {
    fn read(from: &str, to: &str, horde: &Label) -> Result<Self, Error> {
        let wrong = |message: &str| Error::new(Kind::InvalidArgument, message).with_hint(FORM);
        let (from, to) = (parse::query(from)?, parse::query(to)?);
        if from.node.is_some() || to.node.is_some() {
            return Err(wrong("a target says by itself on which nodes a service runs"));
        }
        let other = |part: &Option<Label>| part.as_ref().is_some_and(|it| it != horde);
        if other(&from.horde) || other(&to.horde) {
            return Err(wrong(&format!("there is the horde {horde} only")));
        }
        if to.flock.is_some() && to.flock != from.flock {
            return Err(wrong("FROM and TO name two flocks"));
        }
        if to.service.is_some() && to.service != from.service {
            return Err(wrong("an upgrade keeps the name of a service").with_hint(
                "Another service needs another program: change the files, and `apply` them.",
            ));
        }
        let to = to.rev.ok_or_else(|| wrong("TO has no revision"))?;
        Ok(Self { from, to })
    }

    /// # Errors
    /// FROM names another flock.
    async fn check_flock(&self, client: &Client) -> Result<(), Error> {
        let Some(named) = &self.from.flock else { return Ok(()) };
        let flock = client.call(&GetStatus).await?.flock;
        if flock == *named {
            return Ok(());
        }
        Err(Error::new(Kind::NotFound, format!("this is the flock {flock}, not {named}"))
            .with_hint(FORM))
    }

    /// Whether FROM matches a service.
    fn matches(&self, config: &Config) -> bool {
        let has =
            |wanted: &Option<ServiceName>, found| wanted.as_ref().is_none_or(|it| it == found);
        has(&self.from.service, &config.name) && has(&self.from.rev, &config.rev)
    }

    /// Replaces what FROM matches.
    async fn apply(
        &self,
        next: &mut Next,
        current: &Current,
        image: Option<Image>,
        (client, wait): (&Client, Wait),
    ) -> Result<(), Error> {
        let matched: Vec<_> = next.services.iter().filter(|it| self.matches(it)).collect();
        if matched.is_empty() {
            let message = format!("the target has no service {}", self.from);
            return Err(Error::new(Kind::NotFound, message)
                .with_hint("`target show` lists its services with their revisions."));
        }
        let old: Vec<_> = matched.into_iter().filter(|it| it.rev != self.to).cloned().collect();
        if old.is_empty() {
            let message = format!("the services that match have the revision {} already", self.to);
            return Err(Error::new(Kind::AlreadyExists, message)
                .with_hint("Give another revision, or change the files and `apply` them."));
        }
        let mut new = BTreeMap::new();
        match image {
            Some(image) => {
                for config in old {
                    new.insert(config.name.clone(), with_image(config, &self.to, image.clone())?);
                }
            }
            None => {
                let names = old.iter().map(|it| it.name.clone()).collect();
                new = had(names, &self.to, current, (client, wait)).await?;
            }
        }
        for config in &mut next.services {
            if let Some(new) = new.remove(&config.name) {
                *config = new;
            }
        }
        Ok(())
    }
}

fn with_image(config: Config, rev: &ServiceName, image: Image) -> Result<Config, Error> {
    let name = config.name.clone();
    let mut fields = config.into_fields().with_image(image);
    fields.rev = rev.clone();
    fields.try_into().map_err(|err: crux_crdt::service::ConfigErrors| {
        Error::new(Kind::InvalidConfig, err.to_string()).augment(format!("the config of {name}"))
    })
}

/// The configs that services had under a revision, in the newest generation that has it.
async fn had(
    mut names: Vec<ServiceName>,
    rev: &ServiceName,
    current: &Current,
    (client, wait): (&Client, Wait),
) -> Result<BTreeMap<ServiceName, Config>, Error> {
    let mut found = BTreeMap::new();
    let all = current.target.earlier();
    let held = client.call(&HeldBlobs { ids: all.iter().map(|it| it.blob).collect() }).await?;
    let mut lost: Vec<u64> = Vec::new();
    for of in all {
        if names.is_empty() {
            break;
        }
        if !held.contains(&of.blob) {
            lost.push(of.generation);
            continue;
        }
        let content = content(client, of, wait).await?;
        names.retain(|name| {
            let config = content.services().get(name).filter(|it| it.rev == *rev);
            found.extend(config.map(|it| (name.clone(), it.clone())));
            config.is_none()
        });
    }
    let Some(name) = names.first() else { return Ok(found) };
    let message = format!("no earlier generation of the target has {name} with the revision {rev}");
    let hint = match lost.as_slice() {
        [] => "Give its program with --image, or change its document and `apply` the files."
            .to_owned(),
        [generation, ..] => format!(
            "The content of generation {generation} is on no live member. Give the program with --image, or start the \
             node where it was applied."
        ),
    };
    Err(Error::new(Kind::NotFound, message).with_hint(hint))
}

async fn content(client: &Client, of: &Earlier, wait: Wait) -> Result<Target, Error> {
    earlier(client, &horde(), of, wait.timeout).await
}
