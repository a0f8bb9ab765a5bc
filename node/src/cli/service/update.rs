//! `service update`

use std::path::PathBuf;

use crux_client::op::{New, UpdateService};
use crux_client::parse;

use super::image::Images;
use super::until::{Waiting, answer};
use super::{Ui, config, named};
use crate::cli::output::block_on;
use crate::error::{Error, Kind};
use crate::services::Place;

/// Replace the image of a service, or its whole config
///
/// Unless a port has a fixed number, the new program is started beside the old one, which stops once the new one has
/// been up for 5 s. If the new one does not get up, the service continues with what it had: `rolled_back`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the service
    name: String,
    /// A file with the new config, or `-` for standard input
    #[arg(required_unless_present = "image", conflicts_with = "image")]
    file: Option<PathBuf>,
    /// The new program: a blob's id or the first digits of it, or a file
    #[arg(long, value_name = "ID|PATH")]
    image: Option<String>,
    /// With --image: the revision from now on
    #[arg(long, value_name = "R", requires = "image")]
    rev: Option<String>,
    #[command(flatten)]
    waiting: Waiting,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    let (service, wait) = (named(&args.name)?, args.waiting.wait());
    let new = match (&args.image, &args.file) {
        (Some(image), _) => {
            let rev = args.rev.as_ref().map(|rev| parse::service_name("the revision", rev));
            let (rev, place) = (rev.transpose()?, place(image)?);
            let blob = block_on(async { Images::new(ui, wait).blob(&place).await })?;
            New::Image { blob, argv0: None, rev }
        }
        (None, file) => {
            let draft = config::read(file.as_deref().unwrap_or("-".as_ref()))?;
            if draft.name != service {
                let message = format!("the config is that of {}, not of {service}", draft.name);
                return Err(Error::new(Kind::InvalidArgument, message)
                    .with_hint("An update keeps the name. `service add` adds another service."));
            }
            New::Config(Box::new(block_on(async {
                Images::new(ui, wait).config(draft, false).await
            })?))
        }
    };
    let until = args.waiting.until();
    let settled = ui.call(&UpdateService { service, new, until }, wait)?;
    answer(&settled, ui)
}

/// The meaning of the word after `--image`.
fn place(image: &str) -> Result<Place, Error> {
    Place::of_word(image).map_err(|why| {
        Error::new(Kind::InvalidArgument, why)
            .augment("--image")
            .with_hint("Give the id of a blob, its first digits, or a file.")
    })
}
