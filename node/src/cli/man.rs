//! `man`

use std::path::{Path, PathBuf};

use clap::CommandFactory as _;

use super::{Cli, Ui};
use crate::error::{Error, Kind};
use crate::outfile;

/// Print the manual page, or write one for each command
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Directory to write the pages of all commands to, which has to be there; `-` prints the first
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(super) fn run(args: &Args, ui: &mut Ui) -> Result<(), Error> {
    if let Some(dir) = args.out.as_ref().filter(|dir| !outfile::is_stdout(dir)) {
        check_dir(dir)?;
        ui.clean_up_on_signals()?;
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        return write_all(&command, dir);
    }
    let page = String::from_utf8(render(&clap_mangen::Man::new(Cli::command()))?)
        .map_err(|err| Error::new(Kind::Internal, err.to_string()).augment("the page"))?;
    ui.answer(&page, || page.clone())
}

/// Refuses a path that is not a directory, before any page is written.
fn check_dir(dir: &Path) -> Result<(), Error> {
    let doing = || format!("writing the pages to {}", dir.display());
    let meta = dir.metadata().map_err(|err| Error::io(doing(), &err));
    let meta = meta.map_err(|err| err.with_hint("Make the directory first."))?;
    if meta.is_dir() {
        return Ok(());
    }
    let message = format!("{} is a file, not a directory", dir.display());
    Err(Error::new(Kind::InvalidArgument, message).with_hint("Give --out a directory."))
}

/// Writes the pages of a command and of those below it.
fn write_all(command: &clap::Command, dir: &Path) -> Result<(), Error> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        write_all(below, dir)?;
    }
    let man = clap_mangen::Man::new(command.clone());
    outfile::write(&dir.join(man.get_filename()), &render(&man)?)
}

fn render(man: &clap_mangen::Man) -> Result<Vec<u8>, Error> {
    let mut page = Vec::new();
    man.render(&mut page).map_err(|err| Error::io("making the page", &err))?;
    Ok(page)
}
