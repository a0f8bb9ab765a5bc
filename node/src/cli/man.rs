//! `man`

use std::path::PathBuf;

use clap::CommandFactory as _;

use super::{Cli, Ui};
use crate::error::{Error, Kind};

/// Print the manual page, or write one for each command
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Directory to write the pages of all commands to
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    if let Some(dir) = &args.out {
        let written = clap_mangen::generate_to(Cli::command(), dir);
        return written.map_err(|err| Error::io(format!("writing to {}", dir.display()), &err));
    }
    let mut page = Vec::new();
    let rendered = clap_mangen::Man::new(Cli::command()).render(&mut page);
    rendered.map_err(|err| Error::io("making the page", &err))?;
    let page = String::from_utf8(page)
        .map_err(|err| Error::new(Kind::Internal, err.to_string()).augment("the page"))?;
    ui.answer(&page, || page.clone())
}
